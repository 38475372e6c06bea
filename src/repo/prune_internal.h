/* SPDX-License-Identifier: Apache-2.0 */

/* What the steps of a prune share: prune.c (deciding) and prune_sweep.c (removing). */
#ifndef HF_REPO_PRUNE_INTERNAL_H
#define HF_REPO_PRUNE_INTERNAL_H

#include "repo/index.h"
#include "repo/mark.h"
#include "repo/point.h"
#include "repo/prune.h"
#include "repo/reach.h"
#include "repo/write.h"

struct pack_usage {
	struct pack_id id; /* first: sorted and searched by it */
	uint64_t size;
	uint64_t blob_bytes, needed_bytes; /* unpacked */
	bool listed; /* in some index object */
	bool needed; /* holds a blob that a restore point needs */
	bool hidden; /* marked before */
	bool repack;
};

struct prune {
	struct repo *repo;
	const struct prune_options *options;
	struct prune_stats *stats;
	unsigned repack_percent;
	uint64_t now; /* wall clock, one for the whole run */
	struct mark_list marks;
	struct repo_index *index;
	struct reach *reach;
	struct pack_usage *packs; /* all in the store, sorted */
	size_t n, cap;
	struct repo_writer *writer; /* for copying */
	struct repo_reader *reader;
	struct repo_sink *sink;
};

struct pack_usage *prune_find(struct prune *p, const struct pack_id *id);
/* Call `each` for the reached records of all packs to be copied, pack by pack and in order of place,
 * so that each frame is unpacked once. */
CHECKED int prune_copy(struct prune *p, reach_record_fn *each, struct error *err);
/* Remove the packs of a mark: index, tombstone, packs, mark. */
CHECKED int prune_sweep(struct prune *p, const struct mark *mark, struct error *err);

#endif
