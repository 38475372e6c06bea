/* SPDX-License-Identifier: Apache-2.0 */

/* Walks over the folder store: what is not an object is passed over, what cannot be seen is an
 * error of the whole listing, only the folders asked for are read, and only old leftovers are
 * removed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "fault/inject.c"
#include "store/dir_internal.h"
#include "store/sandbox.h"

#define CHECK(call, expected) sandbox_check(b, call, expected, #call)

static void
foreign_entries_are_passed_over(void **state)
{
	struct sandbox *b = *state;
	static const char *const files[] = {
		"lost+found/file",      ".nfs0001",           "README.md",
		"packs/.nfs0002",       "packs/ab/.x",        "packs/ab/UPPER",
		"tmp/0123456789abcdef", "packs/ab/deep/file", "packs/a b/1",
		"packs/\xc3\xa4/1",
	};

	sandbox_put(b, "packs/ab/1", "x");
	sandbox_put(b, "holdfast.json", "x");
	sandbox_mkdir(b, "lost+found");
	sandbox_mkdir(b, "packs/ab/deep");
	sandbox_mkdir(b, "packs/a b");
	sandbox_mkdir(b, "packs/\xc3\xa4");
	sandbox_mkdir(b, "empty/empty");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		sandbox_write_file(b, files[i], "x");
	/* Nobody looks into these, so that they may be anything. */
	assert_int_equal(symlinkat("/nowhere", b->fd, ".link"), 0);
	assert_int_equal(sandbox_count(b, ""), 2);
	assert_int_equal(sandbox_count(b, "packs/"), 1);
	assert_int_equal(sandbox_count(b, "packs/ab/"), 1);
	assert_int_equal(sandbox_count(b, "empty/"), 0);
	assert_int_equal(sandbox_count(b, "empty/empty/"), 0);
}

/* A folder of the longest name cannot hold an object, but must not harm the listing either. */
static void
folders_too_deep_for_names(void **state)
{
	struct sandbox *b = *state;
	char name[STORE_NAME_MAX + 1];

	for (size_t len = STORE_NAME_MAX - 2; len <= STORE_NAME_MAX; len++) {
		memset(name, 'f', len);
		name[len] = '\0';
		sandbox_mkdir(b, name);
	}
	name[STORE_NAME_MAX - 2] = '/';
	name[STORE_NAME_MAX - 1] = 'o';
	sandbox_put(b, name, "x");
	assert_int_equal(sandbox_count(b, ""), 1);
}

/* Something with an object's name that is no object may hide objects: packs/ moved elsewhere and
 * replaced by a link, for one. */
static void
odd_entries_are_errors(void **state)
{
	struct sandbox *b = *state;

	sandbox_put(b, "packs/ab/1", "x");
	assert_int_equal(symlinkat("/tmp", b->fd, "points"), 0);
	assert_int_equal(sandbox_count(b, ""), ERR_STORE_READ);
	assert_non_null(strstr(b->err.msg, "points"));
	assert_int_equal(sandbox_count(b, "points/"), ERR_STORE_READ);
	assert_int_equal(sandbox_count(b, "packs/"), 1);
	assert_int_equal(mkfifoat(b->fd, "packs/ab/2", 0600), 0);
	assert_int_equal(sandbox_count(b, "packs/"), ERR_STORE_READ);
}

/* Every call of a listing fails in turn: never a short list. What is said to be gone is gone,
 * though, if it is said of one entry. */
static void
every_failure_is_an_error(void **state)
{
	struct sandbox *b = *state;
	static const char *const names[] = {"openat", "fdopendir", "readdir", "fstatat", "fstat"};
	static const int why[] = {EIO, EACCES, ENOMEM, ESTALE, ENOTDIR};

	sandbox_put(b, "packs/ab/1", "x");
	sandbox_put(b, "packs/cd/2", "x");
	sandbox_put(b, "points/3", "x");
	sandbox_put(b, "holdfast.json", "x");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(why); k++) {
			for (uint64_t n = 1;; n++) {
				struct inject_order o = {.call = names[i], .at = n, .sys = why[k]};
				int fds = sandbox_open_fds();
				inject_arm(&o);
				int rc = sandbox_count(b, "");
				uint64_t did_fire = inject_fired();
				inject_arm(NULL);
				assert_int_equal(sandbox_open_fds(), fds);
				assert_int_equal(rc, did_fire > 0 ? ERR_STORE_READ : 4);
				if (did_fire == 0) {
					assert_true(n > 1);
					break;
				}
			}
		}
	}
}

static void
vanishing_entries_are_no_error(void **state)
{
	struct sandbox *b = *state;

	sandbox_put(b, "packs/ab/1", "x");
	sandbox_put(b, "packs/ab/2", "x");
	for (uint64_t n = 1; n <= 4; n++) {
		inject_arm(&(struct inject_order){.call = "fstatat", .at = n, .sys = ENOENT});
		int rc = sandbox_count(b, "packs/");
		inject_arm(NULL);
		assert_int_equal(rc, n == 1 ? 0 : n <= 3 ? 1 : 2);
	}
}

/* Reading folders ---------------------------------------------------------------------------- */

static char opened[512];

static void
watch_folders(void *arg, const char *name, int fd, const char *path, long result)
{
	size_t len = strlen(opened);

	(void)arg;
	(void)fd;
	if (result >= 0 && strcmp(name, "openat") == 0)
		(void)snprintf(opened + len, sizeof(opened) - len, "%s;", path);
}

static const char *
folders_read(struct sandbox *b, const char *prefix)
{
	opened[0] = '\0';
	inject_trace(watch_folders, NULL);
	int rc = sandbox_count(b, prefix);
	inject_trace(NULL, NULL);
	assert_true(rc >= 0);
	return opened;
}

static void
only_the_folders_needed(void **state)
{
	struct sandbox *b = *state;

	sandbox_put(b, "packs/ab/1", "x");
	sandbox_put(b, "points/1", "x");
	sandbox_put(b, "index/1", "x");
	sandbox_mkdir(b, "packs/ab/deep"); /* too deep for any name */
	assert_string_equal(folders_read(b, "packs/ab/"), "packs/ab;");
	assert_string_equal(folders_read(b, "packs/"), "packs;packs/ab;");
	assert_string_equal(folders_read(b, "points/"), "points;");
	assert_string_equal(folders_read(b, "keys/"), "");
}

/* Tidying ------------------------------------------------------------------------------------ */

static void
set_age(struct sandbox *b, const char *name, int64_t age_s)
{
	struct timespec at = {.tv_sec = (time_t)((int64_t)(clock_wall_ns() / NS_PER_S) - age_s)};
	struct timespec times[2] = {at, at};

	assert_int_equal(utimensat(b->fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static bool
is_there(struct sandbox *b, const char *name)
{
	return faccessat(b->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
tidy_by_age(void **state)
{
	struct sandbox *b = *state;

	CHECK(store_tidy(b->s, 0, &b->err), OK); /* no tmp/ at all */
	assert_false(is_there(b, "tmp"));
	sandbox_put(b, "points/a", "x");
	set_age(b, "points/a", 100000);
	sandbox_write_file(b, "tmp/old", "x");
	set_age(b, "tmp/old", 4000);
	sandbox_write_file(b, "tmp/young", "x");
	set_age(b, "tmp/young", 3000);
	sandbox_write_file(b, "tmp/future", "x");
	set_age(b, "tmp/future", -100000);
	sandbox_write_file(b, "tmp/ancient", "x");
	set_age(b, "tmp/ancient", INT64_C(100) * 365 * 86400);
	sandbox_mkdir(b, "tmp/folder");
	set_age(b, "tmp/folder", 100000);
	CHECK(store_tidy(b->s, 3600, &b->err), OK);
	assert_false(is_there(b, "tmp/old"));
	assert_true(is_there(b, "tmp/young"));
	assert_true(is_there(b, "tmp/future"));
	assert_true(is_there(b, "tmp/folder"));
	assert_true(is_there(b, "points/a"));
	CHECK(store_tidy(b->s, UINT64_MAX, &b->err), OK);
	assert_true(is_there(b, "tmp/young"));
	CHECK(store_tidy(b->s, 0, &b->err), OK);
	assert_false(is_there(b, "tmp/young"));
	assert_true(is_there(b, "tmp/future"));
}

/* An upload that is being written is young, however long it has been going on. */
static void
tidy_keeps_running_uploads(void **state)
{
	struct sandbox *b = *state;
	struct store_upload *u = NULL;

	atomic_store(&CONTAINER_OF(b->s, struct dir, base)->publish, DIR_PUBLISH_RENAME);
	CHECK(store_begin(b->s, "points/a", &u, &b->err), OK);
	CHECK(store_write(u, "x", 1, &b->err), OK);
	assert_int_equal(sandbox_entries(b, "tmp"), 1);
	CHECK(store_tidy(b->s, 60, &b->err), OK);
	assert_int_equal(sandbox_entries(b, "tmp"), 1);
	CHECK(store_commit(u, &b->err), OK);
	assert_int_equal(sandbox_entries(b, "tmp"), 0);
	sandbox_expect(b, "points/a", "x");
}

static void
tidy_fails_honestly(void **state)
{
	struct sandbox *b = *state;
	static const struct {
		const char *name;
		int code;
	} steps[] = {
		{"openat", ERR_STORE_READ},    {"fdopendir", ERR_STORE_READ},
		{"readdir", ERR_STORE_READ},   {"fstatat", ERR_STORE_READ},
		{"unlinkat", ERR_STORE_WRITE},
	};

	sandbox_mkdir(b, "tmp");
	sandbox_write_file(b, "tmp/a", "x");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		inject_arm(&(struct inject_order){.call = steps[i].name, .at = 1, .sys = EIO});
		CHECK(store_tidy(b->s, 0, &b->err), steps[i].code);
	}
	/* Another tidy was quicker. */
	inject_arm(&(struct inject_order){.call = "unlinkat", .at = 1, .sys = ENOENT});
	CHECK(store_tidy(b->s, 0, &b->err), OK);
	inject_arm(NULL);
	CHECK(store_tidy(b->s, 0, &b->err), OK);
	assert_int_equal(sandbox_entries(b, "tmp"), 0);
}

#define IN_SANDBOX(test) cmocka_unit_test_setup_teardown(test, sandbox_setup, sandbox_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SANDBOX(foreign_entries_are_passed_over),
		IN_SANDBOX(folders_too_deep_for_names),
		IN_SANDBOX(odd_entries_are_errors),
		IN_SANDBOX(every_failure_is_an_error),
		IN_SANDBOX(vanishing_entries_are_no_error),
		IN_SANDBOX(only_the_folders_needed),
		IN_SANDBOX(tidy_by_age),
		IN_SANDBOX(tidy_keeps_running_uploads),
		IN_SANDBOX(tidy_fails_honestly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
