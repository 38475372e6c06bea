/* SPDX-License-Identifier: Apache-2.0 */

/* Backing up folders of this host: every kind of file, odd names, deep and wide folders, increments. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "mover/bed.h"

static void
make_socket(struct bed *b, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", bed_path(b, name));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	(void)close(fd);
}

static void
make_every_kind(struct bed *b)
{
	static const size_t sizes[] = {0,      1,      4095,   65536,   65537,  100000,
				       262143, 262144, 262145, 1 << 20, 3000001};
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		(void)snprintf(name, sizeof(name), "file-%zu", sizes[i]);
		bed_file(b, name, sizes[i], i);
	}
	bed_dir(b, "dir");
	bed_dir(b, "dir/empty");
	bed_dir(b, "dir/sub");
	bed_text(b, "dir/sub/text", "some text\n");
	bed_text(b, "\xff\xfe odd\nname\x01", "bytes");
	bed_text(b, "-rf", "dash");
	assert_int_equal(symlink("dir/sub/text", bed_path(b, "link")), 0);
	assert_int_equal(symlink("nowhere/at all", bed_path(b, "dangling")), 0);
	assert_int_equal(mkfifo(bed_path(b, "fifo"), 0640), 0);
	if (geteuid() == 0) {
		assert_int_equal(mknod(bed_path(b, "char"), S_IFCHR | 0600, makedev(1, 3)), 0);
		assert_int_equal(mknod(bed_path(b, "block"), S_IFBLK | 0600, makedev(7, 200)), 0);
		assert_int_equal(chown(bed_path(b, "file-1"), 1234, 4321), 0);
	}
	make_socket(b, "socket");
	char *from = strdup(bed_path(b, "file-3000001"));
	assert_int_equal(link(from, bed_path(b, "dir/hard link")), 0);
	free(from);
	assert_int_equal(setxattr(bed_path(b, "file-1"), "user.colour", "blue", 4, 0), 0);
	assert_int_equal(setxattr(bed_path(b, "dir"), "user.kind", "folder", 6, 0), 0);
	assert_int_equal(chmod(bed_path(b, "file-4095"), 04751), 0);
	assert_int_equal(chmod(bed_path(b, "dir/sub"), 01777), 0);
}

static void
every_kind_comes_back(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;

	make_every_kind(b);
	bed_file(b, "several slices", (64 << 20) + 4097, 99);
	bed_backup(b, NULL, &tree);
	assert_int_equal(b->n_warnings, 0);
	bed_compare(b, &tree);
	assert_true(b->n_compared > 20);
	assert_true(b->progress.files_done == b->progress.files_total);
	assert_true(b->progress.bytes_done == b->progress.bytes_total);
	assert_true(b->progress.total_known);
	assert_true(b->progress.dirs == 4);
}

/* The second name of an inode costs no second reading. */
static void
hard_links_are_read_once(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;

	bed_file(b, "a", 5 << 20, 1);
	char *from = strdup(bed_path(b, "a"));
	assert_int_equal(link(from, bed_path(b, "b")), 0);
	assert_int_equal(link(from, bed_path(b, "c")), 0);
	free(from);
	bed_later();
	b->options.workers = 1;
	bed_backup(b, NULL, &tree);
	bed_compare(b, &tree);
	assert_true(b->stats.bytes < 6 << 20);
}

/* The folder itself: what lies above it belongs to everybody on this host, and may change. */
static struct blob_id
folder_of(struct bed *b, const struct blob_id *tree)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct node node;

	assert_true(bed_find_at(b, tree, b->src + 1, &hold, &node));
	return node.tree;
}

static void
unchanged_is_not_read(void **state)
{
	struct bed *b = *state;
	struct blob_id first, second, third, x, y;

	make_every_kind(b);
	bed_file(b, "may be pages", 16 << 20, 99);
	bed_later();
	bed_backup(b, NULL, &first);
	uint64_t n = b->progress.files_total;
	assert_true(b->progress.files_new == n);

	bed_backup(b, &first, &second);
	assert_true(b->progress.files_unchanged == n);
	assert_true(b->progress.read_ns == 0);
	assert_true(b->stats.blobs_new <= 2); /* of "/" */
	x = folder_of(b, &first);
	y = folder_of(b, &second);
	assert_memory_equal(&x, &y, sizeof(x));

	bed_text(b, "dir/sub/text", "other text\n");
	bed_text(b, "dir/sub/more", "a new one\n");
	assert_int_equal(unlink(bed_path(b, "link")), 0);
	assert_int_equal(setxattr(bed_path(b, "file-1"), "user.colour", "green", 5, 0), 0);
	bed_later();
	bed_backup(b, &second, &third);
	assert_true(b->progress.files_new == 1);
	assert_true(b->progress.files_changed == 2);
	assert_true(b->progress.files_unchanged == n - 3);
	bed_compare(b, &third);

	b->options.force_read = true;
	bed_backup(b, &third, &second);
	assert_true(b->progress.files_unchanged == 0);
	x = folder_of(b, &third);
	y = folder_of(b, &second);
	assert_memory_equal(&x, &y, sizeof(x));
}

/* A change in the same tick of the clock as the reading would carry the same times. */
static void
fresh_files_are_read_again(void **state)
{
	struct bed *b = *state;
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct blob_id first, second;
	struct node node;

	bed_text(b, "fresh", "old");
	struct stat st;
	assert_int_equal(stat(bed_path(b, "fresh"), &st), 0);
	uint64_t changed = (uint64_t)st.st_ctim.tv_sec * NS_PER_S + (uint64_t)st.st_ctim.tv_nsec;
	clock_fake_set(NS_PER_S, changed + 5 * NS_PER_MS);
	bed_backup(b, NULL, &first);
	assert_true(bed_find(b, &first, "fresh", &hold, &node));
	assert_true(node.ctime_ns == 0);

	bed_later();
	bed_backup(b, &first, &second);
	assert_true(b->progress.files_changed == 1);
	assert_true(bed_find(b, &second, "fresh", &hold, &node));
	assert_true((uint64_t)node.ctime_ns == changed);
	bed_backup(b, &second, &first);
	assert_true(b->progress.files_unchanged == 1);
}

/* Several windows, several pages of the tree. */
static void
wide_folder(void **state)
{
	enum { N = 5000 };
	struct bed *b = *state;
	struct blob_id first, second;
	char name[64];

	bed_dir(b, "wide");
	for (int i = 0; i < N; i++) {
		(void)snprintf(name, sizeof(name), i % 50 == 0 ? "wide/d%d" : "wide/f%d",
			       i * 7919 % N);
		if (i % 50 == 0)
			bed_dir(b, name);
		else
			bed_text(b, name, name);
	}
	bed_later();
	bed_backup(b, NULL, &first);
	bed_compare(b, &first);
	assert_int_equal(b->n_compared, N + 1);

	bed_text(b, "wide/f0000", "between");
	assert_int_equal(unlink(bed_path(b, "wide/f7")), 0);
	bed_later();
	bed_backup(b, &first, &second);
	bed_compare(b, &second);
	assert_true(b->progress.files_new == 1);
	assert_true(b->progress.files_changed == 0);
}

/* Longer than PATH_MAX, with fewer descriptors than folders. */
static void
deep_folders(void **state)
{
	enum { DEPTH = 150 };
	struct bed *b = *state;
	struct rlimit before, few;
	struct blob_id tree;
	char name[101];
	int fd = open(b->src, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(name, 'n', 100);
	name[100] = '\0';
	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(fd, "a sibling", 0700), 0);
		assert_int_equal(mkdirat(fd, "z sibling", 0700), 0);
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		assert_int_equal(symlinkat("x", fd, "zz"), 0);
		int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd);
		fd = sub;
		assert_true(fd >= 0);
	}
	int file = openat(fd, "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(file, "deep", 4), 4);
	(void)close(file);
	(void)close(fd);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 64; /* 16 for folders */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	bed_backup(b, NULL, &tree);
	assert_int_equal(b->n_warnings, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	bed_compare(b, &tree);
	assert_int_equal(b->n_compared, 4 * DEPTH + 1);
}

static void
holes_stay_holes(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;
	uint8_t data[20000];
	int fd;

	bed_fill(data, sizeof(data), 9);
	/* Ordinary, paged by its name, only a hole, a small one, and one with too many holes. */
	static const char *const names[] = {"ordinary", "disk.img", "empty.img", "small", "comb"};
	static const off_t sizes[] = {40 << 20, 40 << 20, 100 << 20, 200000, 32 << 20};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fd = bed_open(b, names[i], O_WRONLY | O_CREAT);
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		if (i < 2) {
			assert_int_equal(pwrite(fd, data, 20000, 5 << 20), 20000);
			assert_int_equal(pwrite(fd, data, 20000, (30 << 20) + 12288), 20000);
		} else if (i == 3) {
			assert_int_equal(pwrite(fd, data, 10, 100000), 10);
		} else if (i == 4) {
			for (off_t at = 0; at < sizes[4]; at += 8192)
				assert_int_equal(pwrite(fd, data, 4096, at), 4096);
		}
		(void)close(fd);
	}
	bed_backup(b, NULL, &tree);
	bed_compare(b, &tree);
	uint64_t most = 2 * ((40u << 20) - 2 * 24576) + (100 << 20) + 190000;
	assert_true(b->hole_bytes > most);
	assert_true(b->stats.bytes < 40 << 20);
	bed_later();
	bed_backup(b, &tree, &tree);
	bed_compare(b, &tree);
}

static void
patterns_leave_out(void **state)
{
	struct bed *b = *state;
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct blob_id tree;
	struct node node;
	char absolute[128];

	bed_dir(b, "a");
	bed_dir(b, "a/cache");
	bed_text(b, "a/cache/x", "x");
	bed_text(b, "a/keep", "x");
	bed_text(b, "a/drop.tmp", "x");
	bed_text(b, "drop.tmp", "x");
	bed_text(b, "only here", "x");
	bed_text(b, "a/only here", "x");
	(void)snprintf(absolute, sizeof(absolute), "%s/only*", b->src);
	const char *const exclude[] = {"*.tmp", "cache", absolute};
	b->options.exclude = exclude;
	b->options.n_exclude = 3;
	bed_backup(b, NULL, &tree);
	assert_true(bed_find(b, &tree, "a/keep", &hold, &node));
	assert_true(bed_find(b, &tree, "a/only here", &hold, &node));
	assert_false(bed_find(b, &tree, "only here", &hold, &node));
	assert_false(bed_find(b, &tree, "a/cache", &hold, &node));
	assert_false(bed_find(b, &tree, "a/drop.tmp", &hold, &node));
	assert_false(bed_find(b, &tree, "drop.tmp", &hold, &node));
}

static void
several_paths(void **state)
{
	struct bed *b = *state;
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	char one[128], two[128], inner[128], gone[128], link[128];
	struct blob_id tree;
	struct node node;
	struct stat st;

	bed_dir(b, "one");
	bed_dir(b, "one/inner");
	bed_dir(b, "not asked");
	bed_text(b, "one/inner/f", "x");
	bed_text(b, "two", "a file by itself");
	assert_int_equal(symlink("one", bed_path(b, "link")), 0);
	(void)snprintf(one, sizeof(one), "%s/one", b->src);
	(void)snprintf(inner, sizeof(inner), "%s/one/inner", b->src);
	(void)snprintf(two, sizeof(two), "%s/two", b->src);
	(void)snprintf(link, sizeof(link), "%s/link", b->src);
	(void)snprintf(gone, sizeof(gone), "%s/gone", b->src);
	const char *const paths[] = {inner, one, two, link, gone, one};
	assert_int_equal(bed_try(b, paths, 6, NULL, &tree), OK);
	assert_int_equal(b->n_warnings, 1);
	assert_string_equal(b->warnings[0].path, gone);
	assert_true(b->warnings[0].serious);
	bed_compare_at(b, &tree, one + 1, one);
	assert_true(bed_find(b, &tree, "two", &hold, &node));
	bed_content(b, &node, "a file by itself", 16);
	assert_true(bed_find(b, &tree, "link", &hold, &node));
	assert_int_equal(node.type, NODE_SYMLINK);
	assert_false(bed_find(b, &tree, "not asked", &hold, &node));
	/* Parents have their own attributes. */
	assert_true(bed_find_at(b, &tree, "tmp", &hold, &node));
	assert_int_equal(stat("/tmp", &st), 0);
	assert_int_equal(node.mode, st.st_mode & 07777);

	assert_int_equal(bed_try(b, paths + 4, 1, NULL, &tree), ERR_SOURCE);
	const char *bad = "relative";
	assert_int_equal(bed_try(b, &bad, 1, NULL, &tree), ERR_USAGE);
	bad = "/tmp/../etc";
	assert_int_equal(bed_try(b, &bad, 1, NULL, &tree), ERR_USAGE);
}

static void
other_file_systems(void **state)
{
	struct bed *b = *state;
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct blob_id with, without;
	struct node node;

	bed_dir(b, "mount");
	if (mount("none", bed_path(b, "mount"), "tmpfs", 0, "size=1m") < 0)
		skip();
	bed_text(b, "mount/inside", "x");
	bed_backup(b, NULL, &with);
	b->options.one_file_system = true;
	bed_backup(b, NULL, &without);
	assert_int_equal(umount(bed_path(b, "mount")), 0);
	assert_true(bed_find(b, &with, "mount/inside", &hold, &node));
	assert_true(bed_find(b, &without, "mount", &hold, &node));
	assert_false(bed_find(b, &without, "mount/inside", &hold, &node));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_kind_comes_back, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(hard_links_are_read_once, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(unchanged_is_not_read, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(fresh_files_are_read_again, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(wide_folder, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(deep_folders, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(holes_stay_holes, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(patterns_leave_out, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(several_paths, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(other_file_systems, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
