/* SPDX-License-Identifier: Apache-2.0 */

/* What is made of a server's answer to the log range query, and of a hostile one's. */
#include "group/postgresql/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static const struct range_answer good = {
	.end = "2/41000028",
	.end_name = "000000030000000200000041",
	.required = "2/3F0000D8",
	.segment_bytes = "16777216",
	.files = "35",
	.oldest = "000000020000001F00000002", /* number, then timeline */
};

static void
test_good(void **state)
{
	struct log_range r;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(range_read(&good, &r, &err), OK);
	assert_int_equal(r.timeline, 3);
	assert_true(r.oldest == UINT64_C(0x21F000000));
	assert_true(r.required == UINT64_C(0x23F0000D8));
	assert_true(r.end == UINT64_C(0x241000028));
	assert_true(r.segment_bytes == 16 << 20);
	assert_int_equal(r.n_files, 35);
	/* Of before a promotion. */
	assert_string_equal(r.oldest_name, "00000002000000020000001F");
	assert_string_equal(r.end_name, good.end_name);
}

static void
refused(struct range_answer a)
{
	struct log_range r;
	struct error err = ERROR_INIT;

	assert_int_equal(range_read(&a, &r, &err), ERR_PROTOCOL);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {"", "x", "-1", "0x10", " 5", "99999999999999999999"};
	struct range_answer a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		refused((a = good, a.end = bad[i], a));
		refused((a = good, a.end_name = bad[i], a));
		refused((a = good, a.required = bad[i], a));
		refused((a = good, a.segment_bytes = bad[i], a));
		refused((a = good, a.files = bad[i], a));
		refused((a = good, a.oldest = bad[i], a));
	}
	refused((a = good, a.segment_bytes = "16777217", a));
	refused((a = good, a.segment_bytes = "4096", a));
	refused((a = good, a.segment_bytes = "2147483648", a));
	/* More segments than a 4 GiB part has. */
	refused((a = good, a.oldest = "000000010000010000000002", a));
	refused((a = good, a.end_name = "000000000000000200000041", a));
	/* Needed from before the oldest, or after the end. */
	refused((a = good, a.oldest = "000000020000004000000003", a));
	refused((a = good, a.required = "2/41000029", a));
}

static void
test_enough(void **state)
{
	(void)state;
	assert_int_equal(range_enough_s(0), 1);
	assert_int_equal(range_enough_s(900 * NS_PER_MS), 2);
	assert_int_equal(range_enough_s(41 * NS_PER_S), 62);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
