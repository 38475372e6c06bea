/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Cutting text: whole when it fits, dots when not, and never half a character.
 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_fits(void **state)
{
	char text[8];

	(void)state;
	assert_true(text_printf(text, sizeof(text), "%s-%d", "abc", 123));
	assert_string_equal(text, "abc-123");
	assert_false(text_cut(text, 7));
	assert_string_equal(text, "abc-123");
}

static void
test_is_cut_with_dots(void **state)
{
	char text[8];

	(void)state;
	assert_false(text_printf(text, sizeof(text), "%s", "abcdefgh"));
	assert_string_equal(text, "abcd...");
	assert_true(text_cut(text, 5));
	assert_string_equal(text, "ab...");
	assert_true(text_cut(text, 3));
	assert_string_equal(text, "...");
}

static void
test_characters_stay_whole(void **state)
{
	char text[8];

	(void)state;
	/* The cut would fall behind the first, then the second byte of the last character shown. */
	assert_false(text_printf(text, sizeof(text), "abc\xc3\xa4xyz"));
	assert_string_equal(text, "abc...");
	assert_false(text_printf(text, sizeof(text), "ab\xe2\x82\xacxyz"));
	assert_string_equal(text, "ab...");
	assert_false(text_printf(text, sizeof(text), "ab\xc3\xa4xyz!"));
	assert_string_equal(text, "ab\xc3\xa4...");
	assert_false(text_printf(text, sizeof(text), "\xf0\x9f\x98\x80xyz!"));
	assert_string_equal(text, "\xf0\x9f\x98\x80...");
}

static void
test_bytes_that_are_no_text(void **state)
{
	char text[16];

	(void)state;
	/* Only continuation bytes: the search for a beginning must end. */
	assert_false(text_printf(text, sizeof(text), "%s",
				 "\x80\x80\x80\x80\x80\x80\x80\x80\x80"
				 "\x80\x80\x80\x80\x80\x80\x80\x80"));
	assert_string_equal(text, "\x80\x80\x80\x80\x80\x80\x80\x80\x80...");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_is_cut_with_dots),
		cmocka_unit_test(test_characters_stay_whole),
		cmocka_unit_test(test_bytes_that_are_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
