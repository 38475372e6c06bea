/* SPDX-License-Identifier: Apache-2.0 */

/* Retention: a walk from the newest point to the oldest, counting the periods met. */
#include "repo/retention.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* The number of a period: equal for two times in the same day, week ... and rising with time. */
typedef uint64_t period_fn(uint64_t days);

static uint64_t
day_of(uint64_t days)
{
	return days;
}

static uint64_t
week_of(uint64_t days)
{
	return (days + 3) / 7; /* 1970-01-01 was a Thursday */
}

/* Year and month of the civil calendar from days since 1970, counting years from March, so that the
 * leap day is the last of its year. */
static void
civil(uint64_t days, uint64_t *ret_year, uint64_t *ret_month)
{
	uint64_t z = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
	uint64_t era = z / 146097;
	uint64_t doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153; /* 0 is March */

	*ret_month = mp < 10 ? mp + 3 : mp - 9;
	*ret_year = yoe + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

static uint64_t
month_of(uint64_t days)
{
	uint64_t year, month;

	civil(days, &year, &month);
	return year * 12 + month;
}

static uint64_t
year_of(uint64_t days)
{
	uint64_t year, month;

	civil(days, &year, &month);
	return year;
}

bool
retention_empty(const struct retention_rules *r)
{
	return r->last == 0 && r->daily == 0 && r->weekly == 0 && r->monthly == 0 &&
	       r->yearly == 0 && r->within_s == 0;
}

/* Keep the newest point of each of the `count` newest periods that have one. */
static void
keep_periods(period_fn *period, uint64_t count, unsigned reason, const uint64_t *start_ns, size_t n,
	     unsigned *ret)
{
	uint64_t last = UINT64_MAX;

	for (size_t i = n; i-- > 0 && count > 0;) {
		uint64_t p = period(start_ns[i] / NS_PER_S / 86400);

		if (p == last)
			continue;
		last = p;
		count--;
		ret[i] |= reason;
	}
}

void
retention_decide(const struct retention_rules *rules, const uint64_t *start_ns, size_t n,
		 unsigned *ret)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t age_s = (start_ns[n - 1] - start_ns[i]) / NS_PER_S;

		ret[i] = 0;
		if (n - i <= rules->last)
			ret[i] |= RETENTION_LAST;
		if (rules->within_s > 0 && age_s <= rules->within_s)
			ret[i] |= RETENTION_WITHIN;
	}
	keep_periods(day_of, rules->daily, RETENTION_DAILY, start_ns, n, ret);
	keep_periods(week_of, rules->weekly, RETENTION_WEEKLY, start_ns, n, ret);
	keep_periods(month_of, rules->monthly, RETENTION_MONTHLY, start_ns, n, ret);
	keep_periods(year_of, rules->yearly, RETENTION_YEARLY, start_ns, n, ret);
}

char *
retention_reasons(unsigned reasons, char *text, size_t size)
{
	static const char *const names[] = {"last",    "daily",  "weekly",
					    "monthly", "yearly", "within"};
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if ((reasons & 1u << i) == 0)
			continue;
		(void)text_printf(text + used, size - used, "%s%s", used > 0 ? ", " : "", names[i]);
		used = strlen(text);
	}
	return text;
}
