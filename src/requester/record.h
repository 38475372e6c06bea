/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The record of a restore point while its backup runs: what goes into the JSON that point_write()
 * stores. The fields are described in doc/json.md.
 */
#ifndef HF_REQUESTER_RECORD_H
#define HF_REQUESTER_RECORD_H

#include <jansson.h>

#include "agent/session.h"
#include "base/base.h"
#include "base/error.h"
#include "mover/progress.h"
#include "repo/point.h"
#include "repo/write.h"
#include "requester/warnings.h"

struct backup_job;

struct record {
	json_t *json;
	json_t *paths; /* borrowed from json */
	enum consistency consistency; /* the least of all roots'; 0 while there is none */
	char reason[SESSION_REASON_MAX]; /* why it is not the best there could be; or "" */
	char parent[2 * OBJECT_ID_SIZE + 1]; /* the restore point compared with, or "" */
};

CHECKED int record_begin(struct record *r, const struct backup_job *job,
			 const struct session_order *order, struct error *err);
/* What an incremental backup goes on from; NULL: none. */
CHECKED int record_base(struct record *r, const struct point *base, struct error *err);
void record_done(struct record *r);

/* What was moved, and what it was worth: the roots, each with its consistency. `roots` of both as
 * task.h and session.h have them. */
CHECKED int record_roots(struct record *r, const json_t *moved, const json_t *verdict,
			 struct error *err);
/* When it was, and by whose leave. */
CHECKED int record_moment(struct record *r, const struct session_prepared *prepared,
			  const struct session_moment *moment, struct error *err);
CHECKED int record_finish(struct record *r, uint64_t start_ns, uint64_t end_ns,
			  const struct warnings *warnings, struct progress *progress,
			  const struct repo_write_stats *write, struct error *err);

#endif
