/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One segment of the cached index: a file of sorted 64-byte records and the table of packs they refer
 * to. Written once, never changed, mapped read-only.
 */
#ifndef HF_REPO_INDEX_FILE_H
#define HF_REPO_INDEX_FILE_H

#include "base/base.h"
#include "base/error.h"
#include "repo/pack.h"

enum { INDEX_RECORD_SIZE = 64 };

/* Records being collected, unsorted. */
struct index_rows {
	size_t n, cap;
	uint8_t *records; /* n * INDEX_RECORD_SIZE */
	size_t n_packs, cap_packs;
	struct pack_id *packs;
};

void index_rows_done(struct index_rows *rows);
CHECKED int index_rows_add_pack(struct index_rows *rows, const struct pack_id *id,
				struct error *err);
/* The blob lies in the pack added last. */
CHECKED int index_rows_add_blob(struct index_rows *rows, const struct blob_id *id,
				const struct blob_loc *loc, struct error *err);

struct index_segment {
	char name[64]; /* file name in the cache folder */
	const uint8_t *map;
	size_t size;
	uint64_t n, n_packs;
	size_t n_objects;
	struct object_id *objects; /* the index objects it stands for; owned */
};

/* Sort the rows and write them as file `name` in `dir`. */
CHECKED int index_segment_write(int dirfd, const char *name, struct index_rows *rows,
				struct error *err);
/* Merge segments into one new file. */
CHECKED int index_segment_merge(int dirfd, const char *name, struct index_segment *const *from,
				size_t n, struct error *err);
/* Map a file; ERR_CORRUPT if its size or header is wrong. `objects` is copied. */
CHECKED int index_segment_open(int dirfd, const char *name, const struct object_id *objects,
			       size_t n_objects, struct index_segment **ret, struct error *err);
void index_segment_close(struct index_segment *s);

/* The first record with this id, or n. Records of one id lie side by side. */
uint64_t index_segment_find(const struct index_segment *s, const struct blob_id *id);
/* Unpack record i; false if it is damaged. */
bool index_segment_get(const struct index_segment *s, uint64_t i, struct blob_id *ret_id,
		       struct blob_loc *ret);
/* Give mapped pages back to the system: they count as resident memory until then. */
void index_segment_trim(const struct index_segment *s);
struct pack_id index_segment_pack(const struct index_segment *s, uint64_t i);

#endif
