/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A backup of type LOG: the logs of a group from where the repository's end up to where the active copy
 * is now, as one closed restore point (log_point.h). No snapshot, no agent: they are streamed from the active
 * copy's server. Where a log copier runs for the group, it is asked to store what it has at once, and what
 * it stores is the result.
 *
 * Nothing is let go of on the active copy: that is truncation's business, once it is verified.
 */
#ifndef HF_REQUESTER_LOG_BACKUP_H
#define HF_REQUESTER_LOG_BACKUP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/eventlog.h"
#include "group/group.h"
#include "repo/repo.h"
#include "repo/write.h"
#include "requester/log_point.h"

struct log_backup_order {
	struct repo *repo; /* open, with keys */
	const struct group *group;
	const char *state_dir; /* agent.state_dir: what is on its way lies below it */
	struct repo_write_options write;
	size_t n_tags;
	const char *const *tags;
	struct eventlog *events; /* NULL: none */
	const char *job; /* for events; NULL: none */
	/* What happens now, for people, from the calling thread. May be NULL. */
	void (*say)(void *arg, const char *what);
	void *say_arg;
	const _Atomic bool *cancelled; /* may be NULL */
};

struct log_backup_result {
	struct object_id id;
	char id_text[2 * OBJECT_ID_SIZE + 1];
	char active[64]; /* the copy it came from */
	struct log_point logs; /* what the restore point has */
	/* Logs that should have been there and were not: no moment between can be restored to, and none after
	 * from a base before. Worth a warning, and a full backup. Both 0: none. */
	uint64_t gap_from, gap_to;
	bool by_copier; /* the log copier had it, or stored it for us */
	uint64_t bytes; /* of log received */
	uint64_t start_ns, end_ns; /* wall clock */
	struct repo_write_stats write;
};

/*
 * ERR_BACKUP_TYPE: the group's engine has no logs to copy. ERR_TIMEOUT: the copier
 * stores nothing. Else as the group's engine says. Of all of them the retryable ones are worth repeating; what
 * was received stays.
 */
CHECKED int log_backup_run(const struct log_backup_order *order, struct log_backup_result *ret,
			   struct error *err);

#endif
