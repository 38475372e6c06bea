/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which blobs do restore points need? A bit for each record of the index, set by walking every tree
 * and file map. Whatever was seen before is not walked again, so the cost is that of the distinct
 * metadata, not of the number of points.
 *
 * Any blob that cannot be found or read ends the walk with an error: what is not known to be unneeded
 * must never look unneeded.
 */
#ifndef HF_REPO_REACH_H
#define HF_REPO_REACH_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/read.h"
#include "repo/repo.h"

struct reach;

/* The index must not change while the reach is in use. */
CHECKED int reach_new(struct repo *repo, struct repo_index *index, struct reach **ret,
		      struct error *err);
void reach_free(struct reach *r);
void reach_freep(struct reach **r);

/* Add everything below a tree. `cancelled` may be NULL. */
CHECKED int reach_add_tree(struct reach *r, const struct blob_id *tree,
			   const _Atomic bool *cancelled, struct error *err);

/* Each record of the index with its bit. The same blob may come more than once (in several packs);
 * only one of its records is ever reached. */
typedef int reach_record_fn(void *arg, const struct blob_id *id, const struct blob_loc *loc,
			    bool reached, struct error *err);
CHECKED int reach_each(struct reach *r, reach_record_fn *each, void *arg, struct error *err);

/* Bytes of files that trees added so far describe, each tree's files counted once. */
uint64_t reach_logical_bytes(const struct reach *r);
uint64_t reach_files(const struct reach *r);

#endif
