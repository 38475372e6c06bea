/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The database's side of one backup: a session that pins the log with a temporary slot, is in
 * backup mode from begin to end, and is watched all the time between. When the session ends, for
 * whatever reason, so do both: nothing is ever left behind in the server.
 *
 *	hotbackup_begin -> (the mover copies; hotbackup_watch) -> hotbackup_end -> (the mover copies
 *	the logs; hotbackup_watch) -> hotbackup_release
 *
 * hotbackup_cancel may come at any point, also after a failure, and more than once.
 */
#ifndef HF_POSTGRESQL_HOTBACKUP_H
#define HF_POSTGRESQL_HOTBACKUP_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "writer/postgresql/cluster.h"
#include "writer/postgresql/dialect.h"
#include "writer/postgresql/pgconn.h"
#include "writer/postgresql/spcmap.h"

struct hotbackup {
	/* Lent; must outlive the backup. */
	struct pgconn *conn;
	const struct cluster *cluster;
	const struct dialect *dialect;

	char slot[64]; /* "" while there is none */
	bool in_backup_mode;
	uint32_t timeline; /* of the start */
	uint64_t start_lsn;
	uint64_t stop_lsn; /* 0 before the end */
	uint64_t asked_ns; /* when the last look at the session was sent; 0: none is open */
};

/* Set up the session, reserve the log, enter backup mode. ret_tablespaces: those outside of the
 * data folder. On failure: hotbackup_cancel, or close the session. */
CHECKED int hotbackup_begin(struct hotbackup *b, const char *label,
			    const struct pgconn_limit *limit, struct spcmap *ret_tablespaces,
			    struct error *err);

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
