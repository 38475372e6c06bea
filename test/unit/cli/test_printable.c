/* SPDX-License-Identifier: Apache-2.0 */

/* What reaches a terminal: text as it is, everything else escaped. */
#include "cli/printable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
expect(const char *name, const char *shown)
{
	struct buf b = BUF_INIT(1024);
	struct error err = ERROR_INIT;

	assert_int_equal(printable_name(&b, SLICE(name, strlen(name)), &err), OK);
	assert_int_equal(buf_u8(&b, 0, &err), OK);
	assert_string_equal((const char *)b.p, shown);
	buf_done(&b);
}

static void
test_names(void **state)
{
	(void)state;
	expect("plain name.txt", "plain name.txt");
	expect("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	expect("a\nb\x1b[31m\x7f", "a\\x0ab\\x1b[31m\\x7f");
	/* Or "\\x0a" could be either. */
	expect("back\\slash", "back\\x5cslash");
	/* No UTF-8: a lone byte, one cut short, overlong, a surrogate, beyond the last. */
	expect("\xff", "\\xff");
	expect("\xc3", "\\xc3");
	expect("\xe2\x82", "\\xe2\\x82");
	expect("\xc0\xaf", "\\xc0\\xaf");
	expect("\xed\xa0\x80", "\\xed\\xa0\\x80");
	expect("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	/* C1 control characters, and one that turns the text around. */
	expect("\xc2\x9b", "\\xc2\\x9b");
	expect("\xe2\x80\xae", "\\xe2\\x80\\xae");
}

static void
test_messages_are_cut_whole(void **state)
{
	char text[12];

	(void)state;
	assert_string_equal(printable_message("a\\b\n", text, sizeof(text)), "a\\b\\x0a");
	assert_string_equal(printable_message("abcdefghijklmnop", text, sizeof(text)), "abcdefgh");
	assert_int_equal(printable_width("a\xc3\xa4"), 2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_messages_are_cut_whole),
	};

	return cmocka_run_group_tests_name("printable", tests, NULL, NULL);
}
