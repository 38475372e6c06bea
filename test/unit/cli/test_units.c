/* SPDX-License-Identifier: Apache-2.0 */

/* Amounts as people read them. */
#include "cli/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define S NS_PER_S

static void
test_bytes(void **state)
{
	char t[UNITS_MAX];

	(void)state;
	assert_string_equal(units_bytes(0, t), "0 B");
	assert_string_equal(units_bytes(1023, t), "1023 B");
	assert_string_equal(units_bytes(1024, t), "1.00 KiB");
	assert_string_equal(units_bytes(2147483647, t), "1.99 GiB");
	assert_string_equal(units_bytes(10 << 20, t), "10.0 MiB");
	assert_string_equal(units_bytes(999 << 20, t), "999 MiB");
	assert_string_equal(units_bytes(UINT64_MAX, t), "16383 PiB");
}

static void
test_times(void **state)
{
	char t[UNITS_MAX];

	(void)state;
	assert_string_equal(units_elapsed(0, t), "0.00 s");
	assert_string_equal(units_elapsed(1 * S + 239 * NS_PER_MS, t), "1.23 s");
	assert_string_equal(units_elapsed(12 * S + 390 * NS_PER_MS, t), "12.3 s");
	assert_string_equal(units_elapsed(61 * S, t), "1:01");
	assert_string_equal(units_elapsed(3661 * S, t), "1:01:01");
	assert_string_equal(units_clock(7, t), "0:07");
	assert_string_equal(units_rate(10 << 20, 2 * S, t), "5.00 MiB/s");
	assert_string_equal(units_rate(1, 0, t), "0 B/s");
	assert_string_equal(units_rate(UINT64_MAX, 1, t), "16383 PiB/s");
}

static void
test_counts(void **state)
{
	char t[UNITS_MAX];

	(void)state;
	assert_string_equal(units_count(0, t), "0");
	assert_string_equal(units_count(999, t), "999");
	assert_string_equal(units_count(1000, t), "1,000");
	assert_string_equal(units_of(0, "file", t), "0 files");
	assert_string_equal(units_of(1, "file", t), "1 file");
	assert_string_equal(units_count(UINT64_MAX, t), "18,446,744,073,709,551,615");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
