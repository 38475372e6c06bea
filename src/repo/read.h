/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading blobs. A repo_reader belongs to one thread; many may share one repo_index. Blobs are packed
 * into frames (compressed and sealed as one), so whoever reads much sorts its wishes by
 * blob_loc_order() and takes each frame once.
 */
#ifndef HF_REPO_READ_H
#define HF_REPO_READ_H

#include "base/base.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/repo.h"

struct repo_index;
struct repo_reader;

/* Where a blob lies. */
struct blob_loc {
	struct pack_id pack;
	uint32_t frame; /* its number in the pack: the nonce */
	uint32_t frame_offset;
	uint32_t frame_stored; /* bytes in the pack, tag included */
	uint32_t frame_plain; /* bytes when unpacked */
	uint32_t offset; /* of the blob in the unpacked frame */
	uint32_t length;
	uint8_t class;
};

/* <0, 0, >0: by pack, then by offset. */
int blob_loc_order(const struct blob_loc *a, const struct blob_loc *b);
/* In the same frame? */
bool blob_loc_same_frame(const struct blob_loc *a, const struct blob_loc *b);

/*
 * Bring the local cache up to date with the store's index objects and map it. The index is a few
 * sorted files in the cache folder, mapped read-only: memory does not grow with the repository.
 * Safe to use from several threads; several processes may share the cache folder.
 */
CHECKED int repo_index_open(struct repo *repo, struct repo_index **ret, struct error *err);
void repo_index_close(struct repo_index *index);
void repo_index_closep(struct repo_index **index);
/* 1 found, 0 not, < 0 error. */
CHECKED int repo_index_find(struct repo_index *index, const struct blob_id *id,
			    struct blob_loc *ret, struct error *err);

CHECKED int repo_reader_open(struct repo *repo, struct repo_index *index, struct repo_reader **ret,
			     struct error *err);
void repo_reader_close(struct repo_reader *r);
void repo_reader_closep(struct repo_reader **r);

/*
 * The unpacked frame that holds the blob, valid until the next call on this reader. The last few
 * frames of class META are kept, data frames just one. ERR_CORRUPT names the pack and offset.
 */
CHECKED int repo_reader_frame(struct repo_reader *r, const struct blob_loc *loc, struct slice *ret,
			      struct error *err);
/* One blob by id, valid until the next call. A missing blob is ERR_CORRUPT: whoever asks has a
 * reference to it. The content is NOT re-hashed; see repo_reader_check(). */
CHECKED int repo_reader_blob(struct repo_reader *r, const struct blob_id *id, struct slice *ret,
			     struct error *err);
/* Recompute the id of a blob's content; ERR_CORRUPT if it differs. */
CHECKED int repo_reader_check(struct repo_reader *r, const struct blob_id *id, struct slice content,
			      struct error *err);

#endif
