/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What kind of cluster the session is in, and whether this writer can back it up. Nothing here
 * changes anything in it.
 */
#ifndef HF_POSTGRESQL_CLUSTER_H
#define HF_POSTGRESQL_CLUSTER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "postgresql/pgconn.h"
#include "writer/postgresql/dialect.h"
#include "writer/postgresql/spcmap.h"

struct cluster {
	int version_num; /* 150004 */
	char version[64]; /* "15.4 (Debian ...)" */
	char system_identifier[24]; /* a 64-bit number in decimal */
	uint64_t catalog_version;
	bool standby;
	uint32_t timeline; /* of the last checkpoint */
	uint32_t block_size;
	uint64_t segment_pages;
	uint64_t wal_segment_bytes;
	bool checksums;
	bool full_page_writes; /* when the last checkpoint was made */
	unsigned dir_mode; /* 0700 or 0750 */
	char wal_level[16];
	uint64_t max_slots, used_slots, temporary_slots;
	uint64_t tablespaces; /* beside the two that every cluster has */
	char *data_directory; /* as the server names it; NULL if we may not know */
};

CHECKED int cluster_look(struct pgconn *c, const struct pgconn_limit *limit, struct cluster *ret,
			 struct error *err);
void cluster_done(struct cluster *cl);

/* For "metadata" of identify: new reference, NULL when out of memory. */
json_t *cluster_describe(const struct cluster *cl);

/* May a backup begin? Each refusal says what to change. */
CHECKED int cluster_check(const struct cluster *cl, const struct dialect *dialect, struct pgconn *c,
			  const struct pgconn_limit *limit, struct error *err);

/* The tablespaces that have a folder outside of the data folder, by their numbers. */
CHECKED int cluster_tablespaces(struct pgconn *c, const struct pgconn_limit *limit,
				struct spcmap *ret, struct error *err);

/* What the server's clock says: ns since 1970. */
CHECKED int cluster_clock(struct pgconn *c, const struct pgconn_limit *limit, uint64_t *ret_ns,
			  struct error *err);

/* Before a backup: no time limit of the server's may end this session. */
CHECKED int cluster_set_up_session(struct pgconn *c, const struct dialect *dialect,
				   const struct pgconn_limit *limit, struct error *err);

#endif
