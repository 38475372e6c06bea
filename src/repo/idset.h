/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A set of blob ids: open addressing, keys are already evenly spread. Not thread-safe.
 */
#ifndef HF_REPO_IDSET_H
#define HF_REPO_IDSET_H

#include "base/base.h"
#include "base/error.h"
#include "repo/format.h"

struct idset {
	struct blob_id *slots; /* the zero id: empty */
	size_t n, cap; /* cap is a power of two, or 0 */
};

void idset_done(struct idset *s);
/* 1 added, 0 was there, < 0 out of memory. */
CHECKED int idset_add(struct idset *s, const struct blob_id *id, struct error *err);
bool idset_has(const struct idset *s, const struct blob_id *id);
/* No effect if absent. */
void idset_remove(struct idset *s, const struct blob_id *id);

#endif
