/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the files of the writer share. Nobody else includes this.
 *
 *	pgwriter.c		the events
 *	pgwriter_prepare.c	how to back up with this kind of snapshot, and the component
 */
#ifndef HF_POSTGRESQL_PGWRITER_INTERNAL_H
#define HF_POSTGRESQL_PGWRITER_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "postgresql/pgconn.h"
#include "writer/postgresql/cluster.h"
#include "writer/postgresql/dialect.h"
#include "writer/postgresql/hotbackup.h"
#include "writer/postgresql/image.h"
#include "writer/postgresql/pgsettings.h"
#include "writer/postgresql/pgwriter.h"
#include "writer/postgresql/reach.h"

struct pgwriter {
	pid_t parent;
	struct pgsettings settings;
	struct pgconn *conn; /* NULL: no session */
	struct cluster cluster; /* as of the last look */
	const struct dialect *dialect;
	struct hotbackup backup;
	struct image image;
	enum method {
		METHOD_NONE,
		METHOD_HOT, /* backup mode until all is read */
		METHOD_HOT_SNAPSHOT, /* backup mode until the snapshot is there */
		METHOD_IMAGE, /* none */
	} method;
	char why[REACH_WHY_MAX]; /* not the method after it */
	bool watching; /* the backup has begun: its session is asked, not only listened to */
	json_t *config_files; /* for the tail */
	json_t *tail; /* of a backup mode that has ended already */
};

/* How long an event may take, and who may end it. */
struct pgconn_limit pgwriter_limit(const struct writer_request *request);
/* Takes over value, also on failure. */
CHECKED int pgwriter_put(json_t *reply, const char *key, json_t *value, struct error *err);
/* The event; self is a struct pgwriter. */
CHECKED int pgwriter_prepare_snapshot(void *self, const struct writer_request *request,
				      json_t *reply, struct error *err);

#endif
