/* SPDX-License-Identifier: Apache-2.0 */

/* UUIDs as text, in the forms that people type, and nothing else. */
#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t known[UUID_SIZE] = {0x0b, 0xad, 0xa1, 0xde, 0x01, 0xa9, 0x46, 0x25,
					 0x82, 0x78, 0x69, 0xe7, 0x35, 0xf3, 0x9d, 0xd2};

static void
test_text(void **state)
{
	char text[UUID_TEXT_SIZE];

	(void)state;
	assert_string_equal(uuid_text(known, text), "{0bada1de-01a9-4625-8278-69e735f39dd2}");
	assert_int_equal(strlen(text) + 1, UUID_TEXT_SIZE);
}

static void
test_parse(void **state)
{
	static const char *const good[] = {
		"{0bada1de-01a9-4625-8278-69e735f39dd2}",
		"0BADA1DE-01A9-4625-8278-69E735F39DD2",
		"0bada1de01a94625827869e735f39dd2",
		"{0bada1de01a94625827869e735f39dd2}",
	};
	static const char *const bad[] = {
		"",
		"{",
		"{}",
		"{0bada1de-01a9-4625-8278-69e735f39dd2",
		"0bada1de-01a9-4625-8278-69e735f39dd2}",
		"0bada1de-01a9-4625-8278-69e735f39dd",
		"0bada1de-01a9-4625-8278-69e735f39dd22",
		"0bada1de-01a9-4625-827869e735f39dd2",
		"0bada1d-e01a9-4625-8278-69e735f39dd2",
		"0bada1dg-01a9-4625-8278-69e735f39dd2",
		"0bada1de01a94625827869e735f39dd2 ",
	};
	uint8_t uuid[UUID_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		memset(uuid, 0, sizeof(uuid));
		assert_true(uuid_parse(good[i], uuid));
		assert_memory_equal(uuid, known, sizeof(uuid));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(uuid_parse(bad[i], uuid));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
