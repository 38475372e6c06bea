/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The backup of a group, from the choice of a copy to the truncation of the logs:
 *
 *	1. look at all copies, choose one			group/status.h, group/choose.h
 *	2. ask the active copy which logs a backup may need	engine->log_range()
 *	3. open the backup context on it			group/context.h
 *	4. back up the chosen copy through its agent		requester/backup.h
 *	5. prove that all of it was true to the end, write the restore point, close the context
 *	6. let the active copy go of logs, if the type does	requester/truncation.h
 *
 * A backup of type LOG has no copy to choose and nothing to hold: requester/log_backup.h, and then 6.
 *
 * The restore point's host is the group, "group:NAME", whichever copy was read.
 *
 * What fails of something that passes is repeated from step 1. While data moves the context and the role of the
 * copy are looked at ten times a second: what is lost there stops the backup at once. That, and what it fails of
 * before the copy's agent is asked for anything, becomes the last error of the copy's writer (group_blame.h).
 */
#ifndef HF_REQUESTER_GROUP_BACKUP_H
#define HF_REQUESTER_GROUP_BACKUP_H

#include "group/group.h"
#include "requester/backup.h"
#include "requester/log_backup.h"
#include "requester/retry.h"

struct eventlog;

struct group_backup_result {
	enum backup_type type;
	struct backup_result backup; /* of any type but BACKUP_LOG */
	struct log_backup_result logs; /* of BACKUP_LOG */
	char copy[GROUP_NAME_MAX + 1], active[GROUP_NAME_MAX + 1];
	bool passive; /* the copy was */
	unsigned tries,
		reopened; /* how many it took; how often the context was lost and came back */
	char truncated[640]; /* what became of the logs, in a sentence; "" of a copy backup */
	struct error
		truncation; /* code OK: nothing went wrong with that. The restore point is good anyway */
};

struct group_backup_order {
	const struct group *group;
	/* guest, host, watch and order.writers are set by the recipe; order.paths are none. order.job names all
	 * tries. */
	struct backup_job job;
	struct retry_policy retry;
	bool wait; /* for a backup of the group that is running already; else ERR_GROUP_BUSY */
	const char *holder; /* this host, as others are to see it in the database */
	const char *state_dir; /* for logs on their way */
	struct eventlog *events; /* NULL: none are kept */
	/* The agent of a copy, by its URL; from any thread. limit_ns: until it has answered; 0: as long as it takes
	 * by default. */
	int (*open_guest)(void *arg, const char *agent, uint64_t limit_ns, struct guest **ret,
			  struct error *err);
	void *open_arg;
	/* A line for people that stays on the screen: which copy was chosen and why, what is waited for. From any
	 * thread. May be NULL. */
	void (*note)(void *arg, const char *text);
	/* The restore point is stored; logs may be let go of after it. With note_arg. May be NULL. */
	void (*stored)(void *arg, const struct group_backup_result *r);
	void *note_arg;
};

CHECKED int group_backup_run(struct repo *repo, const struct group_backup_order *order,
			     struct group_backup_result *ret, struct error *err);

#endif
