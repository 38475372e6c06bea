/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One backup, from an open repository to a stored restore point: the recipe that the command line
 * follows, and later the jobs of a server.
 *
 * On failure nothing is left behind but data the next backup uses: writers are aborted and the
 * databases go on as if nothing had been.
 */
#ifndef HF_REQUESTER_BACKUP_H
#define HF_REQUESTER_BACKUP_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "mover/backup.h"
#include "repo/point.h"
#include "repo/repo.h"
#include "repo/write.h"
#include "requester/backup_type.h"
#include "requester/guest.h"

/*
 * What has to hold from the beginning to the end of the backup besides the guest itself: of a group, the context
 * on its active copy. What it fails of goes to the guest, too, as the reason of the abort.
 */
struct backup_watch {
	/* As keeper_watch: about every 100 ms, from a thread of the keeper's, never waits. */
	int (*check)(void *arg, struct error *err);
	/* Everything is durable, the restore point is about to be written: the last chance to say no. `roots` is
	 * what was moved (task.h); `record` is the restore point in the making, to be added to. */
	int (*prove)(void *arg, const json_t *roots, json_t *record, struct error *err);
	/* The backup failed of something else: `failure`. If what is watched is the reason, which others may have
	 * seen the effects of first, fails of that. May wait for an answer. */
	int (*explain)(void *arg, const struct error *failure, struct error *err);
	void *arg;
};

struct backup_job {
	struct guest
		*guest; /* the protected host: fresh, for this one backup; stays the caller's */
	const char *host; /* its name in restore points */
	struct session_order
		order; /* paths: absolute, normalised; backup_type is set by the recipe */
	size_t n_tags;
	const char *const *tags;
	struct mover_options mover; /* warn, check and their arguments are set by the recipe */
	struct repo_write_options write;
	mover_warn_fn *warn; /* may be NULL; from any thread, one at a time */
	void *warn_arg;
	session_phase_fn *phase; /* what is happening now, for people; may be NULL */
	void *phase_arg;
	enum backup_type type; /* 0: full */
	const struct backup_watch *watch; /* NULL: nothing but the guest */
};

struct backup_result {
	struct object_id id;
	char id_text[2 * OBJECT_ID_SIZE + 1];
	char parent_text[2 * OBJECT_ID_SIZE + 1]; /* "" if there was none to compare with */
	enum consistency consistency; /* the least of all roots' */
	bool weaker; /* than required, or than was promised; reason says why */
	char reason
		[SESSION_REASON_MAX]; /* why the consistency is not the best there could be; or "" */
	uint64_t frozen_ns; /* how long things stood still */
	bool incomplete;
	uint64_t warnings;
	uint64_t warnings_dropped; /* of them, neither shown nor kept: there were too many */
	uint64_t start_ns, end_ns;
	struct repo_write_stats write;
};

CHECKED int backup_run(struct repo *repo, const struct backup_job *job, struct backup_result *ret,
		       struct error *err);

#endif
