/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A temporary replication slot: it pins the log from its creation on, and it proves that the server
 * we talk to is the one whose files we see: its folder has a name nobody could know, and must appear
 * in the data folder on this machine. It goes with the session.
 */
#ifndef HF_POSTGRESQL_SLOT_H
#define HF_POSTGRESQL_SLOT_H

#include "base/base.h"
#include "base/error.h"
#include "postgresql/pgconn.h"
#include "writer/postgresql/cluster.h"

enum { SLOT_NAME_MAX = 64 };

CHECKED int slot_create(struct pgconn *c, const struct cluster *cluster,
			const struct pgconn_limit *limit, char name[SLOT_NAME_MAX],
			struct error *err);
CHECKED int slot_drop(struct pgconn *c, const struct pgconn_limit *limit, const char *name,
		      struct error *err);

#endif
