/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Truncation: after a FULL, INCREMENTAL or LOG backup of a group was stored and verified, the active
 * copy lets go of the logs that it made needless (group/truncate.h decides how far). Or by hand, from
 * what the repository holds.
 *
 *	struct truncation t;
 *	if (truncation_run(&(struct truncation_order){.repo = repo, .group = group, .point = &id,
 *						      .events = log, .job = job}, &t, err) < 0)
 *		the restore point is good all the same: a warning
 *
 * Verified, as deep as the group's setting says; by default: every blob of the restore point is in the index, and
 * every pack it needs is there, has its size, and is read from end to end, each byte authenticated; of logs each
 * file is there, and each record in it is one that a server would accept. A COPY never truncates: nothing is done.
 */
#ifndef HF_REQUESTER_TRUNCATION_H
#define HF_REQUESTER_TRUNCATION_H

#include <stdatomic.h>

#include "group/truncate.h"
#include "repo/repo.h"
#include "repo/verify.h"

struct eventlog;

struct truncation_order {
	struct repo *repo;
	const struct group *group;
	const struct object_id *point; /* just stored, and the reason; NULL: by hand */
	bool explain; /* look and decide, move and verify nothing */
	struct eventlog *events; /* LOGS_TRUNCATED, LOGS_NOT_TRUNCATED; NULL: none */
	const char *job; /* for events; NULL: none */
	const _Atomic bool *cancelled; /* may be NULL */
	/* What takes time, for people: "verifying restore point 1a2b3c4d". May be NULL. */
	void (*note)(void *arg, const char *text);
	void *note_arg;
};

struct truncation {
	struct truncate_plan plan;
	bool moved; /* from plan.before to plan.to */
	char said[TRUNCATE_SENTENCE_MAX]; /* what came of it, in a sentence */
};

/*
 * OK also when nothing could be let go of: the plan says why. ERR_CORRUPT: a restore point that was
 * counted on is not whole (nothing was let go of). Ends within the group's own limits when the active copy
 * does not answer; verifying takes as long as reading the restore point does.
 */
CHECKED int truncation_run(const struct truncation_order *order, struct truncation *ret,
			   struct error *err);

#endif
