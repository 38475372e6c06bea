/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The database's side of a backup in backup mode: a session whose slot pins the log, is in backup
 * mode from begin to end, and is watched all the time between. When the session ends, for whatever
 * reason, so do both: nothing is ever left behind in the server.
 *
 *	slot_create -> hotbackup_begin -> (the mover copies, or a snapshot is made; hotbackup_watch)
 *	-> hotbackup_end -> (the mover copies the logs; hotbackup_watch) -> hotbackup_release
 *
 * hotbackup_cancel may come at any point, also after a failure, and more than once.
 */
#ifndef HF_POSTGRESQL_HOTBACKUP_H
#define HF_POSTGRESQL_HOTBACKUP_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "postgresql/pgconn.h"
#include "writer/postgresql/cluster.h"
#include "writer/postgresql/dialect.h"
#include "writer/postgresql/slot.h"

struct hotbackup {
	/* Lent; must outlive the backup. */
	struct pgconn *conn;
	const struct cluster *cluster;
	const struct dialect *dialect;

	char slot[SLOT_NAME_MAX]; /* which holds the log; made before */
	bool in_backup_mode;
	bool ended; /* nothing but the log is held any more */
	uint32_t timeline; /* of the start */
	uint64_t start_lsn;
	uint64_t stop_lsn; /* 0 before the end */
	uint64_t start_time_ns; /* the server's clock, before the start */
	uint64_t asked_ns; /* when the last look at the session was sent; 0: none is open */
};

/* Enter backup mode. On failure: hotbackup_cancel, or close the session. */
CHECKED int hotbackup_begin(struct hotbackup *b, const char *label,
			    const struct pgconn_limit *limit, struct error *err);

/* Between events; never blocks. Call it when the session's descriptor is ready and at *ret_next_ns.
 * Says within seconds when the backup has become worthless. */
CHECKED int hotbackup_watch(struct hotbackup *b, uint64_t *ret_next_ns, struct error *err);

/* Ask now and wait for the answer: is everything still as it must be? */
CHECKED int hotbackup_prove(struct hotbackup *b, const struct pgconn_limit *limit,
			    struct error *err);

/* Leave backup mode; *ret_tail is the object "tail" of post-copy (new reference). The slot
 * stays. */
CHECKED int hotbackup_end(struct hotbackup *b, const struct pgconn_limit *limit, json_t **ret_tail,
			  struct error *err);

/* Were the logs held until now? Then let them go. */
CHECKED int hotbackup_release(struct hotbackup *b, const struct pgconn_limit *limit,
			      struct error *err);

/* Forget everything; the session is to be closed afterwards, which undoes what is left. */
void hotbackup_cancel(struct hotbackup *b);

#endif
