/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A window: a bounded stretch of the restore, collected in the order of the tree, worked off in the
 * order of the packs, so that each frame is fetched and unpacked once for all files that have a part
 * in it. Pure: no threads, no files.
 *
 *	collecting --close--> comparing (only if something existing is compared) --sort--> writing
 *
 * Work is cut into jobs: when comparing, stretches of neighbouring pieces; when writing, all pieces
 * that come from one frame.
 */
#ifndef HF_MOVER_RESTORE_WINDOW_H
#define HF_MOVER_RESTORE_WINDOW_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_item.h"
#include "repo/format.h"
#include "repo/read.h"

enum {
	RESTORE_WINDOW_PIECES = 24 << 10,
	RESTORE_WINDOW_BYTES = 512 << 20, /* of content */
	RESTORE_WINDOW_FINGERPRINTS = 2 << 20, /* bytes */
	RESTORE_WINDOW_XATTRS = 2 << 20, /* bytes */
};

enum restore_piece_kind {
	PIECE_DONE = 0, /* found equal when comparing: nothing left to do */
	PIECE_BARE, /* no content to fetch: the file only has to be made and completed */
	PIECE_HOLE, /* existing files only: make sure nothing is there */
	PIECE_CHUNK, /* a whole blob */
	PIECE_PAGES, /* pages in a row, each with its fingerprint */
};

/* A piece of one file's content. It holds back completion of its item. */
struct restore_piece {
	struct restore_item *item;
	uint64_t file_offset;
	uint32_t length;
	uint8_t kind;
	uint8_t page_shift; /* PAGES */
	uint32_t blob_offset; /* PAGES */
	struct blob_loc loc;
	union {
		struct blob_id id; /* CHUNK */
		uint8_t *fingerprints; /* PAGES: in the window; zeroed for pages that are right
					  already */
	};
};

struct restore_window {
	struct restore_piece *pieces;
	size_t n, max;
	uint8_t *fingerprints;
	size_t n_fingerprints; /* bytes */
	uint64_t bytes, max_bytes;
	size_t xattrs; /* bytes items hold on to */
	bool compares; /* some piece is of an existing file */

	/* After close or sort: job i is pieces[jobs[i]] .. pieces[jobs[i + 1]]. */
	uint32_t *jobs;
	size_t n_jobs;
};

CHECKED int restore_window_init(struct restore_window *w, struct error *err);
void restore_window_done(struct restore_window *w);
/* Empty it, to be closed at the latest after `share` of its size (1 / 2^share). */
void restore_window_reset(struct restore_window *w, unsigned share);

/* Room for one more piece with so many bytes of fingerprints? An empty window has it. */
bool restore_window_full(const struct restore_window *w, size_t fingerprints);
/* Add a copy of *piece, and of its n bytes of fingerprints. There must be room. */
void restore_window_add(struct restore_window *w, const struct restore_piece *piece,
			const uint8_t *fingerprints, size_t n);

/* Cut into jobs of neighbours, for comparing. */
void restore_window_cut_compare(struct restore_window *w);
/* Drop what is done, sort the rest by place in the repository, cut into jobs of one frame each. */
void restore_window_cut_write(struct restore_window *w);

/* For PIECE_PAGES: how long page i of the piece is, the last may be short. */
static inline uint32_t
restore_piece_page_length(const struct restore_piece *p, uint32_t i)
{
	uint32_t start = i << p->page_shift;

	return MIN(1u << p->page_shift, p->length - start);
}

static inline uint32_t
restore_piece_pages(const struct restore_piece *p)
{
	return (p->length + (1u << p->page_shift) - 1) >> p->page_shift;
}

#endif
