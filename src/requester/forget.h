/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Deciding which restore points go. Rules apply to each series by itself: the points of one host
 * with the same paths and roots. A rule that counted across hosts would let a busy one push out a
 * quiet one.
 *
 * Points of type log belong to no series and no rule counts them: they go when no backup that is kept
 * needs them, that is when all their logs end before the oldest of those.
 */
#ifndef HF_REQUESTER_FORGET_H
#define HF_REQUESTER_FORGET_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"
#include "repo/retention.h"

/* Which points are looked at; NULL and 0: all. */
struct forget_filter {
	const char *host;
	size_t n_tags; /* with any of them */
	const char *const *tags;
};

bool forget_matches(const struct forget_filter *filter, const struct point *p);

/*
 * For each point of the list, in its order: *ret[i] is a set of enum retention_reason, 0: forget
 * it. Logs that are kept get FORGET_LOGS_NEEDED; points that the filter leaves out FORGET_NOT_LOOKED_AT. The array is the caller's to free.
 */
enum { FORGET_NOT_LOOKED_AT = 1 << 30, FORGET_LOGS_NEEDED = 1 << 29 };
CHECKED int forget_decide(const struct point_list *list, const struct forget_filter *filter,
			  const struct retention_rules *rules, unsigned **ret, struct error *err);

#endif
