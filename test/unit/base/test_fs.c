/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files in a folder of their own: complete reads and writes, replacement that leaves either the old
 * or the new content and no temporary file, and removal that follows nothing.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

struct place {
	char path[64];
	int fd;
};

static int
place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -1;
	(void)snprintf(p->path, sizeof(p->path), "/tmp/holdfast-test-fs-XXXXXX");
	if (mkdtemp(p->path) == NULL)
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

static int
place_teardown(void **state)
{
	struct place *p = *state;

	int rc = fs_remove_tree(AT_FDCWD, p->path, NULL);
	(void)close(p->fd);
	free(p);
	return rc;
}

static int
count_entries(int dirfd_, const char *path)
{
	int n = 0;
	int fd = openat(dirfd_, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	DIR *dir = fdopendir(fd);
	assert_non_null(dir);
	for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(dir);
	return n;
}

static void
assert_file_holds(int dirfd_, const char *path, const char *text)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);

	assert_int_equal(fs_read_file(dirfd_, path, &b, NULL), OK);
	assert_int_equal(b.n, strlen(text));
	assert_memory_equal(b.p, text, b.n);
}

static void
test_pwrite_pread(void **state)
{
	const struct place *place = *state;
	CLEAN(fd_close) int fd = openat(place->fd, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char bytes[16];
	size_t n = 99;

	assert_int_equal(fs_pwrite(fd, "world", 5, 6, NULL), OK);
	assert_int_equal(fs_write(fd, "hello ", 6, NULL), OK);
	assert_int_equal(fs_pread(fd, bytes, sizeof(bytes), 0, &n, NULL), OK);
	assert_int_equal(n, 11);
	assert_memory_equal(bytes, "hello world", 11);
	assert_int_equal(fs_pread(fd, bytes, 3, 6, &n, NULL), OK);
	assert_int_equal(n, 3);
	assert_memory_equal(bytes, "wor", 3);
	assert_int_equal(fs_pread(fd, bytes, 3, 11, &n, NULL), OK);
	assert_int_equal(n, 0);
}

static void
test_failed_calls(void **state)
{
	const struct place *place = *state;
	struct error err = ERROR_INIT;
	char bytes[4];
	size_t n = 99;

	assert_int_equal(fs_pread(place->fd, bytes, 4, 0, &n, &err), ERR_IO);
	assert_int_equal(err.sys, EISDIR);
	assert_int_equal(n, 99);
	assert_int_equal(fs_pwrite(-1, bytes, 4, 0, &err), ERR_IO);
	assert_int_equal(err.sys, EBADF);
	assert_string_equal(err.msg, "write: Bad file descriptor");

	CLEAN(fd_close) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	assert_int_equal(fs_write(full, "x", 1, &err), ERR_STORE_FULL);
	assert_int_equal(fs_pwrite(full, "x", 1, 0, &err), ERR_STORE_FULL);
	assert_int_equal(err.sys, ENOSPC);
}

static void
test_read_file(void **state)
{
	const struct place *place = *state;
	struct error err = ERROR_INIT;
	struct buf b = BUF_INIT(8);

	assert_int_equal(fs_read_file(place->fd, "none", &b, &err), ERR_NOT_FOUND);
	assert_string_equal(err.msg, "open 'none': No such file or directory");
	assert_int_equal(fs_read_file(place->fd, ".", &b, &err), ERR_IO);
	assert_int_equal(err.sys, EISDIR);

	assert_int_equal(fs_write_file(place->fd, "f", SLICE("12345", 5), 0600, &err), OK);
	assert_int_equal(buf_append(&b, "ab", 2, &err), OK);
	assert_int_equal(fs_read_file(place->fd, "f", &b, &err), OK);
	assert_int_equal(b.n, 7);
	assert_memory_equal(b.p, "ab12345", 7);
	/* One byte of room for five. */
	assert_int_equal(fs_read_file(place->fd, "f", &b, &err), ERR_LIMIT);
	assert_int_equal(b.n, 7);
	buf_done(&b);

	/* Exactly as large as allowed. */
	b = BUF_INIT(5);
	assert_int_equal(fs_read_file(place->fd, "f", &b, &err), OK);
	assert_int_equal(b.n, 5);
	buf_done(&b);
	b = BUF_INIT(4);
	assert_int_equal(fs_read_file(place->fd, "f", &b, &err), ERR_LIMIT);
	assert_int_equal(b.n, 0);
	buf_done(&b);
}

static void
test_read_large_file(void **state)
{
	const struct place *place = *state;
	CLEAN(buf_done) struct buf b = BUF_INIT(300000);
	uint8_t *bytes = malloc(300000);

	assert_non_null(bytes);
	for (size_t i = 0; i < 300000; i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	assert_int_equal(fs_write_file(place->fd, "f", SLICE(bytes, 300000), 0600, NULL), OK);
	assert_int_equal(fs_read_file(place->fd, "f", &b, NULL), OK);
	assert_int_equal(b.n, 300000);
	assert_memory_equal(b.p, bytes, b.n);
	free(bytes);
}

/* Files of /proc say they have 0 bytes; a pipe cannot seek. */
static void
test_read_what_has_no_size(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);
	char path[32];
	int ends[2];

	(void)state;
	assert_int_equal(fs_read_file(AT_FDCWD, "/proc/self/maps", &b, NULL), OK);
	assert_true(b.n > 100);
	buf_reset(&b);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fs_write(ends[1], "secret", 6, NULL), OK);
	(void)close(ends[1]);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_int_equal(fs_read_file(AT_FDCWD, path, &b, NULL), OK);
	assert_int_equal(b.n, 6);
	(void)close(ends[0]);
}

static void
test_write_file(void **state)
{
	const struct place *place = *state;
	struct stat st;
	struct error err = ERROR_INIT;

	assert_int_equal(fs_write_file(place->fd, "f", SLICE("one", 3), 0640, &err), OK);
	assert_file_holds(place->fd, "f", "one");
	assert_int_equal(fstatat(place->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fs_write_file(place->fd, "f", SLICE("another", 7), 0600, &err), OK);
	assert_file_holds(place->fd, "f", "another");
	assert_int_equal(fs_write_file(place->fd, "f", SLICE(NULL, 0), 0600, &err), OK);
	assert_file_holds(place->fd, "f", "");
	assert_int_equal(count_entries(place->fd, "."), 1);

	/* In a folder below, and by an absolute path. */
	assert_int_equal(fs_mkdirs(place->fd, "a/b", 0700, &err), OK);
	assert_int_equal(fs_write_file(place->fd, "a/b/f", SLICE("below", 5), 0600, &err), OK);
	assert_file_holds(place->fd, "a/b/f", "below");
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/abs", place->path);
	assert_int_equal(fs_write_file(-1, path, SLICE("abs", 3), 0600, &err), OK);
	assert_file_holds(place->fd, "abs", "abs");
}

/* A link is replaced, not written through. */
static void
test_write_file_over_link(void **state)
{
	const struct place *place = *state;
	struct stat st;

	assert_int_equal(fs_write_file(place->fd, "target", SLICE("old", 3), 0600, NULL), OK);
	assert_int_equal(symlinkat("target", place->fd, "link"), 0);
	assert_int_equal(fs_write_file(place->fd, "link", SLICE("new", 3), 0600, NULL), OK);
	assert_file_holds(place->fd, "target", "old");
	assert_int_equal(fstatat(place->fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void
test_write_file_fails(void **state)
{
	const struct place *place = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(fs_write_file(place->fd, "no/f", SLICE("x", 1), 0600, &err), ERR_IO);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.msg, "write file 'no/f': open folder 'no': "
				     "No such file or directory");

	assert_int_equal(fs_write_file(place->fd, "f", SLICE("x", 1), 0600, &err), OK);
	assert_int_equal(fs_write_file(place->fd, "f/g", SLICE("x", 1), 0600, &err), ERR_IO);
	assert_int_equal(err.sys, ENOTDIR);

	/* The rename fails: the folder in its place is not empty. */
	assert_int_equal(fs_mkdirs(place->fd, "d/e", 0700, &err), OK);
	assert_int_equal(fs_write_file(place->fd, "d", SLICE("x", 1), 0600, &err), ERR_IO);
	assert_int_equal(err.sys, EISDIR);
	assert_int_equal(fs_write_file(place->fd, "d/", SLICE("x", 1), 0600, &err), ERR_IO);
	assert_int_equal(count_entries(place->fd, "."), 2);
}

/* The write stops half way, as it does on a full disk: the old content stays. */
static void
test_write_file_fails_half_way(void **state)
{
	const struct place *place = *state;
	struct error err = ERROR_INIT;
	struct rlimit before, small;
	static const uint8_t bytes[10000];

	assert_int_equal(fs_write_file(place->fd, "f", SLICE("old", 3), 0600, &err), OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 5000;
	sighandler_t handler = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = fs_write_file(place->fd, "f", SLICE(bytes, sizeof(bytes)), 0600, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, handler);
	assert_int_equal(rc, ERR_IO);
	assert_int_equal(err.sys, EFBIG);
	assert_file_holds(place->fd, "f", "old");
	assert_int_equal(count_entries(place->fd, "."), 1);
}

static void
test_sync_parent(void **state)
{
	const struct place *place = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(fs_mkdirs(place->fd, "a/b", 0700, &err), OK);
	assert_int_equal(fs_sync_parent(place->fd, "a/b/c", &err), OK);
	assert_int_equal(fs_sync_parent(place->fd, "a/b/", &err), OK);
	assert_int_equal(fs_sync_parent(place->fd, "c", &err), OK);
	assert_int_equal(fs_sync_parent(place->fd, NULL, &err), OK);
	assert_int_equal(fs_sync_parent(AT_FDCWD, "/tmp", &err), OK);
	assert_int_equal(fs_sync_parent(place->fd, "x/y", &err), ERR_IO);
	assert_int_equal(err.sys, ENOENT);
	/* The folder of "x/" is the one it lies in, whether or not x exists. */
	assert_int_equal(fs_sync_parent(place->fd, "x/", &err), OK);
}

static void
test_mkdirs(void **state)
{
	const struct place *place = *state;
	struct error err = ERROR_INIT;
	struct stat st;
	char path[128];

	assert_int_equal(fs_mkdirs(place->fd, "a/b//c/", 0750, &err), OK);
	assert_int_equal(fstatat(place->fd, "a/b/c", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(fs_mkdirs(place->fd, "a/b/c", 0750, &err), OK);
	assert_int_equal(fs_mkdirs(place->fd, ".", 0750, &err), OK);
	(void)snprintf(path, sizeof(path), "%s/x/y", place->path);
	assert_int_equal(fs_mkdirs(AT_FDCWD, path, 0700, &err), OK);
	assert_int_equal(fstatat(place->fd, "x/y", &st, 0), 0);
	assert_int_equal(fs_mkdirs(AT_FDCWD, "/", 0700, &err), OK);
	/* A link to a folder is one. */
	assert_int_equal(symlinkat("a", place->fd, "l"), 0);
	assert_int_equal(fs_mkdirs(place->fd, "l/new", 0700, &err), OK);
	assert_int_equal(fstatat(place->fd, "a/new", &st, 0), 0);
}

static void
test_mkdirs_fails(void **state)
{
	const struct place *place = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(fs_write_file(place->fd, "f", SLICE("x", 1), 0600, &err), OK);
	assert_int_equal(fs_mkdirs(place->fd, "f", 0700, &err), ERR_IO);
	assert_int_equal(err.sys, ENOTDIR);
	assert_int_equal(fs_mkdirs(place->fd, "f/g/h", 0700, &err), ERR_IO);
	assert_int_equal(err.sys, ENOTDIR);
	assert_int_equal(fs_mkdirs(place->fd, "", 0700, &err), ERR_IO);
}

static void
test_remove_tree(void **state)
{
	const struct place *place = *state;
	struct error err = ERROR_INIT;
	struct stat st;
	char name[32];

	assert_int_equal(fs_mkdirs(place->fd, "keep", 0700, &err), OK);
	assert_int_equal(fs_write_file(place->fd, "keep/f", SLICE("x", 1), 0600, &err), OK);
	assert_int_equal(fs_mkdirs(place->fd, "t/a/b", 0700, &err), OK);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "t/a/file-%d", i);
		(void)close(openat(place->fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	assert_int_equal(mkfifoat(place->fd, "t/fifo", 0600), 0);
	assert_int_equal(symlinkat("../keep", place->fd, "t/link"), 0);
	assert_int_equal(symlinkat("keep", place->fd, "link"), 0);

	assert_int_equal(fs_remove_tree(place->fd, "t", &err), OK);
	assert_int_equal(fstatat(place->fd, "t", &st, 0), -1);
	assert_int_equal(fs_remove_tree(place->fd, "link", &err), OK);
	assert_file_holds(place->fd, "keep/f", "x");
	assert_int_equal(fs_remove_tree(place->fd, "missing", &err), OK);
	assert_int_equal(fs_remove_tree(place->fd, "keep/f", &err), OK);
	assert_int_equal(fs_remove_tree(place->fd, "keep/f/g", &err), OK);
	assert_int_equal(fs_remove_tree(place->fd, "keep/", &err), OK);
	assert_int_equal(count_entries(place->fd, "."), 0);
	assert_int_equal(fs_remove_tree(-1, "relative", &err), ERR_IO);
	assert_int_equal(err.sys, EBADF);
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(test_pwrite_pread),
		PLACE_TEST(test_failed_calls),
		PLACE_TEST(test_read_file),
		PLACE_TEST(test_read_large_file),
		PLACE_TEST(test_read_what_has_no_size),
		PLACE_TEST(test_write_file),
		PLACE_TEST(test_write_file_over_link),
		PLACE_TEST(test_write_file_fails),
		PLACE_TEST(test_write_file_fails_half_way),
		PLACE_TEST(test_sync_parent),
		PLACE_TEST(test_mkdirs),
		PLACE_TEST(test_mkdirs_fails),
		PLACE_TEST(test_remove_tree),
	};

	(void)umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
