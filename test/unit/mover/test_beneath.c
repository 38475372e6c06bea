/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Steps below a folder: nothing is followed, nothing outside is touched, trees of any depth are
 * removed with few descriptors, and somebody who moves things meanwhile gets an error.
 */
#include "mover/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"

struct ground {
	char path[64];
	int fd;
	struct error err;
};

static int
ground_setup(void **state)
{
	struct ground *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	(void)snprintf(g->path, sizeof(g->path), "/tmp/holdfast-test-beneath-XXXXXX");
	assert_non_null(mkdtemp(g->path));
	g->fd = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(g->fd >= 0);
	*state = g;
	return 0;
}

static int
ground_teardown(void **state)
{
	struct ground *g = *state;

	int rc = fs_remove_tree(AT_FDCWD, g->path, &g->err);
	if (rc < 0)
		print_error("%s\n", g->err.msg);
	(void)close(g->fd);
	free(g);
	return rc;
}

static void
put(struct ground *g, const char *path)
{
	assert_int_equal(fs_write_file(g->fd, path, SLICE("x", 1), 0644, &g->err), OK);
}

static bool
is_there(const struct ground *g, const char *path)
{
	struct stat st;

	return fstatat(g->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static unsigned
open_fds(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/fd");

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

static void
names_are_one_entry(void **state)
{
	static const char *const good[] = {"a", "...", "..a", ".a", " ", "\n", "\xff", "a.."};
	static const struct slice bad[] = {SLICE("", 0),     SLICE(".", 1),  SLICE("..", 2),
					   SLICE("a/b", 3),  SLICE("/", 1),  SLICE("a/", 2),
					   SLICE("a\0b", 3), SLICE("../", 3)};
	char longest[257];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(beneath_name_valid(SLICE(good[i], strlen(good[i]))));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(beneath_name_valid(bad[i]));
	memset(longest, 'x', sizeof(longest));
	assert_true(beneath_name_valid(SLICE(longest, 255)));
	assert_false(beneath_name_valid(SLICE(longest, 256)));
}

static void
links_are_not_followed(void **state)
{
	struct ground *g = *state;
	struct stat st;
	int fd = -1;

	put(g, "file");
	assert_int_equal(mkdirat(g->fd, "dir", 0755), 0);
	assert_int_equal(symlinkat("file", g->fd, "to-file"), 0);
	assert_int_equal(symlinkat("dir", g->fd, "to-dir"), 0);
	assert_int_equal(beneath_open(g->fd, "to-file", O_RDONLY, 0), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(beneath_open_dir(g->fd, "to-dir", &fd, &st, &g->err), 0);
	assert_int_equal(beneath_open_dir(g->fd, "file", &fd, &st, &g->err), 0);
	assert_int_equal(beneath_open_dir(g->fd, "nothing", &fd, &st, &g->err), 0);
	assert_int_equal(fd, -1);

	/* Looking sees the link itself. */
	assert_int_equal(beneath_look(g->fd, "to-dir", &fd, &st, &g->err), 1);
	assert_true(S_ISLNK(st.st_mode));
	(void)close(fd);
	assert_int_equal(beneath_look(g->fd, "nothing", &fd, &st, &g->err), 0);
}

static void
creating_never_takes_what_is_there(void **state)
{
	struct ground *g = *state;
	struct stat st;
	int fd = -1;

	assert_int_equal(beneath_create_file(g->fd, "new", &fd, &g->err), OK);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	(void)close(fd);
	assert_int_equal(beneath_make_dir(g->fd, "dir", &fd, &st, &g->err), OK);
	assert_int_equal(st.st_mode & 07777, 0700);
	(void)close(fd);

	assert_int_equal(symlinkat("elsewhere", g->fd, "dangling"), 0);
	static const char *const taken[] = {"new", "dir", "dangling"};
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		assert_int_equal(beneath_create_file(g->fd, taken[i], &fd, &g->err), ERR_EXISTS);
		assert_int_equal(beneath_make_dir(g->fd, taken[i], &fd, &st, &g->err), ERR_EXISTS);
	}
	assert_false(is_there(g, "elsewhere"));
}

static void
removes_trees_and_follows_nothing(void **state)
{
	struct ground *g = *state;
	uint64_t removed = 0;

	assert_int_equal(fs_mkdirs(g->fd, "tree/a/b", 0755, &g->err), OK);
	assert_int_equal(fs_mkdirs(g->fd, "outside", 0755, &g->err), OK);
	put(g, "outside/precious");
	put(g, "tree/one");
	put(g, "tree/a/two");
	put(g, "tree/a/b/three");
	assert_int_equal(symlinkat("../outside", g->fd, "tree/link"), 0);
	assert_int_equal(symlinkat("outside", g->fd, "link"), 0);

	assert_int_equal(beneath_remove(g->fd, "tree", &removed, &g->err), OK);
	assert_int_equal(removed, 4);
	assert_int_equal(beneath_remove(g->fd, "link", &removed, &g->err), OK);
	assert_int_equal(removed, 5);
	assert_false(is_there(g, "tree"));
	assert_false(is_there(g, "link"));
	assert_true(is_there(g, "outside/precious"));
	assert_int_equal(beneath_remove(g->fd, "nothing", &removed, &g->err), OK);
	assert_int_equal(removed, 5);
}

static void
removes_trees_of_any_depth_with_few_descriptors(void **state)
{
	struct ground *g = *state;
	enum { DEPTH = 3000 };
	int fd = dup(g->fd);
	uint64_t removed = 0;
	unsigned before = open_fds();

	for (int i = 0; i < DEPTH; i++) {
		struct stat st;
		int next = -1, file = -1;

		assert_int_equal(beneath_make_dir(fd, "d", &next, &st, &g->err), OK);
		assert_int_equal(beneath_create_file(next, "f", &file, &g->err), OK);
		(void)close(file);
		/* A second way down, so that coming back up goes on where it was. */
		if (i % 100 == 0)
			assert_int_equal(mkdirat(next, "e", 0700), 0);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	assert_int_equal(beneath_remove(g->fd, "d", &removed, &g->err), OK);
	assert_int_equal(removed, DEPTH);
	assert_false(is_there(g, "d"));
	assert_int_equal(open_fds(), before - 1);
}

static void
removing_stops_at_mount_points(void **state)
{
	struct ground *g = *state;
	uint64_t removed = 0;
	char path[128];

	assert_int_equal(fs_mkdirs(g->fd, "tree/mounted", 0755, &g->err), OK);
	(void)snprintf(path, sizeof(path), "%s/tree/mounted", g->path);
	if (mount("tmpfs", path, "tmpfs", 0, "size=64k") < 0) {
		print_message("# not root: nothing can be mounted\n");
		return;
	}
	put(g, "tree/mounted/precious");
	int rc = beneath_remove(g->fd, "tree", &removed, &g->err);
	bool there = is_there(g, "tree/mounted/precious");
	assert_int_equal(umount(path), 0);
	assert_int_equal(rc, ERR_IO);
	assert_non_null(strstr(g->err.msg, "mount point"));
	assert_true(there);
}

static void
folders_without_permission_are_entered_and_removed(void **state)
{
	struct ground *g = *state;
	uint64_t removed = 0;
	struct stat st;
	int fd = -1;
	bool root = geteuid() == 0;

	assert_int_equal(fs_mkdirs(g->fd, "a/b", 0755, &g->err), OK);
	put(g, "a/b/c");
	assert_int_equal(fchmodat(g->fd, "a/b", 0, 0), 0);
	assert_int_equal(fchmodat(g->fd, "a", 0, 0), 0);
	if (root) {
		assert_int_equal(fchown(g->fd, 65534, 65534), 0);
		assert_int_equal(fchownat(g->fd, "a/b", 65534, 65534, 0), 0);
		assert_int_equal(fchownat(g->fd, "a", 65534, 65534, 0), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	int opened = beneath_open_dir(g->fd, "a", &fd, &st, &g->err);
	int rc = beneath_remove(g->fd, "a", &removed, &g->err);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(opened, 1);
	(void)close(fd);
	assert_int_equal(rc, OK);
	assert_int_equal(removed, 1);
}

struct racer {
	struct ground *g;
	_Atomic bool stop;
};

/* Swap a folder for a link to outside and back; and move it elsewhere and back. */
static void *
race(void *arg)
{
	struct racer *r = arg;
	int fd = r->g->fd;

	while (!atomic_load(&r->stop)) {
		if (renameat(fd, "tree/a", fd, "aside") == 0) {
			(void)renameat(fd, "link", fd, "tree/a");
			(void)renameat(fd, "tree/a", fd, "link");
			(void)renameat(fd, "aside", fd, "tree/a");
		}
	}
	return NULL;
}

static void
removing_while_somebody_swaps_folders_for_links(void **state)
{
	struct ground *g = *state;
	struct racer racer = {.g = g};
	pthread_t thread;
	uint64_t removed = 0;

	assert_int_equal(fs_mkdirs(g->fd, "outside/a", 0755, &g->err), OK);
	put(g, "outside/precious");
	put(g, "outside/a/precious");
	assert_int_equal(symlinkat("outside", g->fd, "link"), 0);
	assert_int_equal(pthread_create(&thread, NULL, race, &racer), 0);
	for (int round = 0; round < 100; round++) {
		if (fs_mkdirs(g->fd, "tree/a/b", 0755, NULL) == OK) {
			int fd = openat(g->fd, "tree/a/b/x",
					O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
			if (fd >= 0)
				(void)close(fd);
		}
		/* It may be told that something moved; what it must not do is reach outside. */
		int rc = beneath_remove(g->fd, "tree", &removed, &g->err);
		assert_true(rc == OK || g->err.code == ERR_IO);
	}
	atomic_store(&racer.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(is_there(g, "outside/precious"));
	assert_true(is_there(g, "outside/a/precious"));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, ground_setup, ground_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_one_entry),
		TEST(links_are_not_followed),
		TEST(creating_never_takes_what_is_there),
		TEST(removes_trees_and_follows_nothing),
		TEST(removes_trees_of_any_depth_with_few_descriptors),
		TEST(removing_stops_at_mount_points),
		TEST(folders_without_permission_are_entered_and_removed),
		TEST(removing_while_somebody_swaps_folders_for_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
