/* SPDX-License-Identifier: Apache-2.0 */

/* Retention rules, against points at known days. */
#include "repo/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

enum { POINTS_MAX = 800 };

static uint64_t
at(int year, int month, int day, int hour)
{
	struct tm tm = {
		.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour};

	return (uint64_t)timegm(&tm) * NS_PER_S;
}

static size_t
kept(const unsigned *reasons, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += reasons[i] != 0;
	return count;
}

static void
test_last(void **state)
{
	uint64_t t[4] = {at(2024, 1, 1, 0), at(2024, 1, 1, 1), at(2024, 1, 1, 2),
			 at(2024, 1, 1, 3)};
	unsigned r[4];

	(void)state;
	retention_decide(&(struct retention_rules){.last = 2}, t, 4, r);
	assert_int_equal(r[0], 0);
	assert_int_equal(r[1], 0);
	assert_int_equal(r[2], RETENTION_LAST);
	assert_int_equal(r[3], RETENTION_LAST);
	retention_decide(&(struct retention_rules){.last = 9}, t, 4, r);
	assert_int_equal(kept(r, 4), 4);
}

/* The newest of each day; days without a point do not count. */
static void
test_daily(void **state)
{
	uint64_t t[5] = {at(2024, 2, 1, 5), at(2024, 2, 28, 1), at(2024, 2, 28, 23),
			 at(2024, 2, 29, 0), at(2024, 2, 29, 23)};
	unsigned r[5];

	(void)state;
	retention_decide(&(struct retention_rules){.daily = 3}, t, 5, r);
	assert_int_equal(r[0], RETENTION_DAILY);
	assert_int_equal(r[1], 0);
	assert_int_equal(r[2], RETENTION_DAILY);
	assert_int_equal(r[3], 0);
	assert_int_equal(r[4], RETENTION_DAILY);
	retention_decide(&(struct retention_rules){.daily = 1}, t, 5, r);
	assert_int_equal(kept(r, 5), 1);
	assert_int_equal(r[4], RETENTION_DAILY);
}

/* 2024-03-10 was a Sunday. */
static void
test_weeks_begin_on_monday(void **state)
{
	uint64_t t[3] = {at(2024, 3, 4, 0), at(2024, 3, 10, 23), at(2024, 3, 11, 0)};
	unsigned r[3];

	(void)state;
	retention_decide(&(struct retention_rules){.weekly = 5}, t, 3, r);
	assert_int_equal(r[0], 0);
	assert_int_equal(r[1], RETENTION_WEEKLY);
	assert_int_equal(r[2], RETENTION_WEEKLY);
}

/* Compare months and years with the C library's calendar, over two years with a leap day. */
static void
test_months_and_years(void **state)
{
	static uint64_t t[POINTS_MAX];
	static unsigned r[POINTS_MAX];
	size_t n = 0;

	(void)state;
	for (uint64_t ns = at(2023, 1, 1, 12); ns < at(2025, 2, 1, 0); ns += 86400 * NS_PER_S)
		t[n++] = ns;
	retention_decide(&(struct retention_rules){.monthly = 25, .yearly = 3}, t, n, r);
	for (size_t i = 0; i < n; i++) {
		time_t now = (time_t)(t[i] / NS_PER_S), next = now + 86400;
		struct tm a, b;

		assert_non_null(gmtime_r(&now, &a));
		assert_non_null(gmtime_r(&next, &b));
		assert_int_equal((r[i] & RETENTION_MONTHLY) != 0,
				 a.tm_mon != b.tm_mon || i + 1 == n);
		assert_int_equal((r[i] & RETENTION_YEARLY) != 0,
				 a.tm_year != b.tm_year || i + 1 == n);
	}
}

/* From the newest point, not from now. */
static void
test_within(void **state)
{
	uint64_t t[3] = {at(2001, 1, 1, 0), at(2001, 1, 2, 0), at(2001, 1, 3, 0)};
	unsigned r[3];

	(void)state;
	retention_decide(&(struct retention_rules){.within_s = 86400}, t, 3, r);
	assert_int_equal(r[0], 0);
	assert_int_equal(r[1], RETENTION_WITHIN);
	assert_int_equal(r[2], RETENTION_WITHIN);
}

static void
test_rules_add_up(void **state)
{
	uint64_t t[2] = {at(2024, 1, 1, 0), at(2024, 1, 2, 0)};
	unsigned r[2];
	char text[96];

	(void)state;
	retention_decide(&(struct retention_rules){.last = 1, .yearly = 1}, t, 2, r);
	assert_int_equal(r[0], 0);
	assert_string_equal(retention_reasons(r[1], text, sizeof(text)), "last, yearly");
	assert_string_equal(retention_reasons(0, text, sizeof(text)), "");
	assert_true(retention_empty(&(struct retention_rules){0}));
	assert_false(retention_empty(&(struct retention_rules){.within_s = 1}));
	retention_decide(&(struct retention_rules){.last = 1}, t, 0, r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_daily),
		cmocka_unit_test(test_weeks_begin_on_monday),
		cmocka_unit_test(test_months_and_years),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_rules_add_up),
	};

	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
