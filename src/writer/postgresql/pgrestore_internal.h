/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the files of a restore share. Nobody else includes this.
 *
 *	pgrestore.c		before; and after: what the cluster is, and that it can start
 *	pgrestore_plan.c	the component's metadata; files below the target
 *	pgrestore_logs.c	after: pg_wal
 *	pgrestore_spaces.c	after: where the tablespaces are
 *	pgrestore_recovery.c	before and after: to which moment the server recovers
 *	pgrestore_replay.c	after: what its logs would do outside of the folder
 */
#ifndef HF_POSTGRESQL_PGRESTORE_INTERNAL_H
#define HF_POSTGRESQL_PGRESTORE_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "postgresql/control.h"
#include "writer/postgresql/dialect.h"
#include "writer/postgresql/pgrestore.h"

enum { PGRESTORE_FILE_MAX = 1 << 20 }; /* of the small ones that are read here */

/* The metadata, read and checked. */
struct pgrestore_plan {
	int version_num;
	uint64_t catalog_version;
	const char *system_identifier;
	unsigned dir_mode;
	uint64_t wal_segment_bytes;
	json_t *tablespaces; /* [{"oid", "location"}], borrowed */
	bool image; /* made without backup mode */
	json_t *wal; /* names, borrowed; NULL in an image */
	const struct dialect *dialect;
};

struct pgrestore_finishing {
	const struct pgrestore *r;
	struct pgrestore_plan p;
	int dir; /* the target */
	struct control control; /* what was restored; from check_identity on */
};

/* ---- pgrestore_plan.c ------------------------------------------------------------------------ */

CHECKED int pgrestore_plan_read(const json_t *metadata, struct pgrestore_plan *ret,
				struct error *err);
/* A path of any bytes, ended by a zero, in b. */
CHECKED int pgrestore_path_of(const json_t *j, struct buf *b, const char **ret, struct error *err);
/* Below a folder, without following links. As openat2(2). */
int pgrestore_open(int dir, const char *path, uint64_t flags);
CHECKED int pgrestore_read(const struct pgrestore_finishing *f, const char *path, struct buf *b,
			   struct error *err);
/* The restore is not complete, or not what the restore point says it is. */
enum err pgrestore_incomplete(const struct pgrestore_finishing *f, const char *what,
			      struct error *err);

/* ---- pgrestore_recovery.c -------------------------------------------------------------------- */

CHECKED int pgrestore_recovery_check(const json_t *recovery, const struct pgrestore_plan *p,
				     struct error *err);
/* The last step: it makes the server recover. */
CHECKED int pgrestore_recovery(const struct pgrestore_finishing *f, struct error *err);

/* ---- pgrestore_replay.c ----------------------------------------------------------------------- */

/* Would recovery, up to `position` (UINT64_MAX: all of it), create a tablespace where there is one already?
 * dir: of the logs. ERR_TARGET. */
CHECKED int pgrestore_replay(const struct pgrestore_finishing *f, int dir, uint64_t position,
			     struct error *err);

/* ---- pgrestore_logs.c, pgrestore_spaces.c ----------------------------------------------------- */

/* The logs that the cluster needs are here, and count as archived. */
CHECKED int pgrestore_logs(const struct pgrestore_finishing *f, struct error *err);
/* Links and map lead to where the tablespaces are now. */
CHECKED int pgrestore_spaces(const struct pgrestore_finishing *f, struct error *err);

#endif
