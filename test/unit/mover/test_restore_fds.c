/* SPDX-License-Identifier: Apache-2.0 */

/* Descriptors of items: bounded, opened again when needed, and never those of another file. */
#include "mover/restore_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"

enum { LIMIT = 4, DEPTH = 20 };

struct shelf {
	char path[64];
	struct restore_fds fds;
	struct restore_item *items[DEPTH + 1]; /* each in the one before; the last is a file */
	struct error err;
};

/* An item for what is there: `name` in `parent`, or the root. */
static struct restore_item *
take(struct shelf *s, struct restore_item *parent, const char *name, uint8_t type)
{
	struct node node = {.name = SLICE(name, strlen(name)), .type = type, .mode = 0700};
	struct restore_item *item = NULL;
	struct stat st;
	int fd = -1, above = AT_FDCWD;

	if (parent == NULL) {
		assert_int_equal(restore_item_new_root(name, &item, &s->err), OK);
	} else {
		assert_int_equal(restore_item_new(parent, &node, &item, &s->err), OK);
		assert_int_equal(restore_fds_pin(&s->fds, parent, &above, &s->err), OK);
	}
	fd = openat(above, name, type == NODE_DIR ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	item->dev = st.st_dev;
	item->ino = st.st_ino;
	item->present = true;
	restore_fds_attach(&s->fds, item, fd);
	if (parent != NULL) {
		restore_fds_unpin(&s->fds, parent);
		restore_fds_unpin(&s->fds, item);
	}
	return item;
}

static int
shelf_setup(void **state)
{
	struct shelf *s = calloc(1, sizeof(*s));
	char path[256];

	assert_non_null(s);
	(void)snprintf(s->path, sizeof(s->path), "/tmp/holdfast-test-fds-XXXXXX");
	assert_non_null(mkdtemp(s->path));
	size_t n = (size_t)snprintf(path, sizeof(path), "%s", s->path);
	for (size_t i = 1; i < DEPTH; i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "/d%zu", i);
	assert_int_equal(fs_mkdirs(AT_FDCWD, path, 0755, &s->err), OK);
	(void)snprintf(path + n, sizeof(path) - n, "/file");
	assert_int_equal(fs_write_file(AT_FDCWD, path, SLICE("x", 1), 0600, &s->err), OK);

	restore_fds_init(&s->fds, LIMIT);
	s->items[0] = take(s, NULL, s->path, NODE_DIR);
	for (size_t i = 1; i < DEPTH; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "d%zu", i);
		s->items[i] = take(s, s->items[i - 1], name, NODE_DIR);
	}
	s->items[DEPTH] = take(s, s->items[DEPTH - 1], "file", NODE_FILE);
	*state = s;
	return 0;
}

static int
shelf_teardown(void **state)
{
	struct shelf *s = *state;

	restore_fds_unpin(&s->fds, s->items[0]);
	for (size_t i = DEPTH + 1; i-- > 0;) {
		assert_int_equal(restore_fds_close(&s->fds, s->items[i], &s->err), OK);
		restore_item_unref(s->items[i]);
	}
	restore_fds_done(&s->fds);
	int rc = fs_remove_tree(AT_FDCWD, s->path, &s->err);
	free(s);
	return rc;
}

static void
few_are_open_and_all_can_be_had(void **state)
{
	struct shelf *s = *state;
	struct stat st;
	int fd = -1;

	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i <= DEPTH; i++) {
			struct restore_item *item = s->items[round == 1 ? DEPTH - i : i];

			assert_int_equal(restore_fds_pin(&s->fds, item, &fd, &s->err), OK);
			assert_int_equal(fstat(fd, &st), 0);
			assert_true(st.st_ino == item->ino);
			assert_true(s->fds.open <= LIMIT);
			restore_fds_unpin(&s->fds, item);
		}
}

static void
pinned_ones_stay_open_beyond_the_limit(void **state)
{
	struct shelf *s = *state;
	int fds[DEPTH + 1];
	struct stat st;

	for (size_t i = 0; i <= DEPTH; i++)
		assert_int_equal(restore_fds_pin(&s->fds, s->items[i], &fds[i], &s->err), OK);
	for (size_t i = 0; i <= DEPTH; i++) {
		assert_int_equal(fstat(fds[i], &st), 0);
		assert_true(st.st_ino == s->items[i]->ino);
	}
	assert_int_equal(s->fds.open, DEPTH + 1);
	for (size_t i = 0; i <= DEPTH; i++)
		restore_fds_unpin(&s->fds, s->items[i]);
	assert_true(s->fds.open <= LIMIT);
}

static void
replaced_folders_are_found_out(void **state)
{
	struct shelf *s = *state;
	char a[128], b[128];
	int fd = -1;

	/* Push it out of the cache, then swap an ancestor. */
	for (size_t i = 1; i < LIMIT + 2; i++) {
		assert_int_equal(restore_fds_pin(&s->fds, s->items[i], &fd, &s->err), OK);
		restore_fds_unpin(&s->fds, s->items[i]);
	}
	assert_int_equal(s->items[DEPTH]->fd, -1);
	for (size_t i = 1; i < DEPTH; i++)
		assert_int_equal(restore_fds_close(&s->fds, s->items[i], &s->err), OK);
	(void)snprintf(a, sizeof(a), "%s/d1", s->path);
	(void)snprintf(b, sizeof(b), "%s/moved", s->path);
	assert_int_equal(rename(a, b), 0);
	assert_int_equal(restore_fds_pin(&s->fds, s->items[DEPTH], &fd, &s->err), ERR_IO);
	assert_int_equal(symlink("moved", a), 0);
	assert_int_equal(restore_fds_pin(&s->fds, s->items[DEPTH], &fd, &s->err), ERR_IO);
	assert_int_equal(s->err.sys, ENOTDIR);
	assert_int_equal(unlink(a), 0);
	assert_int_equal(mkdir(a, 0755), 0);
	assert_int_equal(restore_fds_pin(&s->fds, s->items[DEPTH], &fd, &s->err), ERR_IO);
	assert_non_null(strstr(s->err.msg, "somebody else"));
	assert_int_equal(rmdir(a), 0);
	assert_int_equal(rename(b, a), 0);
	assert_int_equal(restore_fds_pin(&s->fds, s->items[DEPTH], &fd, &s->err), OK);
	restore_fds_unpin(&s->fds, s->items[DEPTH]);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, shelf_setup, shelf_teardown)
	const struct CMUnitTest tests[] = {
		TEST(few_are_open_and_all_can_be_had),
		TEST(pinned_ones_stay_open_beyond_the_limit),
		TEST(replaced_folders_are_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
