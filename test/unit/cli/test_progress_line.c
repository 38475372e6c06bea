/* SPDX-License-Identifier: Apache-2.0 */

/* What the progress line says, as text and as JSON. */
#include "cli/progress_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"

#define S NS_PER_S

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
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_time_left),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("progress_line", tests, NULL, NULL);
}
