/* SPDX-License-Identifier: Apache-2.0 */

/* Amounts as people read them, and the progress line made of them. */
#include "cli/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/progress_line.h"

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
	assert_string_equal(units_count(UINT64_MAX, t), "18,446,744,073,709,551,615");
}

static const struct progress_sample half = {
	.elapsed_ns = 65 * S,
	.bytes_done = 1 << 20,
	.bytes_total = 2 << 20,
	.files_done = 1234,
	.files_total = 2000,
	.counted = "files",
	.total_known = true,
	.rate_bytes = 512 << 10,
	.rate_ns = 5 * S,
	.phase = "reading files",
};

static void
test_line(void **state)
{
	struct progress_sample s = half;
	char t[256];

	(void)state;
	assert_string_equal(progress_line_text(&s, 200, t, sizeof(t)),
			    "1:05   50%  1.00 MiB of 2.00 MiB  102 KiB/s  0:10 left  1,234 files"
			    "  reading files");
	/* Without totals nothing is promised. */
	s.total_known = false;
	assert_string_equal(progress_line_text(&s, 200, t, sizeof(t)),
			    "1:05  1.00 MiB  102 KiB/s  1,234 files  reading files");
	/* What does not fit is cut at the end. */
	for (size_t columns = 20; columns < 60; columns++)
		assert_true(strlen(progress_line_text(&s, columns, t, sizeof(t))) <= columns);
}

static void
test_time_left(void **state)
{
	struct progress_sample s = half;
	uint64_t left;

	(void)state;
	assert_true(progress_line_left(&s, &left));
	assert_int_equal(left, 10);
	s.rate_bytes = 0;
	assert_false(progress_line_left(&s, &left));
	s = half;
	s.bytes_done = s.bytes_total + 1;
	assert_false(progress_line_left(&s, &left));
}

static void
test_json(void **state)
{
	struct progress_sample s = half;
	json_t *j = progress_line_json(&s);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(j, "bytes_total")), 2 << 20);
	assert_int_equal(json_integer_value(json_object_get(j, "seconds_left")), 10);
	assert_int_equal(json_integer_value(json_object_get(j, "bytes_per_second")), 104857);
	json_decref(j);
	s.total_known = false;
	j = progress_line_json(&s);
	assert_null(json_object_get(j, "bytes_total"));
	assert_null(json_object_get(j, "seconds_left"));
	json_decref(j);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),     cmocka_unit_test(test_times),
		cmocka_unit_test(test_counts),    cmocka_unit_test(test_line),
		cmocka_unit_test(test_time_left), cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
