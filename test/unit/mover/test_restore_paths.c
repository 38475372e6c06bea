/* SPDX-License-Identifier: Apache-2.0 */

/* Paths treated in a way of their own: written in many ways, found in one. */
#include "mover/restore_paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static size_t
find(const struct restore_paths *paths, const char *path)
{
	return restore_paths_find(paths, SLICE(path, strlen(path)));
}

static bool
below(const struct restore_paths *paths, const char *path)
{
	return restore_paths_below(paths, SLICE(path, strlen(path)));
}

static void
paths_are_normalised(void **state)
{
	static const char *const same[] = {"a/b", "/a/b", "a/b/", "./a//b", "a/./b/.", "//a///b//"};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		CLEAN(restore_paths_done) struct restore_paths paths = {0};

		assert_int_equal(restore_paths_add(&paths, same[i], &err), OK);
		assert_string_equal(paths.list[0], "a/b");
	}
}

static void
paths_that_name_nothing_or_lead_upwards_are_refused(void **state)
{
	static const char *const bad[] = {"", "/", ".", "./.", "..", "a/..", "../a", "a/../b"};
	CLEAN(restore_paths_done) struct restore_paths paths = {0};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(restore_paths_add(&paths, bad[i], &err), ERR_USAGE);
	assert_int_equal(paths.n, 0);
	assert_int_equal(restore_paths_add(&paths, "...", &err), OK);
	assert_int_equal(restore_paths_add(&paths, "..a", &err), OK);
}

static void
finds_whole_paths_and_what_lies_above(void **state)
{
	CLEAN(restore_paths_done) struct restore_paths paths = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_false(below(&paths, ""));
	assert_int_equal(restore_paths_add(&paths, "a/bb/c", &err), OK);
	assert_int_equal(restore_paths_add(&paths, "x", &err), OK);
	assert_int_equal(find(&paths, "a/bb/c"), 0);
	assert_int_equal(find(&paths, "x"), 1);
	assert_int_equal(find(&paths, "a/bb"), SIZE_MAX);
	assert_int_equal(find(&paths, "a/bb/c/d"), SIZE_MAX);
	assert_true(below(&paths, ""));
	assert_true(below(&paths, "a"));
	assert_true(below(&paths, "a/bb"));
	assert_false(below(&paths, "a/b"));
	assert_false(below(&paths, "a/bb/c"));
	assert_false(below(&paths, "x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_normalised),
		cmocka_unit_test(paths_that_name_nothing_or_lead_upwards_are_refused),
		cmocka_unit_test(finds_whole_paths_and_what_lies_above),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
