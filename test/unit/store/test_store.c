/* SPDX-License-Identifier: Apache-2.0 */

/* What store.c does by itself: names, locations, and the small conveniences on top of the calls. */
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "store/fault.h"
#include "store/mem.h"
#include "store/sandbox.h"

static void
names(void **state)
{
	static const char *const good[] = {
		"a",  "holdfast.json", "keys/00", "packs/ab/abcdef", "a.b_c-d/0", "_",  "-",
		"0",  "tmpfile",       "tmp.x",   "a/tmp",           "a/tmp/b",   "tm", "a..b",
		"a.",
	};
	static const char *const bad[] = {
		"",      "/",       "a/",     "/a",       "a//b",       "a/b/c/d", ".",   "..",
		".a",    "a/.b",    "a/../b", "a/b/..",   "./a",        "../a",    "A",   "a b",
		"a\n",   "a\\b",    "a/B",    "\xc3\xa4", "lost+found", "a:b",     "tmp", "tmp/",
		"tmp/a", "tmp/a/b", "a\x7f",  "*",        "~",
	};
	char longest[STORE_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!store_name_valid(good[i]))
			fail_msg("'%s' must be valid", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (store_name_valid(bad[i]))
			fail_msg("'%s' must not be valid", bad[i]);
	assert_false(store_name_valid(NULL));

	memset(longest, 'x', sizeof(longest));
	longest[STORE_NAME_MAX] = '\0';
	assert_true(store_name_valid(longest));
	longest[STORE_NAME_MAX] = 'x';
	longest[STORE_NAME_MAX + 1] = '\0';
	assert_false(store_name_valid(longest));
}

static void
locations(void **state)
{
	struct sandbox *b = *state;
	struct store *s = NULL;
	char text[128];

	sandbox_check(b, store_open(b->path, false, &s, &b->err), OK, "by path");
	assert_string_equal(s->ops->name, "dir");
	store_close(s);
	(void)snprintf(text, sizeof(text), "dir:%s", b->path);
	sandbox_check(b, store_open(text, false, &s, &b->err), OK, "by scheme");
	store_close(s);

	assert_int_equal(chdir(b->base), 0);
	static const char *const relative[] = {
		"repo", "./repo",  "dir:repo",        "dir:./repo",
		".",    "repo/..", "./repo/../na:me", "repo/../na:me"};
	assert_int_equal(mkdir("na:me", 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(relative); i++) {
		sandbox_check(b, store_open(relative[i], false, &s, &b->err), OK, relative[i]);
		store_close(s);
	}
	assert_int_equal(chdir("/"), 0);

	/* Not to be taken for folders: what they mean comes later, or is a slip of the fingers. */
	static const char *const none[] = {"", "dir:", "s3:bucket", "http://host/x", "na:me"};
	s = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		assert_int_equal(store_open(none[i], true, &s, &b->err), ERR_USAGE);
		assert_non_null(strstr(b->err.hint, "dir:path"));
	}
	assert_null(s);
}

static void
null_is_fine(void **state)
{
	struct store *s = NULL;
	struct store_upload *u = NULL;

	(void)state;
	store_close(NULL);
	store_closep(&s);
	store_abort(NULL);
	store_abortp(&u);
}

/* store_put must not leave an upload behind, whichever of its steps fails. Leaks show under ASan;
 * here that nothing was stored, and that the same put works afterwards. */
static void
put_cleans_up(void **state)
{
	struct error err = ERROR_INIT;
	CLEAN(store_closep) struct store *s = NULL;
	struct store *inner = NULL;

	(void)state;
	assert_int_equal(store_mem_open(&inner, &err), OK);
	assert_int_equal(store_fault_open(inner, &s, &err), OK);
	for (uint64_t n = 1; n <= 3; n++) {
		store_fault_arm(s, STORE_FAULT_ERROR, n, false);
		assert_int_equal(store_put(s, "points/a", SLICE("x", 1), &err), ERR_STORE_WRITE);
		assert_int_equal(store_fault_count(s), n);
		assert_int_equal(store_stat(s, "points/a", NULL, &err), 0);
	}
	assert_int_equal(store_put(s, "points/a", SLICE("x", 1), &err), OK);
	assert_int_equal(store_put(s, "points/b", SLICE(NULL, 0), &err), OK);
}

/* A get that fails leaves the buffer as it was. */
static void
get_is_all_or_nothing(void **state)
{
	struct error err = ERROR_INIT;
	CLEAN(store_closep) struct store *s = NULL;
	CLEAN(buf_done) struct buf b = BUF_INIT(100);
	struct store *inner = NULL;

	(void)state;
	assert_int_equal(store_mem_open(&inner, &err), OK);
	assert_int_equal(store_fault_open(inner, &s, &err), OK);
	assert_int_equal(store_put(s, "points/a", SLICE("12345", 5), &err), OK);
	assert_int_equal(buf_append(&b, "before", 6, &err), OK);
	for (uint64_t n = 1; n <= 2; n++) {
		store_fault_arm(s, STORE_FAULT_ERROR, n, false);
		assert_int_equal(store_get(s, "points/a", &b, &err), ERR_STORE_READ);
		assert_int_equal(b.n, 6);
	}
	assert_int_equal(store_get(s, "points/a", &b, &err), OK);
	assert_int_equal(b.n, 11);
	assert_memory_equal(b.p, "before12345", 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test_setup_teardown(locations, sandbox_setup, sandbox_teardown),
		cmocka_unit_test(null_is_fine),
		cmocka_unit_test(put_cleans_up),
		cmocka_unit_test(get_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
