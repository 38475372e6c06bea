/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The inside of repo_index (repo/read.h), for the writer, prune and verify.
 *
 * In the repository the index is a set of sealed objects, each listing some packs with their tables.
 * In the local cache it is a few segment files: records sorted by blob id, mapped read-only, so that a
 * look-up touches one or two pages and memory does not grow with the repository. The cache holds
 * nothing that cannot be rebuilt from the store.
 */
#ifndef HF_REPO_INDEX_H
#define HF_REPO_INDEX_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/index_file.h"
#include "repo/read.h"
#include "repo/repo.h"

enum { INDEX_SEGMENTS_MAX = 64, INDEX_PAYLOAD_MAX = 48 << 20 };

struct repo_index {
	struct repo *repo;
	pthread_rwlock_t lock; /* the list of segments; hidden packs */
	size_t n;
	struct index_segment *segments[INDEX_SEGMENTS_MAX];
	size_t n_hidden;
	struct pack_id *hidden; /* sorted: packs marked for removal, whose blobs count as absent for
				   writers */
	_Atomic uint64_t lookups;
	bool lenient; /* leave out index objects that do not open */
};

/* The payload of an index object: begin, then one call for each pack. */
CHECKED int index_payload_begin(struct buf *payload, struct error *err);
CHECKED int index_payload_add(struct buf *payload, const struct pack_id *id, uint8_t class,
			      uint64_t size, struct slice table, struct error *err);
/* Walk it. `each_pack` may be NULL, and so may `each_blob`. Also a fuzz target. */
typedef int index_pack_fn(void *arg, const struct pack_id *id, uint8_t class, uint64_t size,
			  struct error *err);
CHECKED int index_payload_walk(struct slice payload, index_pack_fn *each_pack,
			       pack_blob_fn *each_blob, void *arg, struct error *err);

/* As the walk, pack by pack with its encoded table, which is not looked into. */
typedef int index_table_fn(void *arg, const struct pack_id *id, uint8_t class, uint64_t size,
			   struct slice table, struct error *err);
CHECKED int index_payload_tables(struct slice payload, index_table_fn *each, void *arg,
				 struct error *err);

/* As repo_index_open, but index objects that do not open are left out: for verify, which has told of
 * them already. */
CHECKED int repo_index_open_lenient(struct repo *repo, struct repo_index **ret, struct error *err);

/* Take in an index object that was just stored: it becomes a segment of the local cache. */
CHECKED int repo_index_add(struct repo_index *index, const struct object_id *object,
			   struct slice payload, struct error *err);

/* As repo_index_find, but blobs that lie only in hidden packs are not found. */
CHECKED int repo_index_find_visible(struct repo_index *index, const struct blob_id *id,
				    struct blob_loc *ret, struct error *err);
/* Replace the set of hidden packs; takes over the array. */
void repo_index_hide(struct repo_index *index, struct pack_id *packs, size_t n);
bool repo_index_hidden(struct repo_index *index, const struct pack_id *id);

/* Every pack that some index object lists, sorted, each once. The array is the caller's. */
CHECKED int repo_index_packs(struct repo_index *index, struct pack_id **ret, size_t *ret_n,
			     struct error *err);
uint64_t repo_index_records(struct repo_index *index);

#endif
