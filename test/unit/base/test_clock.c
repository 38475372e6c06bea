/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Real clocks run forward, the fake one only when told; deadlines round up.
 */
#include "base/clock.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int
real_clock(void **state)
{
	(void)state;
	clock_fake_off();
	return 0;
}

static void
test_real(void **state)
{
	(void)state;
	uint64_t boot = clock_boot_ns(), cpu = clock_cpu_ns();
	volatile unsigned busy = 0;
	while (clock_cpu_ns() == cpu)
		busy++;
	assert_true(clock_boot_ns() > boot);
	/* After 2020, before 2200. */
	assert_true(clock_wall_ns() > UINT64_C(1577836800) * NS_PER_S);
	assert_true(clock_wall_ns() < UINT64_C(7258118400) * NS_PER_S);
}

static void
test_fake(void **state)
{
	(void)state;
	clock_fake_set(1000, 5000);
	assert_int_equal(clock_boot_ns(), 1000);
	assert_int_equal(clock_wall_ns(), 5000);
	clock_fake_advance(7);
	assert_int_equal(clock_boot_ns(), 1007);
	assert_int_equal(clock_wall_ns(), 5007);
	assert_true(clock_cpu_ns() != 1007);
	clock_fake_off();
	assert_true(clock_boot_ns() > 1007);
	assert_true(clock_wall_ns() > 5007);
}

static void
test_left(void **state)
{
	(void)state;
	clock_fake_set(10 * NS_PER_MS, 0);
	assert_int_equal(clock_left_ms(UINT64_MAX), -1);
	assert_int_equal(clock_left_ms(0), 0);
	assert_int_equal(clock_left_ms(10 * NS_PER_MS), 0);
	assert_int_equal(clock_left_ms(10 * NS_PER_MS + 1), 1);
	assert_int_equal(clock_left_ms(11 * NS_PER_MS), 1);
	assert_int_equal(clock_left_ms(11 * NS_PER_MS + 1), 2);
	assert_int_equal(clock_left_ms(UINT64_MAX - 1), INT_MAX);
	clock_fake_advance(NS_PER_MS);
	assert_int_equal(clock_left_ms(11 * NS_PER_MS + 1), 1);
}

static void
test_format(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(clock_format_utc(0, text), "1970-01-01T00:00:00Z");
	/* The fraction is dropped, not rounded. */
	assert_string_equal(clock_format_utc(UINT64_C(1795381588) * NS_PER_S + 999999999, text),
			    "2026-11-22T21:06:28Z");
	assert_string_equal(clock_format_utc(UINT64_C(951782400) * NS_PER_S, text),
			    "2000-02-29T00:00:00Z");
	assert_string_equal(clock_format_utc(UINT64_MAX, text), "2554-07-21T23:34:33Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_real, real_clock),
		cmocka_unit_test_teardown(test_fake, real_clock),
		cmocka_unit_test_teardown(test_left, real_clock),
		cmocka_unit_test_teardown(test_format, real_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
