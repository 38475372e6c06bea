/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the restore points of a group say of the logs that are still needed. Pure.
 *
 * Two things let logs go: a full or incremental backup, which needs none before its own beginning; and log
 * backups, up to where they reach without a gap. Where log backups are being made, a full backup does not
 * go beyond them, as that would leave a gap which no moment between could be restored from. They count as
 * given up when there was none between the last two full or incremental backups: so logs are never kept
 * for ever for somebody who no longer fetches them.
 */
#ifndef HF_REQUESTER_TRUNCATION_STORED_H
#define HF_REQUESTER_TRUNCATION_STORED_H

#include "group/truncate.h"
#include "repo/point.h"

/* Of which history. */
struct truncation_of {
	const struct group *group;
	const char *identity; /* of the database */
	uint32_t timeline; /* of the active copy */
	uint64_t before; /* where the group's slot stands; 0: there is none */
};

struct truncation_log {
	const struct point *point;
	uint64_t from, to;
	uint32_t first_timeline, timeline; /* at its beginning and its end */
};

struct truncation_stored {
	struct truncate_stored what;
	const struct point *base; /* NULL: none */
	size_t n_logs;
	struct truncation_log
		*logs; /* those that go on without a gap up to what.logs, oldest first */
};

/* Points live as long as the list. */
CHECKED int truncation_stored_find(const struct truncation_of *of, const struct point_list *points,
				   struct truncation_stored *ret, struct error *err);
void truncation_stored_done(struct truncation_stored *s);

/* Whether the plan, made of this, relies on the point: it has to be whole then. */
bool truncation_stored_relies(const struct truncation_stored *s, const struct truncate_plan *plan,
			      const struct point *p);

#endif
