/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One restore, from an open repository to files on disk: the recipe the command line follows.
 *
 * A whole component goes through its writer, before (may it be restored there?) and after (make
 * it fit to start). Parts of one are only files.
 */
#ifndef HF_REQUESTER_RESTORE_H
#define HF_REQUESTER_RESTORE_H

#include <jansson.h>

#include "agent/writers.h"
#include "base/base.h"
#include "base/error.h"
#include "mover/restore.h"
#include "repo/point.h"
#include "repo/repo.h"
#include "requester/backup.h"
#include "requester/log_search.h"

struct restore_job {
	const char *what; /* POINT[:PATH]; NULL: the moment says it */
	/* A database as it was at a moment: what, and whose. `what`, if given, is the backup to begin with. */
	struct log_target moment;
	const char *group; /* NULL: the only database whose logs there are */
	uint32_t timeline; /* 0: the newest */
	const char *target; /* absolute */
	enum restore_mode mode;
	unsigned workers;
	bool no_owner;
	const json_t *map; /* {"OLD": "NEW"} for tablespaces, or NULL */
	struct writers_setup setup;
	struct progress *progress; /* required */
	mover_warn_fn *warn; /* may be NULL */
	void *warn_arg;
	session_phase_fn *phase; /* may be NULL */
	void *phase_arg;
};

struct restore_result {
	char id_text[2 * OBJECT_ID_SIZE + 1];
	json_t *recovery; /* what the server was told (doc/writer-protocol.md); NULL: nothing. Caller's. */
	struct restore_stats stats;
	uint64_t warnings;
	uint64_t warnings_dropped; /* of them, not shown: there were too many */
	uint64_t serious;
};

CHECKED int restore_run(struct repo *repo, const struct restore_job *job,
			struct restore_result *ret, struct error *err);

#endif
