/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Marks: how prune removes packs without locks. A mark (a sealed object, marks/ID) names packs that no
 * restore point uses and says from when on they may be removed. Writers treat marked packs as absent;
 * so after the grace, when the points are looked through once more, nothing new can have begun to use
 * them, unless by a backup that was already running when the mark was made. Such a backup asks here
 * before it writes its restore point, and fails (retryable) when it ran too long.
 *
 *	MARKED --(sweep_after passed, looked again)--> SWEPT (kept as a tombstone) --(30 days)--> gone
 *	  `--(mark removed: everything is as before)
 */
#ifndef HF_REPO_MARK_H
#define HF_REPO_MARK_H

#include "base/base.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/read.h"
#include "repo/repo.h"

struct mark {
	struct object_id id;
	uint64_t created_ns, sweep_after_ns; /* wall clock */
	uint64_t swept_ns; /* 0: not yet */
	size_t n;
	struct pack_id *packs; /* sorted */
};

struct mark_list {
	size_t n;
	struct mark *marks;
};

CHECKED int mark_list_read(struct repo *repo, struct mark_list *ret, struct error *err);
void mark_list_done(struct mark_list *l);
CHECKED int mark_write(struct repo *repo, const struct mark *mark, struct object_id *ret_id,
		       struct error *err);
CHECKED int mark_remove(struct repo *repo, const struct object_id *id, struct error *err);

/* Hide every marked pack from writers that use this index. */
CHECKED int mark_hide_packs(struct repo *repo, struct repo_index *index, struct error *err);

/*
 * May a backup that began at start_ns (wall clock) still write its restore point? ERR_BUSY if packs
 * were, or may soon be, removed under a mark that it did not know.
 */
CHECKED int mark_check_session(struct repo *repo, uint64_t start_ns, struct error *err);

#endif
