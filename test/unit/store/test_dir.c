/* SPDX-License-Identifier: Apache-2.0 */

/* The folder store: opening and creating, what lies in the folder beside objects, what other
 * processes do to it meanwhile, and that "not there" is only said when it is true. */
#include "store/dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "fault/inject.c"
#include "store/sandbox.h"

#define CHECK(call, expected) sandbox_check(b, call, expected, #call)

static unsigned
mode_of(struct sandbox *b, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(b->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

/* Opening ------------------------------------------------------------------------------------ */

static void
open_what_is_not_there(void **state)
{
	struct sandbox *b = *state;
	struct store *s = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/none", b->base);
	CHECK(store_dir_open(path, false, &s, &b->err), ERR_NO_REPOSITORY);
	assert_non_null(strstr(b->err.hint, "holdfast init"));
	assert_non_null(strstr(b->err.msg, path));
	sandbox_write_file(b, "file", "");
	(void)snprintf(path, sizeof(path), "%s/file", b->path);
	CHECK(store_dir_open(path, false, &s, &b->err), ERR_NO_REPOSITORY);
	CHECK(store_dir_open(path, true, &s, &b->err), ERR_EXISTS);
	(void)snprintf(path, sizeof(path), "%s/file/below", b->path);
	CHECK(store_dir_open(path, false, &s, &b->err), ERR_NO_REPOSITORY);
	CHECK(store_dir_open(path, true, &s, &b->err), ERR_STORE_WRITE);
	CHECK(store_dir_open("", false, &s, &b->err), ERR_NO_REPOSITORY);
	assert_null(s);
}

static void
create_folders(void **state)
{
	struct sandbox *b = *state;
	struct store *s = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/new/deep//repo//", b->path);
	CHECK(store_dir_open(path, true, &s, &b->err), OK);
	store_close(s);
	assert_int_equal(mode_of(b, "new/deep/repo"), 0700);
	CHECK(store_dir_open(path, false, &s, &b->err), OK);
	store_close(s);
	/* An empty one that exists is as good. */
	CHECK(store_dir_open(path, true, &s, &b->err), OK);
	store_close(s);
}

struct made {
	unsigned folders;
	unsigned synced; /* of those that hold a folder just made */
	ino_t parent;
};

static void
watch_making(void *arg, const char *name, int fd, const char *path, long result)
{
	struct made *made = arg;
	struct stat st;
	char parent[256];

	if (result == 0 && strcmp(name, "mkdir") == 0) {
		(void)snprintf(parent, sizeof(parent), "%s/..", path);
		made->parent = stat(parent, &st) == 0 ? st.st_ino : 0;
		made->folders++;
	} else if (result == 0 && strcmp(name, "fsync") == 0 && fstat(fd, &st) == 0) {
		made->synced += st.st_ino == made->parent;
	}
}

/* Each folder that was missing is durable before the next is made in it. */
static void
created_folders_are_durable(void **state)
{
	struct sandbox *b = *state;
	struct made made = {0};
	struct store *s = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/new/deep/repo", b->path);
	inject_trace(watch_making, &made);
	CHECK(store_dir_open(path, true, &s, &b->err), OK);
	inject_trace(NULL, NULL);
	store_close(s);
	assert_int_equal(made.folders, 3);
	assert_int_equal(made.synced, 3);
}

static void
create_wants_an_empty_folder(void **state)
{
	struct sandbox *b = *state;
	struct store *s = NULL;

	sandbox_mkdir(b, "lost+found");
	CHECK(store_dir_open(b->path, true, &s, &b->err), OK);
	store_close(s);
	s = NULL;
	/* What an init that failed left behind, if there is nothing in it. */
	sandbox_mkdir(b, "tmp");
	sandbox_mkdir(b, "keys");
	CHECK(store_dir_open(b->path, true, &s, &b->err), OK);
	store_close(s);
	s = NULL;
	sandbox_write_file(b, "keys/a", "");
	CHECK(store_dir_open(b->path, true, &s, &b->err), ERR_EXISTS);
	CHECK(store_remove(b->s, "keys/a", &b->err), 1);
	CHECK(store_dir_open(b->path, true, &s, &b->err), OK);
	store_close(s);
	s = NULL;
	sandbox_write_file(b, ".hidden", "");
	CHECK(store_dir_open(b->path, true, &s, &b->err), ERR_EXISTS);
	assert_non_null(strstr(b->err.hint, "empty"));
	CHECK(store_dir_open("/", true, &s, &b->err), ERR_EXISTS);
	assert_null(s);
}

/* Each call of opening fails once: an error, nothing left open, and then it works. */
static void
open_fails_cleanly(void **state)
{
	struct sandbox *b = *state;
	static const char *const calls[] = {"mkdir", "open",    "openat",   "fsync",
					    "fstat", "readdir", "fdopendir"};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (uint64_t n = 1;; n++) {
			struct store *s = NULL;
			int fds = sandbox_open_fds();
			(void)snprintf(path, sizeof(path), "%s/%s%d/repo", b->base, calls[i],
				       (int)n);
			inject_arm(
				&(struct inject_order){.call = calls[i], .at = n, .sys = EACCES});
			int rc = store_dir_open(path, true, &s, &b->err);
			bool done = inject_fired() == 0;
			inject_arm(NULL);
			if (done) {
				CHECK(rc, OK);
				store_close(s);
				assert_true(n > 1);
				break;
			}
			assert_null(s);
			assert_int_equal(sandbox_open_fds(), fds);
			if (rc != ERR_PERMISSION && rc != ERR_STORE_READ)
				fail_msg("%s %d: %d %s", calls[i], (int)n, rc, b->err.msg);
			assert_non_null(strstr(b->err.hint, "permissions"));
		}
	}
}

static void
read_only_says_so(void **state)
{
	struct sandbox *b = *state;
	char path[128];
	struct store *s = NULL;

	(void)snprintf(path, sizeof(path), "%s/new", b->base);
	inject_arm(&(struct inject_order){.call = "mkdir", .at = 1, .sys = EROFS});
	CHECK(store_dir_open(path, true, &s, &b->err), ERR_PERMISSION);
	assert_non_null(strstr(b->err.hint, "read-only"));
	inject_arm(&(struct inject_order){.call = "mkdir", .at = 1, .sys = ENOSPC});
	CHECK(store_dir_open(path, true, &s, &b->err), ERR_STORE_FULL);
	inject_arm(NULL);
	/* A store that cannot be written to can be read. */
	sandbox_put(b, "points/a", "x");
	inject_arm(
		&(struct inject_order){.call = "mkdirat", .at = 1, .sys = EROFS, .persist = true});
	CHECK(store_put(b->s, "points/b", SLICE("x", 1), &b->err), ERR_PERMISSION);
	assert_non_null(strstr(b->err.hint, "read-only"));
	sandbox_expect(b, "points/a", "x");
	assert_int_equal(sandbox_count(b, ""), 1);
	inject_arm(NULL);
}

/* The folder --------------------------------------------------------------------------------- */

static void
private_modes(void **state)
{
	struct sandbox *b = *state;

	sandbox_put(b, "packs/ab/1", "x");
	assert_int_equal(mode_of(b, "packs"), 0700);
	assert_int_equal(mode_of(b, "packs/ab"), 0700);
	assert_int_equal(mode_of(b, "packs/ab/1"), 0600);
	assert_int_equal(mode_of(b, "tmp"), 0700);
}

/* The folder is held by descriptor: where its name leads does not matter any more. */
static void
renamed_folder(void **state)
{
	struct sandbox *b = *state;
	char other[128];

	sandbox_put(b, "points/a", "one");
	(void)snprintf(other, sizeof(other), "%s/other", b->base);
	assert_int_equal(rename(b->path, other), 0);
	assert_int_equal(mkdir(b->path, 0700), 0);
	sandbox_put(b, "points/b", "two");
	sandbox_expect(b, "points/a", "one");
	assert_int_equal(sandbox_count(b, ""), 2);
	assert_int_equal(sandbox_entries(b, "points"), 2);
}

static void
removed_folder_is_not_an_empty_one(void **state)
{
	struct sandbox *b = *state;
	char byte;

	sandbox_put(b, "points/a", "one");
	CHECK(fs_remove_tree(AT_FDCWD, b->path, &b->err), OK);
	CHECK(store_stat(b->s, "points/a", NULL, &b->err), ERR_STORE_READ);
	CHECK(store_read(b->s, "points/a", 0, &byte, 1, &b->err), ERR_STORE_READ);
	assert_int_equal(sandbox_count(b, ""), ERR_STORE_READ);
	assert_int_equal(sandbox_count(b, "points/"), ERR_STORE_READ);
	CHECK(store_remove(b->s, "points/a", &b->err), ERR_STORE_READ);
	CHECK(store_tidy(b->s, 0, &b->err), ERR_STORE_READ);
	assert_non_null(strstr(b->err.msg, "removed"));
	assert_true(store_put(b->s, "points/b", SLICE("x", 1), &b->err) < 0);
}

/* What has an object's name but is not a file is neither that object nor absent. */
static void
not_a_file(void **state)
{
	struct sandbox *b = *state;
	static const char *const names[] = {"keys/folder", "keys/fifo", "keys/link",
					    "keys/dangling"};
	char byte;

	sandbox_mkdir(b, "keys/folder");
	assert_int_equal(mkfifoat(b->fd, "keys/fifo", 0600), 0);
	sandbox_write_file(b, "keys/file", "x");
	assert_int_equal(symlinkat("file", b->fd, "keys/link"), 0);
	assert_int_equal(symlinkat("nowhere", b->fd, "keys/dangling"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK(store_stat(b->s, names[i], NULL, &b->err), ERR_STORE_READ);
		CHECK(store_read(b->s, names[i], 0, &byte, 1, &b->err), ERR_STORE_READ);
		int rc = store_put(b->s, names[i], SLICE("x", 1), &b->err);
		assert_int_equal(rc, ERR_EXISTS);
	}
	/* A file where a folder should be. */
	CHECK(store_stat(b->s, "keys/file/x", NULL, &b->err), ERR_STORE_READ);
	CHECK(store_read(b->s, "keys/file/x", 0, &byte, 1, &b->err), ERR_STORE_READ);
	CHECK(store_put(b->s, "keys/file/x", SLICE("x", 1), &b->err), ERR_STORE_WRITE);
	assert_int_equal(sandbox_count(b, "keys/file/"), ERR_STORE_READ);
}

/* Reading ------------------------------------------------------------------------------------ */

/* An object that is read often stays open, but what others do to it is seen at once. */
static void
others_change_what_is_cached(void **state)
{
	struct sandbox *b = *state;
	char byte = 0;

	sandbox_put(b, "points/a", "abc");
	sandbox_expect(b, "points/a", "abc");
	assert_int_equal(unlinkat(b->fd, "points/a", 0), 0);
	CHECK(store_read(b->s, "points/a", 0, &byte, 1, &b->err), ERR_NOT_FOUND);
	sandbox_write_file(b, "points/a", "other");
	sandbox_expect(b, "points/a", "other");
	assert_int_equal(unlinkat(b->fd, "points/a", 0), 0);
	sandbox_write_file(b, "points/a", "third one");
	sandbox_expect(b, "points/a", "third one");
	/* Cut short in place. */
	sandbox_write_file(b, "points/a", "th");
	CHECK(store_read(b->s, "points/a", 2, &byte, 1, &b->err), ERR_CORRUPT);
	assert_non_null(strstr(b->err.msg, "points/a"));
}

static void
cut_after_look(void *arg, const char *name, int fd, const char *path, long result)
{
	struct sandbox *b = arg;

	(void)fd;
	(void)path;
	(void)result;
	if (strcmp(name, "fstat") == 0)
		sandbox_write_file(b, "points/a", "ab");
}

/* Between the look at the size and the read. */
static void
cut_while_being_read(void **state)
{
	struct sandbox *b = *state;
	char text[4];

	sandbox_put(b, "points/a", "abcd");
	inject_trace(cut_after_look, b);
	CHECK(store_read(b->s, "points/a", 0, text, 4, &b->err), ERR_CORRUPT);
	inject_trace(NULL, NULL);
}

/* Removing through the store gives the space back at once. */
static void
removed_is_closed(void **state)
{
	struct sandbox *b = *state;
	int fds = sandbox_open_fds();

	sandbox_put(b, "points/a", "abc");
	sandbox_expect(b, "points/a", "abc");
	assert_int_equal(sandbox_open_fds(), fds + 1);
	CHECK(store_remove(b->s, "points/a", &b->err), 1);
	assert_int_equal(sandbox_open_fds(), fds);
}

static void
open_files_are_bounded(void **state)
{
	struct sandbox *b = *state;
	int fds = sandbox_open_fds();
	char name[32], text[32];

	sandbox_mkdir(b, "packs/00");
	for (int i = 0; i < 60; i++) {
		(void)snprintf(name, sizeof(name), "packs/00/%d", i);
		(void)snprintf(text, sizeof(text), "content of %d", i);
		sandbox_write_file(b, name, text);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 60; i++) {
			(void)snprintf(name, sizeof(name), "packs/00/%d", i);
			(void)snprintf(text, sizeof(text), "content of %d", i);
			sandbox_expect(b, name, text);
		}
	}
	assert_int_equal(sandbox_open_fds(), fds + 32);
	store_close(b->s);
	b->s = NULL;
	assert_int_equal(sandbox_open_fds(), fds - 1);
}

/* Each call of reading fails: an error that is not "not found", and no descriptor is lost. */
static void
reading_fails_honestly(void **state)
{
	struct sandbox *b = *state;
	static const char *const calls[] = {"openat", "fstat", "pread"};
	static const int why[] = {EIO, EACCES, ENOMEM, ESTALE};
	char text[4];

	sandbox_put(b, "points/a", "abcd");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(why); k++) {
			int fds = sandbox_open_fds();
			struct inject_order o = {
				.call = calls[i], .at = 1, .sys = why[k], .persist = true};
			inject_arm(&o);
			CHECK(store_read(b->s, "points/a", 0, text, 4, &b->err), ERR_STORE_READ);
			inject_arm(NULL);
			assert_true(sandbox_open_fds() <= fds + 1);
			sandbox_expect(b, "points/a", "abcd");
			CHECK(store_remove(b->s, "points/a", &b->err), 1); /* empties the cache */
			sandbox_put(b, "points/a", "abcd");
		}
	}
	inject_arm(&(struct inject_order){.call = "fstatat", .at = 1, .sys = EIO});
	CHECK(store_stat(b->s, "points/a", NULL, &b->err), ERR_STORE_READ);
	/* Interrupted and half done: carried on with. */
	inject_arm(&(struct inject_order){.call = "pread", .at = 1, .sys = EINTR});
	sandbox_expect(b, "points/a", "abcd");
	inject_arm(&(struct inject_order){
		.call = "pread", .at = 1, .persist = true, .how = INJECT_SHORT});
	sandbox_expect(b, "points/a", "abcd");
	inject_arm(NULL);
}

/* A cached descriptor that cannot be asked any more is given up for a new one. */
static void
stale_descriptor_is_replaced(void **state)
{
	struct sandbox *b = *state;

	sandbox_put(b, "points/a", "abcd");
	sandbox_expect(b, "points/a", "abcd");
	int fds = sandbox_open_fds();
	inject_arm(&(struct inject_order){.call = "fstat", .at = 1, .sys = ESTALE});
	sandbox_expect(b, "points/a", "abcd");
	assert_int_equal(inject_fired(), 1);
	inject_arm(NULL);
	assert_int_equal(sandbox_open_fds(), fds);
}

/* Removing ----------------------------------------------------------------------------------- */

struct sync_seen {
	ino_t folder;
	int unlinked_at;
	int synced_at;
	int turn;
};

static void
watch_sync(void *arg, const char *name, int fd, const char *path, long result)
{
	struct sync_seen *seen = arg;
	struct stat st;

	(void)path;
	seen->turn++;
	if (result == 0 && strcmp(name, "unlinkat") == 0)
		seen->unlinked_at = seen->turn;
	if (result == 0 && strcmp(name, "fsync") == 0 && fstat(fd, &st) == 0 &&
	    st.st_ino == seen->folder)
		seen->synced_at = seen->turn;
}

static void
removing_is_durable(void **state)
{
	struct sandbox *b = *state;
	struct sync_seen seen = {0};
	struct stat st;

	sandbox_put(b, "packs/ab/1", "x");
	assert_int_equal(fstatat(b->fd, "packs/ab", &st, 0), 0);
	seen.folder = st.st_ino;
	inject_trace(watch_sync, &seen);
	CHECK(store_remove(b->s, "packs/ab/1", &b->err), 1);
	inject_trace(NULL, NULL);
	assert_true(seen.unlinked_at > 0);
	assert_true(seen.synced_at > seen.unlinked_at);
}

static void
removing_fails_honestly(void **state)
{
	struct sandbox *b = *state;

	sandbox_put(b, "points/a", "x");
	inject_arm(&(struct inject_order){.call = "unlinkat", .at = 1, .sys = EPERM});
	CHECK(store_remove(b->s, "points/a", &b->err), ERR_PERMISSION);
	sandbox_expect(b, "points/a", "x");
	inject_arm(&(struct inject_order){.call = "fsync", .at = 1, .sys = EIO});
	CHECK(store_remove(b->s, "points/a", &b->err), ERR_STORE_WRITE);
	assert_non_null(strstr(b->err.msg, "not known"));
	inject_arm(NULL);
	CHECK(store_remove(b->s, "points/a", &b->err), 0);
	sandbox_mkdir(b, "points/folder");
	CHECK(store_remove(b->s, "points/folder", &b->err), ERR_STORE_WRITE);
}

#define IN_SANDBOX(test) cmocka_unit_test_setup_teardown(test, sandbox_setup, sandbox_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SANDBOX(open_what_is_not_there),
		IN_SANDBOX(create_folders),
		IN_SANDBOX(created_folders_are_durable),
		IN_SANDBOX(create_wants_an_empty_folder),
		IN_SANDBOX(open_fails_cleanly),
		IN_SANDBOX(read_only_says_so),
		IN_SANDBOX(private_modes),
		IN_SANDBOX(renamed_folder),
		IN_SANDBOX(removed_folder_is_not_an_empty_one),
		IN_SANDBOX(not_a_file),
		IN_SANDBOX(others_change_what_is_cached),
		IN_SANDBOX(cut_while_being_read),
		IN_SANDBOX(removed_is_closed),
		IN_SANDBOX(open_files_are_bounded),
		IN_SANDBOX(reading_fails_honestly),
		IN_SANDBOX(stale_descriptor_is_replaced),
		IN_SANDBOX(removing_is_durable),
		IN_SANDBOX(removing_fails_honestly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
