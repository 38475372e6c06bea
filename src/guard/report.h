/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the guard says: about a moment, about a lease, about what happened. No pointers: these cross
 * between processes as they are.
 */
#ifndef HF_GUARD_REPORT_H
#define HF_GUARD_REPORT_H

#include <stdbool.h>

#include "base/base.h"
#include "base/event.h"
#include "guard/lease.h"
#include "provider/snapshot.h"

enum {
	GUARD_JOB_MAX = 64, /* the name of a job, with its zero */
	GUARD_WRITERS_MAX = 16, /* of one set */
	GUARD_FIELDS_MAX = 1024,
};

/* Of the moment that guard_snapshot made. */
struct guard_moment {
	uint64_t wall_ns; /* when it was: the last snapshot was complete, nothing was thawed yet */
	uint64_t
		frozen_ns; /* from the first file system that froze to the last that thawed; 0: none */
	uint32_t n_frozen; /* file systems */
	uint32_t n_snapshots;
	bool ours; /* nobody else thawed: each thaw of ours found its file system frozen */
};

struct guard_verdict {
	/* One moment, provably: our own thaw ended each freeze, within the cap; no writer's process
	 * ended while it was frozen; and the lease never broke until now. */
	bool proven;
	uint64_t frozen_ns; /* from guard_freeze to guard_thawed */
	uint64_t held_ns; /* from guard_thawed until now */
};

/* A lease as it is now. */
struct guard_lease {
	struct lease lease;
	char job[GUARD_JOB_MAX];
	uint64_t begun_wall_ns; /* 0: not known any more */
	uint32_t n_snapshots;
};

/* Something that happened: which events there are, and what their fields are called, is in
 * base/events.def. */
struct guard_event {
	uint64_t boot_ns, wall_ns; /* when it happened, not when it was told */
	enum event_id id;
	struct lease_key key; /* all zero: about no set */
	char job[GUARD_JOB_MAX];
	char fields[GUARD_FIELDS_MAX]; /* "ttl_s=1200 last_keep_ms=5"; an "error" comes last */
};

struct eventlog;

/* Into the event log, with its set and its own time. A log of NULL keeps nothing. */
void guard_event_log(struct eventlog *log, const struct guard_event *event);

#endif
