/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Little-endian access at any alignment.
 */
#include "base/le.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_put_and_get(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		uint8_t room[16] = {0};
		uint8_t *p = room + shift;
		le16_put(p, 0x0102);
		assert_memory_equal(p, "\x02\x01\x00", 3);
		assert_int_equal(le16_get(p), 0x0102);
		le32_put(p, 0x01020304);
		assert_memory_equal(p, "\x04\x03\x02\x01\x00", 5);
		assert_int_equal(le32_get(p), 0x01020304);
		le64_put(p, UINT64_C(0x0102030405060708));
		assert_memory_equal(p, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
		assert_true(le64_get(p) == UINT64_C(0x0102030405060708));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
