/* SPDX-License-Identifier: Apache-2.0 */

/* Distances of words, and that only what is near is suggested. */
#include "config/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_distance(void **state)
{
	(void)state;
	assert_int_equal(suggest_distance("", ""), 0);
	assert_int_equal(suggest_distance("", "abc"), 3);
	assert_int_equal(suggest_distance("backup", "backup"), 0);
	assert_int_equal(suggest_distance("bakcup", "backup"), 1);
	assert_int_equal(suggest_distance("bckup", "backup"), 1);
	assert_int_equal(suggest_distance("backupp", "backup"), 1);
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
	assert_int_equal(suggest_distance("list", "init"), 3);
}

static void
test_long_words_are_compared_whole(void **state)
{
	char a[200], b[200];

	(void)state;
	memset(a, 'x', sizeof(a));
	memset(b, 'x', sizeof(b));
	a[199] = b[199] = '\0';
	assert_int_equal(suggest_distance(a, b), 0);
	b[0] = 'y';
	assert_true(suggest_distance(a, b) > 10);
}

static void
test_only_near_words(void **state)
{
	struct suggest s = suggest_begin("bakup");

	(void)state;
	suggest_offer(&s, "restore");
	assert_null(s.best);
	suggest_offer(&s, "backups");
	suggest_offer(&s, "backup");
	suggest_offer(&s, "list");
	assert_string_equal(s.best, "backup");

	s = suggest_begin("ls");
	suggest_offer(&s, "list");
	assert_null(s.best);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_long_words_are_compared_whole),
		cmocka_unit_test(test_only_near_words),
	};

	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
