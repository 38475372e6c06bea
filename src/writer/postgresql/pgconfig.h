/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The cluster's configuration, where it lies outside of the data folder (Debian puts it under
 * /etc): the restored folder must start by itself, so these files go into it under the names
 * PostgreSQL looks for there. Files that are in the data folder are copied like all others and of
 * no concern here.
 *
 * postgresql.conf is made of the settings in force, because a copy of the original would refer to
 * other files, and above all to the original's data folder.
 */
#ifndef HF_POSTGRESQL_PGCONFIG_H
#define HF_POSTGRESQL_PGCONFIG_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"
#include "postgresql/pgconn.h"
#include "writer/postgresql/cluster.h"

/* An array for "files" of the tail, maybe empty: new reference. */
CHECKED int pgconfig_collect(const struct cluster *cl, struct pgconn *c,
			     const struct pgconn_limit *limit, json_t **ret, struct error *err);

/* A line of postgresql.conf, appended: name = 'value', quoted so that it reads back as it was. */
struct buf;
CHECKED int pgconfig_line(const char *name, const char *value, struct buf *out, struct error *err);

#endif
