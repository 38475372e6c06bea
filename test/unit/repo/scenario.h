/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One small backup of everything the format has: blobs of each class over several packs, small files
 * that share a frame, a file in chunks, a paged file with holes, a folder in a folder, a restore
 * point. Made without assertions, so that it can be made to fail anywhere; what it must leave behind
 * then is the caller's to check.
 */
#ifndef HF_TEST_UNIT_REPO_SCENARIO_H
#define HF_TEST_UNIT_REPO_SCENARIO_H

#include "base/error.h"
#include "repo/repo.h"

/* A backup of what `seed` stands for; a third of it is the same for all seeds. On success the restore
 * point is written. */
CHECKED int scenario_backup(struct repo *repo, uint64_t seed, struct object_id *ret_point,
			    struct error *err);
/* Read the restore point back and compare every byte. ERR_INTERNAL: other content than was stored. */
CHECKED int scenario_check(struct repo *repo, const struct object_id *point, uint64_t seed,
			   struct error *err);

#endif
