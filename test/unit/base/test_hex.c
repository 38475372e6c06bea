/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hexadecimal: every byte there and back, and nothing but its one spelling.
 */
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_every_byte(void **state)
{
	uint8_t bytes[256], back[256];
	char text[2 * sizeof(bytes) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_ptr_equal(hex_encode(bytes, sizeof(bytes), text), text);
	assert_int_equal(strlen(text), 2 * sizeof(bytes));
	assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
	assert_true(hex_decode(text, strlen(text), back, sizeof(back)));
	assert_memory_equal(bytes, back, sizeof(bytes));
}

static void
test_nothing(void **state)
{
	char text[1] = "x";

	(void)state;
	assert_string_equal(hex_encode(NULL, 0, text), "");
	assert_true(hex_decode("", 0, NULL, 0));
}

static void
test_length_is_exact(void **state)
{
	uint8_t b[2];

	(void)state;
	assert_true(hex_decode("a1b2", 4, b, 2));
	assert_memory_equal(b, "\xa1\xb2", 2);
	assert_false(hex_decode("a1b2", 3, b, 2));
	assert_false(hex_decode("a1b2c", 5, b, 2));
	assert_false(hex_decode("a1b2c3", 6, b, 2));
	assert_false(hex_decode("a1", 2, b, 2));
	assert_false(hex_decode("a", 1, b, 0));
}

static void
test_only_lower_case_digits(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		uint8_t b;
		char high[2] = {(char)c, '0'}, low[2] = {'0', (char)c};
		bool digit = c != 0 && strchr("0123456789abcdef", c) != NULL;
		assert_int_equal(hex_decode(high, 2, &b, 1), digit);
		assert_int_equal(hex_decode(low, 2, &b, 1), digit);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_length_is_exact),
		cmocka_unit_test(test_only_lower_case_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
