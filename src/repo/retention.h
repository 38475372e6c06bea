/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which restore points to keep: a pure function of their times and the rules. A point is kept if
 * any rule keeps it; without any rule nothing would be, so callers ask retention_empty() first.
 *
 * Days, weeks (from Monday), months and years are those of UTC, so that the decision does not
 * depend on where it is made. "The last N days that have one": days without a restore point do
 * not count, so a host that was off for a month keeps as many as one that was not. "Within"
 * counts from the newest point, not from now, for the same reason.
 */
#ifndef HF_REPO_RETENTION_H
#define HF_REPO_RETENTION_H

#include <stdbool.h>

#include "base/base.h"

struct retention_rules {
	uint64_t last; /* the newest so many */
	uint64_t daily, weekly, monthly, yearly; /* the newest of each of so many periods */
	uint64_t within_s; /* at most so much older than the newest */
};

/* Why a point is kept; 0: it is not. */
enum retention_reason {
	RETENTION_LAST = 1,
	RETENTION_DAILY = 2,
	RETENTION_WEEKLY = 4,
	RETENTION_MONTHLY = 8,
	RETENTION_YEARLY = 16,
	RETENTION_WITHIN = 32,
};

bool retention_empty(const struct retention_rules *rules);

/* Decide for n points of one series, by their start times (ns since 1970), oldest first.
 * ret[i]: a set of enum retention_reason. */
void retention_decide(const struct retention_rules *rules, const uint64_t *start_ns, size_t n,
		      unsigned *ret);

/* "last, daily"; returns text. */
char *retention_reasons(unsigned reasons, char *text, size_t size);

#endif
