/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Freeing what no restore point needs, without locks and without ever taking an error for "unneeded":
 *
 *	mark	packs without any needed blob are marked (repo/mark.h); the needed blobs of packs that
 *		are mostly waste are copied to new packs first, and those packs are marked, too
 *	sweep	marks older than the grace are looked at again; packs that have come back into use are
 *		let go; the rest leave the index, then the store
 *
 * Backups may run all the while. Until the sweep everything is reversible. Any number of prunes at
 * once do no harm beyond duplicate work.
 */
#ifndef HF_REPO_PRUNE_H
#define HF_REPO_PRUNE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/repo.h"

struct prune_options {
	uint64_t grace_ns; /* from mark to sweep: longer than the longest backup. 0: sweep at once,
			      safe only while no backup runs */
	unsigned
		repack_percent; /* copy packs of which less than this is needed; 0: 50, over 100: 100 */
	bool allow_empty; /* go on although there is no restore point: everything is unneeded */
	bool dry_run; /* only tell what would be done */
	const _Atomic bool *cancelled; /* may be NULL */
};

struct prune_stats {
	uint64_t points;
	uint64_t packs, bytes; /* in the repository before */
	uint64_t needed_bytes; /* of them */
	uint64_t repacked, repacked_bytes; /* packs whose needed blobs were copied */
	uint64_t marked, marked_bytes; /* packs newly marked */
	uint64_t waiting, waiting_bytes; /* marked earlier, not yet due */
	uint64_t unmarked; /* came back into use */
	uint64_t removed, removed_bytes;
	uint64_t next_sweep_ns; /* wall clock, 0: nothing waits */
};

CHECKED int prune_run(struct repo *repo, const struct prune_options *options,
		      struct prune_stats *ret, struct error *err);

#endif
