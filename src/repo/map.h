/* SPDX-License-Identifier: Apache-2.0 */

/*
 * File maps: which bytes of a file lie in which blob. What a node carries (node.content) is either a
 * short list of chunks, or a list of segments of SEGMENT_SIZE bytes, each described by a META blob:
 *
 *	node.content
 *	  |- chunks      (length, blob id | hole) ...			files of a few chunks
 *	  `- segments    id ... (in list blobs when there are many)	everything larger
 *	       |- chunk segment     (length, blob id | hole) ...	ordinary files
 *	       `- region segment    id of a region leaf ...		databases, images
 *	            `- region       for each page: blob and place in it, or a hole; fingerprint
 *
 * In a region a changed page costs that page: changed pages of many regions travel together in one
 * new blob, and the region's leaf says which page lies where. When a region is spread over more than
 * REGION_BLOBS_MAX blobs it is written whole again.
 *
 * All-zero ids are holes: of the chunk's length, of a whole region, of a whole segment.
 */
#ifndef HF_REPO_MAP_H
#define HF_REPO_MAP_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/read.h"
#include "repo/write.h"

enum {
	MAP_INLINE_CHUNKS = 8, /* more, and the list moves to a segment blob */
	MAP_INLINE_SEGMENTS = 32,
	MAP_LIST_IDS = 1024, /* ids in one list blob */
	MAP_SEGMENT_CHUNKS_MAX = 4096, /* in one chunk segment, holes included */
	REGION_BLOBS_MAX = 32,
	PAGE_HOLE = 0xffff, /* region_page.blob: the page is a hole */
};

struct map_chunk {
	uint64_t length;
	struct blob_id id; /* all zero: a hole */
};

struct region_page {
	uint16_t blob; /* index into region.blobs, or PAGE_HOLE */
	uint16_t page; /* place in that blob, in pages */
};

/* One region, unpacked. Page i covers [i * page_size, ...) of the region; the last may be short. */
struct region {
	uint32_t length; /* bytes, 1 .. REGION_SIZE */
	uint8_t page_shift; /* 12 .. 16 */
	uint16_t n_pages;
	uint16_t n_blobs;
	struct region_page pages[REGION_PAGES_MAX];
	uint8_t fingerprints[REGION_PAGES_MAX][16]; /* zero for holes */
	struct blob_id blobs[REGION_PAGES_MAX];
};

/* What one segment of a file came to. Either chunks or regions, in order, covering it exactly. */
struct map_segment {
	uint64_t length; /* SEGMENT_SIZE but for the last */
	bool paged;
	size_t n_chunks;
	struct map_chunk *chunks; /* !paged */
	size_t n_regions;
	struct blob_id *regions; /* paged: region leaf ids, zero for holes */
};

/* Store a region's leaf. A region of holes only gives the zero id and stores nothing. */
CHECKED int map_put_region(struct repo_sink *sink, const struct region *region,
			   struct blob_id *ret_id, struct error *err);
/* Store a segment's node; zero id if it is one hole. */
CHECKED int map_put_segment(struct repo_sink *sink, const struct map_segment *segment,
			    struct blob_id *ret_id, struct error *err);
/* node.content for a file that is one short unpaged segment (n_chunks <= MAP_INLINE_CHUNKS). */
CHECKED int map_encode_inline(const struct map_segment *segment, struct buf *content,
			      struct error *err);
/* node.content for any other file, from its segments' ids in order. */
CHECKED int map_encode_segments(struct repo_sink *sink, const struct blob_id *ids, size_t n,
				struct buf *content, struct error *err);

/* Where a piece of a file comes from. */
struct map_piece {
	uint64_t file_offset;
	uint32_t length; /* holes longer than 4 GiB come in several pieces */
	bool hole;
	struct blob_id blob;
	uint32_t blob_offset;
	const uint8_t *fingerprints; /* paged: 16 bytes a page, valid during the call; else NULL */
	uint32_t page_size; /* paged, else 0 */
};

typedef int map_piece_fn(void *arg, const struct map_piece *piece, struct error *err);

/*
 * Walk a file's pieces in order, from the segment that contains `from` (pieces before `from` are
 * skipped whole, never split). `size` is the node's size; pieces cover it exactly or the walk fails
 * with ERR_CORRUPT. Neighbouring pages that lie side by side in one blob come as one piece.
 */
CHECKED int map_walk(struct repo_reader *r, struct slice content, uint64_t size, uint64_t from,
		     map_piece_fn *each, void *arg, struct error *err);

/* Meta blobs (lists, segments, region leaves) a map consists of, and data blobs it refers to:
 * for prune and verify. Ids may come more than once. A callback that returns 1 for a list or a segment
 * knows what is below it: the walk leaves that out. */
typedef int map_blob_fn(void *arg, const struct blob_id *id, bool meta, struct error *err);
CHECKED int map_blobs(struct repo_reader *r, struct slice content, uint64_t size, map_blob_fn *each,
		      void *arg, struct error *err);

/*
 * The previous map of a paged file, for reading region by region while writing the next one.
 * Regions may be asked for in any order; one segment and one list are kept in memory.
 */
struct map_old;
CHECKED int map_old_open(struct repo_reader *r, struct slice content, uint64_t size,
			 struct map_old **ret, struct error *err);
/* 1: *ret is region `number` and *ret_id its leaf (zero id: a hole, *ret describes it as such);
 * 0: the file has no such region or the segment is not paged. */
CHECKED int map_old_region(struct map_old *m, uint64_t number, struct region *ret,
			   struct blob_id *ret_id, struct error *err);
void map_old_close(struct map_old *m);
void map_old_closep(struct map_old **m);

/* Parsers of bytes nobody has vouched for; also fuzz targets. */
CHECKED int map_region_parse(struct slice leaf, struct region *ret, struct error *err);

#endif
