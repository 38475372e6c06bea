/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Uploads into a folder: the order in which things become durable, that every system call may fail
 * (or the process die at it) without a wrong or half object ever being seen, and what the page
 * cache is told. Everything runs for each way of publishing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "fault/inject.c"
#include "store/dir.h"
#include "store/dir_internal.h"
#include "store/sandbox.h"

#define CHECK(call, expected) sandbox_check(b, call, expected, #call)

static const enum dir_publish ways[] = {DIR_PUBLISH_UNKNOWN, DIR_PUBLISH_RENAME, DIR_PUBLISH_LINK};

static void
set_way(struct store *s, enum dir_publish way)
{
	atomic_store(&CONTAINER_OF(s, struct dir, base)->publish, way);
}

/* Order -------------------------------------------------------------------------------------- */

/* One letter for each step that matters, in the order they happen: W write, S fsync of the object's
 * file, P it gets its name, F fsync of its folder, p of packs/, r of the repository's own folder, ?
 * of anything else; m a folder is made. */
static char steps[64];
static ino_t file_ino, folder_ino, packs_ino, root_ino;

static void
step(char letter)
{
	size_t n = strlen(steps);

	/* Writes in a row are one. */
	if (n + 1 < sizeof(steps) && (n == 0 || letter != 'W' || steps[n - 1] != 'W')) {
		steps[n] = letter;
		steps[n + 1] = '\0';
	}
}

static ino_t
ino_of(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0 ? st.st_ino : 0;
}

static void
watch(void *arg, const char *name, int fd, const char *path, long result)
{
	struct sandbox *b = arg;

	if (result < 0)
		return;
	if (strcmp(name, "write") == 0) {
		file_ino = ino_of(fd, "");
		step('W');
	} else if (strcmp(name, "linkat") == 0 || strcmp(name, "renameat2") == 0) {
		step('P');
	} else if (strcmp(name, "mkdirat") == 0) {
		if (strcmp(path, DIR_TEMP) != 0)
			step('m');
	} else if (strcmp(name, "fsync") == 0) {
		ino_t ino = ino_of(fd, "");
		folder_ino = ino_of(b->fd, "packs/ab");
		packs_ino = ino_of(b->fd, "packs");
		root_ino = ino_of(b->fd, "");
		step(ino == file_ino     ? 'S'
		     : ino == folder_ino ? 'F'
		     : ino == packs_ino  ? 'p'
		     : ino == root_ino   ? 'r'
					 : '?');
	}
}

static const char *
steps_of_put(struct sandbox *b, struct store *s, const char *name, int expected)
{
	steps[0] = '\0';
	inject_trace(watch, b);
	int rc = store_put(s, name, SLICE("content", 7), &b->err);
	inject_trace(NULL, NULL);
	sandbox_check(b, rc, expected, name);
	return steps;
}

static void
durable_then_visible_then_durable(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct sandbox *b = sandbox_new();
		struct store *other = NULL;
		set_way(b->s, ways[i]);
		assert_string_equal(steps_of_put(b, b->s, "packs/ab/1", OK), "mmWSPFpr");
		/* The folders are known to be durable now. */
		assert_string_equal(steps_of_put(b, b->s, "packs/ab/2", OK), "WSPF");
		assert_string_equal(steps_of_put(b, b->s, "packs/cd/1", OK), "mWSP?p");
		assert_string_equal(steps_of_put(b, b->s, "top", OK), "WSPr");
		/* Another process cannot know whether who made a folder has synced it already. */
		CHECK(store_dir_open(b->path, false, &other, &b->err), OK);
		set_way(other, ways[i]);
		assert_string_equal(steps_of_put(b, other, "packs/ab/3", OK), "WSPFpr");
		assert_string_equal(steps_of_put(b, other, "packs/ab/4", OK), "WSPF");
		/* ERR_EXISTS as well is only said when it is durable. */
		assert_string_equal(steps_of_put(b, other, "packs/ab/4", ERR_EXISTS), "WSF");
		store_close(other);
		sandbox_free(b);
	}
}

/* Folders whose sync failed are not taken for durable next time. */
static void
failed_folder_sync_is_not_forgotten(void **state)
{
	struct sandbox *b = *state;

	for (uint64_t n = 2; n <= 4; n++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "packs/ab/%d", (int)n);
		inject_arm(&(struct inject_order){.call = "fsync", .at = n, .sys = EIO});
		CHECK(store_put(b->s, name, SLICE("x", 1), &b->err), ERR_STORE_WRITE);
		assert_non_null(strstr(b->err.msg, "not known"));
		inject_arm(NULL);
	}
	assert_string_equal(steps_of_put(b, b->s, "packs/ab/9", OK), "WSPFpr");
}

/* After a failed fsync the kernel may have dropped the pages: asked again, it would say "fine". */
static void
failed_fsync_is_not_repeated(void **state)
{
	struct sandbox *b = *state;

	inject_arm(&(struct inject_order){.call = "fsync", .at = 1, .sys = EIO});
	CHECK(store_put(b->s, "packs/ab/1", SLICE("x", 1), &b->err), ERR_STORE_WRITE);
	assert_int_equal(inject_calls(), 1);
	inject_arm(NULL);
	CHECK(store_stat(b->s, "packs/ab/1", NULL, &b->err), 0);
}

/* Ways of publishing ------------------------------------------------------------------------- */

/* Each method gives way to the next where a file system does not know it. */
static void
falls_back(void **state)
{
	struct sandbox *b = *state;
	struct dir *d = CONTAINER_OF(b->s, struct dir, base);
	static const int unknown[] = {EOPNOTSUPP, EISDIR, EINVAL, ENOSYS};

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "points/%zu", i);
		set_way(b->s, DIR_PUBLISH_UNKNOWN);
		inject_arm(&(struct inject_order){.call = "openat", .at = 1, .sys = unknown[i]});
		sandbox_put(b, name, "x");
		inject_arm(NULL);
		assert_int_equal(atomic_load(&d->publish), DIR_PUBLISH_RENAME);
		sandbox_expect(b, name, "x");
	}
	inject_arm(&(struct inject_order){.call = "renameat2", .at = 1, .sys = EINVAL});
	sandbox_put(b, "points/link", "y");
	inject_arm(NULL);
	assert_int_equal(atomic_load(&d->publish), DIR_PUBLISH_LINK);
	sandbox_expect(b, "points/link", "y");
	assert_int_equal(sandbox_entries(b, "tmp"), 0);
	/* No other error makes it try another way. */
	set_way(b->s, DIR_PUBLISH_UNKNOWN);
	inject_arm(&(struct inject_order){.call = "openat", .at = 1, .sys = ENOSPC});
	CHECK(store_put(b->s, "points/a", SLICE("x", 1), &b->err), ERR_STORE_FULL);
	inject_arm(NULL);
	assert_int_equal(atomic_load(&d->publish), DIR_PUBLISH_UNKNOWN);
}

/* A lost reply: the server has done it, was asked again, and objects to its own work. */
static void
lost_reply_of_publishing(void **state)
{
	struct sandbox *b = *state;
	static const int why[] = {EEXIST, EIO, ETIMEDOUT, EINVAL, ENOENT};
	static const char *const calls[] = {"linkat", "renameat2", "linkat"};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(why); k++) {
			char name[32];
			struct inject_order o = {
				.call = calls[i], .at = 1, .sys = why[k], .late = true};
			(void)snprintf(name, sizeof(name), "points/%zu-%zu", i, k);
			set_way(b->s, ways[i]);
			inject_arm(&o);
			CHECK(store_put(b->s, name, SLICE("mine", 4), &b->err), OK);
			assert_int_equal(inject_fired(), 1);
			inject_arm(NULL);
			sandbox_expect(b, name, "mine");
			assert_int_equal(sandbox_entries(b, "tmp"), 0);
		}
	}
}

/* When it cannot be found out either whether the name is ours, the error says that. */
static void
then_look_fails(void *arg, const char *name, int fd, const char *path, long result)
{
	(void)arg;
	(void)fd;
	(void)path;
	(void)result;
	if (strcmp(name, "renameat2") == 0)
		inject_arm(&(struct inject_order){.call = "fstatat", .at = 1, .sys = EIO});
}

static void
unknown_outcome_is_said(void **state)
{
	struct sandbox *b = *state;

	set_way(b->s, DIR_PUBLISH_RENAME);
	inject_trace(then_look_fails, NULL);
	inject_arm(&(struct inject_order){.call = "renameat2", .at = 1, .sys = EIO, .late = true});
	CHECK(store_put(b->s, "points/a", SLICE("mine", 4), &b->err), ERR_STORE_WRITE);
	inject_trace(NULL, NULL);
	assert_int_equal(inject_fired(), 1);
	inject_arm(NULL);
	assert_non_null(strstr(b->err.msg, "not known"));
	sandbox_expect(b, "points/a", "mine");
}

/* What a server could not write, it may say only when the file is closed. */
static void
error_of_close_is_one_of_the_object(void **state)
{
	struct sandbox *b = *state;

	set_way(b->s, DIR_PUBLISH_RENAME);
	inject_arm(&(struct inject_order){.call = "close", .at = 1, .sys = EDQUOT});
	CHECK(store_put(b->s, "points/a", SLICE("x", 1), &b->err), ERR_STORE_FULL);
	inject_arm(NULL);
	CHECK(store_stat(b->s, "points/a", NULL, &b->err), 0);
	assert_int_equal(sandbox_entries(b, "tmp"), 0);
}

/* tmp/ may be taken for rubbish by whoever looks at the folder. */
static void
temp_folder_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct sandbox *b = sandbox_new();
		set_way(b->s, ways[i]);
		sandbox_put(b, "points/a", "x");
		assert_int_equal(unlinkat(b->fd, "tmp", AT_REMOVEDIR), 0);
		sandbox_put(b, "points/b", "x");
		sandbox_free(b);
	}
}

/* The page cache ----------------------------------------------------------------------------- */

static unsigned started, dropped, dropped_dirty;
static bool synced;

static void
watch_cache(void *arg, const char *name, int fd, const char *path, long result)
{
	(void)arg;
	(void)fd;
	(void)path;
	(void)result;
	started += strcmp(name, "sync_file_range") == 0;
	synced |= strcmp(name, "fsync") == 0;
	dropped += strcmp(name, "posix_fadvise") == 0;
	dropped_dirty += strcmp(name, "posix_fadvise") == 0 && !synced;
}

static void
write_back_starts_early(void **state)
{
	struct sandbox *b = *state;
	enum { SIZE = 9 * 1024 * 1024 };
	CLEAN(free_ptr) uint8_t *data = calloc(1, SIZE);

	assert_non_null(data);
	inject_trace(watch_cache, NULL);
	CHECK(store_put(b->s, "packs/00/1", SLICE(data, SIZE), &b->err), OK);
	assert_int_equal(started, 2);
	assert_int_equal(dropped, 1);
	assert_int_equal(dropped_dirty, 0);
	/* Small objects stay: the next command reads them. */
	CHECK(store_put(b->s, "points/1", SLICE(data, 10000), &b->err), OK);
	assert_int_equal(started, 2);
	assert_int_equal(dropped, 1);
	inject_trace(NULL, NULL);
	/* Neither is needed for the object to be stored. */
	inject_arm(&(struct inject_order){
		.call = "sync_file_range", .at = 1, .sys = ENOSYS, .persist = true});
	CHECK(store_put(b->s, "packs/00/2", SLICE(data, SIZE), &b->err), OK);
	inject_arm(&(struct inject_order){
		.call = "posix_fadvise", .at = 1, .sys = EINVAL, .persist = true});
	CHECK(store_put(b->s, "packs/00/3", SLICE(data, SIZE), &b->err), OK);
	inject_arm(NULL);
}

/* Every call fails --------------------------------------------------------------------------- */

/* So large that write-back starts before commit; most tests are content with its beginning. */
enum { CONTENT = 5 * 1024 * 1024 + 1, SMALL = 3000 };
static uint8_t *content;
static size_t content_size;

/* In two writes, so that the second may fail. */
static int
put_content(struct store *s, const char *name, struct error *err)
{
	CLEAN(store_abortp) struct store_upload *u = NULL;
	int rc = store_begin(s, name, &u, err);

	if (rc == OK)
		rc = store_write(u, content, 1000, err);
	if (rc == OK)
		rc = store_write(u, content + 1000, content_size - 1000, err);
	if (rc < 0)
		return rc;
	return store_commit(STEAL_PTR(u), err);
}

/* 1 the whole object is there, 0 none; a test that finds anything else fails. */
static int
look(struct sandbox *b, struct store *s, const char *name)
{
	CLEAN(buf_done) struct buf data = BUF_INIT(2 * CONTENT);
	int rc = store_stat(s, name, NULL, &b->err);

	if (rc == 0) {
		/* The listing says the same. */
		assert_int_equal(sandbox_count(b, "packs/"), 0);
		return 0;
	}
	assert_int_equal(rc, 1);
	CHECK(store_get(s, name, &data, &b->err), OK);
	assert_int_equal(data.n, content_size);
	assert_memory_equal(data.p, content, content_size);
	assert_int_equal(sandbox_count(b, "packs/"), 1);
	return 1;
}

static size_t
size_for(const char *call)
{
	bool needs_much = strcmp(call, "write") == 0 || strcmp(call, "sync_file_range") == 0 ||
			  strcmp(call, "posix_fadvise") == 0;

	return needs_much ? CONTENT : SMALL;
}

/* Put with one fault; true if there was one. */
static bool
put_with_fault(enum dir_publish way, const struct inject_order *o)
{
	struct sandbox *b = sandbox_new();

	content_size = size_for(o->call);
	set_way(b->s, way);
	int fds = sandbox_open_fds();
	inject_arm(o);
	int rc = put_content(b->s, "packs/ab/1", &b->err);
	bool did_fire = inject_fired() > 0;
	inject_arm(NULL);
	struct error why = b->err;
	assert_int_equal(sandbox_open_fds(), fds);
	int there = look(b, b->s, "packs/ab/1");
	if (rc == OK) {
		assert_int_equal(there, 1);
	} else {
		assert_true(did_fire);
		assert_int_equal(why.code, rc);
		if (there && strstr(why.msg, "not known") == NULL)
			fail_msg("%s %d: there, but: %s", o->call, (int)o->at, why.msg);
		int code = o->sys == ENOSPC ? ERR_STORE_FULL : ERR_STORE_WRITE;
		if (rc != code && rc != ERR_NO_MEMORY && rc != ERR_CRYPTO)
			fail_msg("%s %d: %d %s", o->call, (int)o->at, rc, why.msg);
	}
	/* The store works on as if nothing had been. */
	if (!there)
		CHECK(put_content(b->s, "packs/ab/1", &b->err), OK);
	assert_int_equal(look(b, b->s, "packs/ab/1"), 1);
	if (faccessat(b->fd, "tmp", F_OK, 0) == 0 && strcmp(o->call, "unlinkat") != 0)
		assert_int_equal(sandbox_entries(b, "tmp"), 0);
	sandbox_free(b);
	return did_fire;
}

static void
each_call_fails(void **state)
{
	static const char *const names[] = {
		"mkdirat", "openat",   "write",     "sync_file_range", "posix_fadvise",
		"fsync",   "linkat",   "renameat2", "close",           "fstat",
		"fstatat", "unlinkat", "getrandom",
#ifdef INJECT_MEMORY
		"malloc",  "calloc",   "realloc",
#endif
	};
	static const int why[] = {EIO, ENOSPC};
	unsigned faults = 0;

	(void)state;
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			for (size_t k = 0; k < ARRAY_SIZE(why); k++) {
				/* A device goes bad for a moment, a full one stays full. */
				struct inject_order o = {.call = names[i],
							 .sys = why[k],
							 .persist = why[k] == ENOSPC};
				while (o.at++, put_with_fault(ways[w], &o))
					faults++;
			}
		}
	}
	assert_true(faults > 50);
}

static void
interrupted_and_short_writes(void **state)
{
	(void)state;
	content_size = CONTENT;
	for (uint64_t n = 1; n <= 3; n++) {
		struct sandbox *b = sandbox_new();
		inject_arm(&(struct inject_order){.call = "write", .at = n, .sys = EINTR});
		CHECK(put_content(b->s, "packs/ab/1", &b->err), OK);
		inject_arm(NULL);
		assert_int_equal(look(b, b->s, "packs/ab/1"), 1);
		CHECK(store_remove(b->s, "packs/ab/1", &b->err), 1);
		inject_arm(&(struct inject_order){
			.call = "write", .at = n, .how = INJECT_SHORT, .persist = true});
		CHECK(put_content(b->s, "packs/ab/1", &b->err), OK);
		assert_true(inject_calls() > 20);
		inject_arm(NULL);
		assert_int_equal(look(b, b->s, "packs/ab/1"), 1);
		sandbox_free(b);
	}
}

/* After a failed write nothing can be committed, whoever tries. */
static void
no_commit_after_a_failed_write(void **state)
{
	struct sandbox *b = *state;
	struct store_upload *u = NULL;

	CHECK(store_begin(b->s, "points/a", &u, &b->err), OK);
	inject_arm(&(struct inject_order){.call = "write", .at = 1, .sys = ENOSPC});
	CHECK(store_write(u, "abc", 3, &b->err), ERR_STORE_FULL);
	inject_arm(NULL);
	CHECK(store_commit(u, &b->err), ERR_BAD_STATE);
	CHECK(store_stat(b->s, "points/a", NULL, &b->err), 0);
}

/* Killed at every call ----------------------------------------------------------------------- */

/* Whether the child reached the call and died of it. */
static bool
killed_while_putting(struct sandbox *b, enum dir_publish way, const struct inject_order *o)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *s = NULL;
		struct error err;
		if (store_dir_open(b->path, false, &s, &err) < 0)
			_exit(1);
		set_way(s, way);
		inject_arm(o);
		_exit(put_content(s, "packs/ab/1", &err) == OK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return false;
	}
	assert_int_equal(WTERMSIG(status), SIGKILL);
	return true;
}

static void
killed_at_each_call(void **state)
{
	static const char *const names[] = {"mkdirat", "openat", "write",     "fsync",
					    "linkat",  "close",  "renameat2", "unlinkat"};
	unsigned kills = 0;

	(void)state;
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		for (size_t i = 0; i < ARRAY_SIZE(names) * 2; i++) {
			struct inject_order o = {
				.call = names[i / 2], .how = INJECT_KILL, .late = i % 2 == 1};
			bool dead;
			do {
				struct sandbox *b = sandbox_new();
				content_size = size_for(o.call);
				o.at++;
				dead = killed_while_putting(b, ways[w], &o);
				kills += dead;
				int there = look(b, b->s, "packs/ab/1");
				/* The next one finds its way, and tidies up. */
				CHECK(put_content(b->s, "packs/ab/1", &b->err),
				      there ? ERR_EXISTS : OK);
				CHECK(store_tidy(b->s, 0, &b->err), OK);
				assert_int_equal(sandbox_entries(b, "tmp"), 0);
				sandbox_free(b);
			} while (dead);
		}
	}
	assert_true(kills > 50);
}

static int
make_content(void **state)
{
	(void)state;
	content = malloc(CONTENT);
	if (content == NULL)
		return -1;
	for (size_t i = 0; i < CONTENT; i++)
		content[i] = (uint8_t)(i * 7 + i / 1021);
	return 0;
}

static int
free_content(void **state)
{
	(void)state;
	free(content);
	return 0;
}

#define IN_SANDBOX(test) cmocka_unit_test_setup_teardown(test, sandbox_setup, sandbox_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durable_then_visible_then_durable),
		IN_SANDBOX(failed_folder_sync_is_not_forgotten),
		IN_SANDBOX(failed_fsync_is_not_repeated),
		IN_SANDBOX(falls_back),
		IN_SANDBOX(lost_reply_of_publishing),
		IN_SANDBOX(unknown_outcome_is_said),
		IN_SANDBOX(error_of_close_is_one_of_the_object),
		cmocka_unit_test(temp_folder_comes_back),
		IN_SANDBOX(write_back_starts_early),
		cmocka_unit_test(each_call_fails),
		cmocka_unit_test(interrupted_and_short_writes),
		IN_SANDBOX(no_commit_after_a_failed_write),
		cmocka_unit_test(killed_at_each_call),
	};

	return cmocka_run_group_tests(tests, make_content, free_content);
}
