/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restore points: one sealed record each, points/ID, written last. The record is JSON (documented in
 * doc/format.md) so that it can grow; what the engine itself needs is unpacked here.
 */
#ifndef HF_REPO_POINT_H
#define HF_REPO_POINT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/consistency.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/repo.h"

enum { POINT_ROOTS_MAX = 64, POINT_JSON_MAX = 16 << 20 };

/*
 * One root of a restore point: the folders of this host (name "", one tree whose top folder is "/"),
 * or a component of a writer (name "postgresql" or "postgresql:NAME", its own tree).
 */
struct point_root {
	char *name;
	struct blob_id tree;
	json_t *component; /* what the writer said of it; NULL for folders. Owned by `json`. */
};

struct point {
	struct object_id id;
	char id_text[2 * OBJECT_ID_SIZE + 1];
	uint64_t start_ns, end_ns; /* wall clock */
	char *host;
	enum consistency consistency;
	bool incomplete; /* something could not be read: exit code 3 */
	size_t n_roots;
	struct point_root *roots;
	json_t *json; /* the whole record, for showing */
};

/* "full", "copy", "incremental" or "log"; what says nothing is full. A point of type log holds a database's
 * logs only: nothing that could be restored by itself. */
const char *point_type(const struct point *p);
bool point_is_log(const struct point *p);

const char *point_consistency_name(enum consistency c); /* "application" */
bool point_consistency_find(const char *name, enum consistency *ret);

/*
 * Store a record. `json` needs: "start", "end" (ns since 1970), "host", "consistency", "incomplete",
 * "roots": [{"name", "tree" (hex), "component"?}]; everything else is kept as it is ("paths", "tags",
 * "stats", "warnings", "program", "parent" ...). Checked by parsing it back before it is written.
 */
CHECKED int point_write(struct repo *repo, json_t *json, struct object_id *ret_id,
			struct error *err);
CHECKED int point_read(struct repo *repo, const struct object_id *id, struct point **ret,
		       struct error *err);
void point_free(struct point *p);
void point_freep(struct point **p);

/* All points, oldest first (by start). An unreadable point is an error that names it. */
struct point_list {
	size_t n;
	struct point **points;
};
CHECKED int point_list_read(struct repo *repo, struct point_list *ret, struct error *err);
void point_list_done(struct point_list *l);
/* "latest" (newest by start, not of type log), a full id, or a unique prefix of at least 2 digits. ERR_POINT,
 * ERR_AMBIGUOUS. */
CHECKED int point_resolve(struct repo *repo, const char *text, struct point **ret,
			  struct error *err);
/* 1 removed, 0 was gone already. Data is freed by prune. */
CHECKED int point_remove(struct repo *repo, const struct object_id *id, struct error *err);

const struct point_root *point_find_root(const struct point *p, const char *name);

#endif
