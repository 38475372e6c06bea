/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The contract of a store as tests. Each begins with an empty store of its own. Threads do not
 * assert, they return what they saw: a failed assertion may only leave the thread that runs the
 * test.
 */
#include "store_contract.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum { MAX_OBJECT = 64 * 1024 * 1024, TEXT_SIZE = 64 };

struct fixture {
	const struct store_contract_subject *subject;
	struct store *s;
	struct error err;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->subject = *state;
	*state = f;
	if (f->subject->open(&f->s, &f->err) < 0)
		fail_msg("open: %s", f->err.msg);
	assert_int_equal(f->s->ops->remove == NULL, f->subject->only_adds);
	assert_int_equal(f->s->ops->tidy == NULL, f->subject->only_adds);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->s);
	if (f->subject->done != NULL)
		f->subject->done();
	free(f);
	return 0;
}

/* Helpers ------------------------------------------------------------------------------------ */

static void
check(struct fixture *f, int rc, int expected, const char *what)
{
	if (rc != expected)
		fail_msg("%s: %d (%s) instead of %d", what, rc, rc < 0 ? f->err.msg : "", expected);
	/* Whoever fails says so in the error as well. */
	if (rc < 0) {
		assert_int_equal(f->err.code, rc);
		assert_true(f->err.msg[0] != '\0');
	}
	f->err = ERROR_INIT;
}

#define CHECK(call, expected) check(f, call, expected, #call)

static void
put(struct fixture *f, const char *name, const char *text)
{
	CHECK(store_put(f->s, name, SLICE(text, strlen(text)), &f->err), OK);
}

/* Remove, or be told that this is not to be had. */
static void
take_away(struct fixture *f, const char *name, int expected)
{
	CHECK(store_remove(f->s, name, &f->err), f->subject->only_adds ? ERR_PERMISSION : expected);
}

/* The object is exactly this text, by size, by content and in the listing's eyes. */
static void
expect(struct fixture *f, const char *name, const char *text)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(MAX_OBJECT);
	uint64_t size = 0;

	CHECK(store_stat(f->s, name, &size, &f->err), 1);
	assert_int_equal(size, strlen(text));
	CHECK(store_get(f->s, name, &b, &f->err), OK);
	assert_int_equal(b.n, strlen(text));
	if (b.n > 0)
		assert_memory_equal(b.p, text, b.n);
}

static void
expect_absent(struct fixture *f, const char *name)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(MAX_OBJECT);
	uint64_t size = 4711;
	char byte = 'x';

	CHECK(store_stat(f->s, name, &size, &f->err), 0);
	assert_int_equal(size, 4711);
	CHECK(store_read(f->s, name, 0, &byte, 1, &f->err), ERR_NOT_FOUND);
	CHECK(store_read(f->s, name, 0, NULL, 0, &f->err), ERR_NOT_FOUND);
	CHECK(store_get(f->s, name, &b, &f->err), ERR_NOT_FOUND);
	assert_int_equal(b.n, 0);
}

struct seen {
	size_t n;
	uint64_t bytes;
	const char *wanted; /* count this one apart */
	size_t wanted_n;
	size_t stop_at; /* fail at this entry, 0: never */
	struct store *use; /* remove each entry as it comes; if that is not to be had, look at it */
};

static int
see(void *arg, const struct store_entry *entry, struct error *err)
{
	struct seen *seen = arg;

	seen->n++;
	seen->bytes += entry->size_bytes;
	if (seen->wanted != NULL && strcmp(entry->name, seen->wanted) == 0)
		seen->wanted_n++;
	if (seen->n == seen->stop_at)
		return error_set(err, ERR_CANCELLED, "enough");
	if (seen->use == NULL)
		return OK;
	if (seen->use->ops->remove != NULL)
		return MIN(store_remove(seen->use, entry->name, err), OK);
	return store_stat(seen->use, entry->name, NULL, err) == 1
		       ? OK
		       : error_set(err, ERR_NOT_FOUND, "it is listed, and not there");
}

static size_t
count(struct fixture *f, const char *prefix)
{
	struct seen seen = {0};

	CHECK(store_list(f->s, prefix, see, &seen, &f->err), OK);
	return seen.n;
}

/* Storing and reading ------------------------------------------------------------------------ */

static void
put_and_get(void **state)
{
	struct fixture *f = *state;

	put(f, "holdfast.json", "{}");
	put(f, "keys/0123456789abcdef", "a key");
	put(f, "packs/ab/ab00", "a pack");
	put(f, "a/b/c", "deep");
	put(f, "x._-9", "all kinds of characters");
	expect(f, "holdfast.json", "{}");
	expect(f, "keys/0123456789abcdef", "a key");
	expect(f, "packs/ab/ab00", "a pack");
	expect(f, "a/b/c", "deep");
	expect(f, "x._-9", "all kinds of characters");
}

static void
empty_object(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.wanted = "points/00"};
	char byte;

	CHECK(store_put(f->s, "points/00", SLICE(NULL, 0), &f->err), OK);
	expect(f, "points/00", "");
	CHECK(store_read(f->s, "points/00", 0, NULL, 0, &f->err), OK);
	CHECK(store_read(f->s, "points/00", 0, &byte, 1, &f->err), ERR_CORRUPT);
	CHECK(store_list(f->s, "", see, &seen, &f->err), OK);
	assert_int_equal(seen.wanted_n, 1);
	assert_int_equal(seen.bytes, 0);
}

static void
longest_name(void **state)
{
	struct fixture *f = *state;
	char name[STORE_NAME_MAX + 1] = "packs/ab/";

	memset(name + strlen(name), 'f', STORE_NAME_MAX - strlen(name));
	put(f, name, "long");
	expect(f, name, "long");
	assert_int_equal(count(f, "packs/ab/"), 1);
	take_away(f, name, 1);
}

/* Written in pieces of many sizes, larger in all than any buffer inside. */
static void
large_object(void **state)
{
	struct fixture *f = *state;
	enum { SIZE = 9 * 1024 * 1024 + 17 };
	CLEAN(free_ptr) uint8_t *data = malloc(SIZE);
	CLEAN(buf_done) struct buf b = BUF_INIT(MAX_OBJECT);
	struct store_upload *u = NULL;
	size_t step = 1;

	assert_non_null(data);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 31 + i / 4096);
	CHECK(store_begin(f->s, "packs/00/00", &u, &f->err), OK);
	for (size_t done = 0; done < SIZE; step = step * 7 + 1) {
		size_t n = MIN(step, SIZE - done);
		CHECK(store_write(u, data + done, n, &f->err), OK);
		CHECK(store_write(u, NULL, 0, &f->err), OK);
		done += n;
	}
	CHECK(store_commit(u, &f->err), OK);
	CHECK(store_get(f->s, "packs/00/00", &b, &f->err), OK);
	assert_int_equal(b.n, SIZE);
	assert_memory_equal(b.p, data, SIZE);
	for (size_t at = 0; at + 5000 < SIZE; at += 999983) {
		uint8_t part[5000];
		CHECK(store_read(f->s, "packs/00/00", at, part, sizeof(part), &f->err), OK);
		assert_memory_equal(part, data + at, sizeof(part));
	}
}

static void
read_ranges(void **state)
{
	struct fixture *f = *state;
	char text[TEXT_SIZE] = "";

	put(f, "packs/ab/1", "0123456789");
	CHECK(store_read(f->s, "packs/ab/1", 3, text, 4, &f->err), OK);
	assert_memory_equal(text, "3456\0", 5);
	CHECK(store_read(f->s, "packs/ab/1", 9, text, 1, &f->err), OK);
	CHECK(store_read(f->s, "packs/ab/1", 10, NULL, 0, &f->err), OK);
	CHECK(store_read(f->s, "packs/ab/1", 0, text, 10, &f->err), OK);
	/* Never a short success. */
	CHECK(store_read(f->s, "packs/ab/1", 0, text, 11, &f->err), ERR_CORRUPT);
	CHECK(store_read(f->s, "packs/ab/1", 9, text, 2, &f->err), ERR_CORRUPT);
	CHECK(store_read(f->s, "packs/ab/1", 10, text, 1, &f->err), ERR_CORRUPT);
	CHECK(store_read(f->s, "packs/ab/1", 11, NULL, 0, &f->err), ERR_CORRUPT);
	CHECK(store_read(f->s, "packs/ab/1", INT64_MAX, text, 1, &f->err), ERR_CORRUPT);
	CHECK(store_read(f->s, "packs/ab/1", UINT64_MAX, text, 2, &f->err), ERR_CORRUPT);
}

static void
get_is_bounded_and_appends(void **state)
{
	struct fixture *f = *state;
	CLEAN(buf_done) struct buf b = BUF_INIT(12);

	put(f, "points/aa", "0123456789");
	CHECK(buf_append(&b, "ab", 2, &f->err), OK);
	CHECK(store_get(f->s, "points/aa", &b, &f->err), OK);
	assert_int_equal(b.n, 12);
	assert_memory_equal(b.p, "ab0123456789", 12);
	CHECK(store_get(f->s, "points/aa", &b, &f->err), ERR_LIMIT);
	assert_int_equal(b.n, 12);
	b.n = 3;
	CHECK(store_get(f->s, "points/aa", &b, &f->err), ERR_LIMIT);
	assert_int_equal(b.n, 3);
}

static void
absent(void **state)
{
	struct fixture *f = *state;

	expect_absent(f, "holdfast.json");
	expect_absent(f, "packs/ab/ab");
	put(f, "packs/ab/abc", "x");
	expect_absent(f, "packs/ab/ab");
	expect_absent(f, "packs/aa/abc");
	expect_absent(f, "packs/ab/abcd");
	CHECK(store_stat(f->s, "packs/ab/abc", NULL, &f->err), 1);
}

/* Uploads ------------------------------------------------------------------------------------ */

static void
nothing_visible_before_commit(void **state)
{
	struct fixture *f = *state;
	struct store_upload *u = NULL;

	CHECK(store_begin(f->s, "packs/ab/1", &u, &f->err), OK);
	expect_absent(f, "packs/ab/1");
	CHECK(store_write(u, "half", 4, &f->err), OK);
	expect_absent(f, "packs/ab/1");
	assert_int_equal(count(f, ""), 0);
	assert_int_equal(count(f, "packs/"), 0);
	CHECK(store_write(u, " whole", 6, &f->err), OK);
	CHECK(store_commit(u, &f->err), OK);
	expect(f, "packs/ab/1", "half whole");
	assert_int_equal(count(f, ""), 1);
}

static void
abort_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_upload *u = NULL;

	CHECK(store_begin(f->s, "packs/ab/1", &u, &f->err), OK);
	store_abort(u);
	CHECK(store_begin(f->s, "packs/ab/1", &u, &f->err), OK);
	CHECK(store_write(u, "half", 4, &f->err), OK);
	store_abort(u);
	expect_absent(f, "packs/ab/1");
	assert_int_equal(count(f, ""), 0);
	store_abort(NULL);
	put(f, "packs/ab/1", "again");
	expect(f, "packs/ab/1", "again");
}

static void
existing_object_stays(void **state)
{
	struct fixture *f = *state;
	struct store_upload *u = NULL;

	put(f, "index/aa", "first");
	CHECK(store_put(f->s, "index/aa", SLICE("second", 6), &f->err), ERR_EXISTS);
	expect(f, "index/aa", "first");
	CHECK(store_put(f->s, "index/aa", SLICE(NULL, 0), &f->err), ERR_EXISTS);
	expect(f, "index/aa", "first");
	/* Also if it came into being after begin. */
	CHECK(store_begin(f->s, "index/bb", &u, &f->err), OK);
	CHECK(store_write(u, "slow", 4, &f->err), OK);
	put(f, "index/bb", "quick");
	CHECK(store_commit(u, &f->err), ERR_EXISTS);
	expect(f, "index/bb", "quick");
	assert_int_equal(count(f, ""), 2);
}

static void
many_uploads_at_once(void **state)
{
	struct fixture *f = *state;
	static const char letters[] = "abcdefghijklmnopqrst";
	struct store_upload *u[sizeof(letters) - 1];
	char name[TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(u); i++) {
		(void)snprintf(name, sizeof(name), "packs/%02zx/%zu", i % 3, i);
		CHECK(store_begin(f->s, name, &u[i], &f->err), OK);
	}
	for (size_t i = ARRAY_SIZE(u); i-- > 0;)
		CHECK(store_write(u[i], letters + i, 1, &f->err), OK);
	for (size_t i = 0; i < ARRAY_SIZE(u); i += 2)
		store_abort(u[i]);
	for (size_t i = 1; i < ARRAY_SIZE(u); i += 2)
		CHECK(store_commit(u[i], &f->err), OK);
	assert_int_equal(count(f, "packs/"), 10);
	for (size_t i = 0; i < ARRAY_SIZE(u); i++) {
		char text[2] = {letters[i], '\0'};
		(void)snprintf(name, sizeof(name), "packs/%02zx/%zu", i % 3, i);
		if (i % 2 == 0)
			expect_absent(f, name);
		else
			expect(f, name, text);
	}
}

/* Listing ------------------------------------------------------------------------------------ */

static void
list_by_prefix(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.wanted = "packs/ab/2"};

	assert_int_equal(count(f, ""), 0);
	assert_int_equal(count(f, "packs/"), 0);
	put(f, "holdfast.json", "1");
	put(f, "packs/ab/1", "12");
	put(f, "packs/ab/2", "123");
	put(f, "packs/cd/3", "1234");
	put(f, "packs2/ab/4", "12345");
	put(f, "points/5", "123456");
	assert_int_equal(count(f, ""), 6);
	assert_int_equal(count(f, "packs/"), 3);
	assert_int_equal(count(f, "packs/ab/"), 2);
	assert_int_equal(count(f, "packs/ef/"), 0);
	assert_int_equal(count(f, "packs2/"), 1);
	assert_int_equal(count(f, "points/"), 1);
	assert_int_equal(count(f, "nothing/"), 0);
	CHECK(store_list(f->s, "packs/", see, &seen, &f->err), OK);
	assert_int_equal(seen.wanted_n, 1);
	assert_int_equal(seen.bytes, 2 + 3 + 4);
}

static void
list_many(void **state)
{
	struct fixture *f = *state;
	enum { N = 120 };
	struct seen seen = {.wanted = "packs/0a/106"};
	char name[TEXT_SIZE];

	for (size_t i = 0; i < N; i++) {
		(void)snprintf(name, sizeof(name), "packs/%02zx/%zu", i % 16, i);
		CHECK(store_put(f->s, name, SLICE("xyz", i % 4), &f->err), OK);
	}
	CHECK(store_list(f->s, "", see, &seen, &f->err), OK);
	assert_int_equal(seen.n, N);
	assert_int_equal(seen.wanted_n, 1);
	assert_int_equal(seen.bytes, N / 4 * (0 + 1 + 2 + 3));
}

static void
list_ends_with_the_callbacks_error(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.stop_at = 2};

	put(f, "points/1", "a");
	put(f, "points/2", "b");
	put(f, "points/3", "c");
	CHECK(store_list(f->s, "points/", see, &seen, &f->err), ERR_CANCELLED);
	assert_int_equal(seen.n, 2);
}

static void
list_lets_its_callback_use_the_store(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.use = f->s};
	char name[TEXT_SIZE];

	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "packs/%02x/%d", i % 3, i);
		put(f, name, "x");
	}
	CHECK(store_list(f->s, "", see, &seen, &f->err), OK);
	assert_int_equal(seen.n, 20);
	assert_int_equal(count(f, ""), f->subject->only_adds ? 20 : 0);
}

/* Removing ----------------------------------------------------------------------------------- */

static void
remove_objects(void **state)
{
	struct fixture *f = *state;

	take_away(f, "packs/ab/1", 0);
	put(f, "packs/ab/1", "one");
	put(f, "packs/ab/2", "two");
	take_away(f, "packs/ab/1", 1);
	expect(f, "packs/ab/2", "two");
	if (f->subject->only_adds) {
		expect(f, "packs/ab/1", "one");
		return;
	}
	expect_absent(f, "packs/ab/1");
	take_away(f, "packs/ab/1", 0);
	assert_int_equal(count(f, ""), 1);
}

/* A name may be used again, and what was read before does not shine through. */
static void
remove_then_store_anew(void **state)
{
	struct fixture *f = *state;

	put(f, "marks/aa", "old content");
	expect(f, "marks/aa", "old content");
	take_away(f, "marks/aa", 1);
	if (f->subject->only_adds)
		return;
	put(f, "marks/aa", "new");
	expect(f, "marks/aa", "new");
}

static void
tidy_keeps_what_lives(void **state)
{
	struct fixture *f = *state;
	struct store_upload *u = NULL;
	int expected = f->subject->only_adds ? ERR_PERMISSION : OK;

	CHECK(store_tidy(f->s, 0, &f->err), expected);
	put(f, "points/aa", "a");
	CHECK(store_begin(f->s, "points/bb", &u, &f->err), OK);
	CHECK(store_write(u, "b", 1, &f->err), OK);
	CHECK(store_tidy(f->s, 3600, &f->err), expected);
	CHECK(store_commit(u, &f->err), OK);
	expect(f, "points/aa", "a");
	expect(f, "points/bb", "b");
	CHECK(store_tidy(f->s, 0, &f->err), expected);
	assert_int_equal(count(f, ""), 2);
}

/* Arguments ---------------------------------------------------------------------------------- */

static void
bad_names(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {
		"",     "/",  ".",     "..",     "../x", "/etc/passwd",
		"a//b", "a/", "tmp/x", "a/../b", "A",    ".x",
	};
	struct store_upload *u = NULL;
	struct seen seen = {0};
	uint64_t size = 4711;
	char byte;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(store_read(f->s, bad[i], 0, &byte, 1, &f->err), ERR_INTERNAL);
		CHECK(store_stat(f->s, bad[i], &size, &f->err), ERR_INTERNAL);
		CHECK(store_begin(f->s, bad[i], &u, &f->err), ERR_INTERNAL);
		CHECK(store_remove(f->s, bad[i], &f->err), ERR_INTERNAL);
		CHECK(store_put(f->s, bad[i], SLICE("x", 1), &f->err), ERR_INTERNAL);
	}
	assert_null(u);
	assert_int_equal(size, 4711);
	CHECK(store_list(f->s, "packs", see, &seen, &f->err), ERR_INTERNAL);
	CHECK(store_list(f->s, "/", see, &seen, &f->err), ERR_INTERNAL);
	CHECK(store_list(f->s, "../", see, &seen, &f->err), ERR_INTERNAL);
	CHECK(store_list(f->s, "a/b/c/", see, &seen, &f->err), ERR_INTERNAL);
	CHECK(store_list(f->s, "tmp/", see, &seen, &f->err), ERR_INTERNAL);
	assert_int_equal(seen.n, 0);
}

static void
error_may_be_null(void **state)
{
	struct fixture *f = *state;
	char byte;

	put(f, "points/aa", "a");
	assert_int_equal(store_put(f->s, "points/aa", SLICE("b", 1), NULL), ERR_EXISTS);
	assert_int_equal(store_read(f->s, "points/bb", 0, &byte, 1, NULL), ERR_NOT_FOUND);
	assert_int_equal(store_read(f->s, "points/aa", 1, &byte, 1, NULL), ERR_CORRUPT);
	assert_int_equal(store_stat(f->s, "points/bb", NULL, NULL), 0);
	assert_int_equal(store_remove(f->s, "points/bb", NULL),
			 f->subject->only_adds ? ERR_PERMISSION : 0);
}

/* Threads ------------------------------------------------------------------------------------ */

enum { THREADS = 6, ROUNDS = 12 };

struct worker {
	struct store *s;
	unsigned number;
	unsigned wins; /* commits of the contended name */
	const char *failed; /* what went wrong, NULL: nothing */
	struct error err;
};

static int
look_at_any(void *arg, const struct store_entry *entry, struct error *err)
{
	(void)arg;
	return store_name_valid(entry->name) ? OK : error_set(err, ERR_CORRUPT, "bad name");
}

/* One object's life, seen by its owner alone. */
static const char *
live(struct worker *w, unsigned round)
{
	char name[TEXT_SIZE], text[TEXT_SIZE], back[TEXT_SIZE];
	uint64_t size;

	(void)snprintf(name, sizeof(name), "packs/%02x/%u-%u", round % 4, w->number, round);
	int n = snprintf(text, sizeof(text), "%u wrote %u", w->number, round);
	if (store_put(w->s, name, SLICE(text, n), &w->err) < 0)
		return "put";
	if (store_stat(w->s, name, &size, &w->err) != 1 || size != (uint64_t)n)
		return "stat";
	for (int i = 0; i < 3; i++)
		if (store_read(w->s, name, 0, back, (size_t)n, &w->err) < 0 ||
		    memcmp(back, text, (size_t)n) != 0)
			return "read";
	if (store_list(w->s, "packs/", look_at_any, NULL, &w->err) < 0)
		return "list";
	if (round % 2 == 0 && w->s->ops->remove != NULL && store_remove(w->s, name, &w->err) != 1)
		return "remove";
	return NULL;
}

static const char *
contend(struct worker *w, unsigned round)
{
	char name[TEXT_SIZE];
	uint8_t byte;

	(void)snprintf(name, sizeof(name), "index/%u", round);
	int rc = store_put(w->s, name, SLICE("x", 1), &w->err);
	if (rc != OK && rc != ERR_EXISTS)
		return "contended put";
	w->wins += rc == OK;
	/* Whoever won, it is there now. */
	if (store_read(w->s, name, 0, &byte, 1, &w->err) < 0 || byte != 'x')
		return "contended read";
	return NULL;
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (unsigned round = 0; round < ROUNDS && w->failed == NULL; round++) {
		w->failed = live(w, round);
		if (w->failed == NULL)
			w->failed = contend(w, round);
	}
	return NULL;
}

static void
threads(void **state)
{
	struct fixture *f = *state;
	struct worker workers[THREADS] = {0};
	pthread_t ids[THREADS];
	unsigned wins = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].s = f->s;
		workers[i].number = i;
		assert_int_equal(pthread_create(&ids[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(ids[i], NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		if (workers[i].failed != NULL)
			fail_msg("thread %u: %s: %s", i, workers[i].failed, workers[i].err.msg);
		wins += workers[i].wins;
	}
	/* Each contended name was stored exactly once. */
	assert_int_equal(wins, ROUNDS);
	assert_int_equal(count(f, "index/"), ROUNDS);
	assert_int_equal(count(f, "packs/"),
			 THREADS * (f->subject->only_adds ? ROUNDS : ROUNDS / 2));
}

static const struct {
	const char *name;
	CMUnitTestFunction function;
} all[] = {
	{"put and get", put_and_get},
	{"empty object", empty_object},
	{"longest name", longest_name},
	{"large object", large_object},
	{"read ranges", read_ranges},
	{"get is bounded and appends", get_is_bounded_and_appends},
	{"absent", absent},
	{"nothing visible before commit", nothing_visible_before_commit},
	{"abort leaves nothing", abort_leaves_nothing},
	{"existing object stays", existing_object_stays},
	{"many uploads at once", many_uploads_at_once},
	{"list by prefix", list_by_prefix},
	{"list many", list_many},
	{"list ends with the callback's error", list_ends_with_the_callbacks_error},
	{"list lets its callback use the store", list_lets_its_callback_use_the_store},
	{"remove", remove_objects},
	{"remove, then store anew", remove_then_store_anew},
	{"tidy keeps what lives", tidy_keeps_what_lives},
	{"bad names", bad_names},
	{"error may be NULL", error_may_be_null},
	{"threads", threads},
};

size_t
store_contract_tests(const struct store_contract_subject *subject, struct CMUnitTest *ret,
		     size_t max)
{
	static char names[8][ARRAY_SIZE(all)][TEXT_SIZE];
	static size_t subjects;

	assert_true(subjects < ARRAY_SIZE(names) && ARRAY_SIZE(all) <= max);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		(void)snprintf(names[subjects][i], TEXT_SIZE, "%s: %s", subject->name, all[i].name);
		ret[i] = (struct CMUnitTest){
			.name = names[subjects][i],
			.test_func = all[i].function,
			.setup_func = setup,
			.teardown_func = teardown,
			/* Given back to us as const by setup. */
			.initial_state = (void *)(uintptr_t)subject,
		};
	}
	subjects++;
	return ARRAY_SIZE(all);
}
