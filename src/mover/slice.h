/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files that are too large to be read with their neighbours: cut in slices of SEGMENT_SIZE, each of
 * which any worker may take. Whoever ends the last slice makes the file's map and completes its entry.
 *
 *	slice_push -> open, decide chunks or pages -> slice 0, 1, 2 ... -> map, node, folder_release
 *
 * While a file has slices that nobody took, one job of it lies on the stack, so that a huge file is
 * read by all workers and still has few of its slices under way.
 */
#ifndef HF_MOVER_SLICE_H
#define HF_MOVER_SLICE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "mover/worker.h"

/* A file while it is read. */
struct slice_file {
	struct job job;
	struct slice_file *next, **link; /* among all, to be freed after a failure */
	struct entry *entry;
	int fd;
	uint64_t size; /* when it was opened: no more is read */
	unsigned page_shift; /* 0: chunks */
	bool sparse;
	size_t n_slices;
	struct blob_id *ids; /* of segments */
	atomic_size_t taken, left;
	/* Where it was found to end before `size`: the lowest such place, else UINT64_MAX. */
	_Atomic uint64_t end;
	atomic_bool failed; /* a part could not be read, which was said */
	atomic_bool damaged; /* pages with wrong checksums */
	struct slice_part *parts; /* waiting for travelling pages; under the mover's lock */
};

/* A slice of a paged file: regions some of which wait for the blob with their pages. One worker's. */
struct slice_part {
	struct slice_part *next, **link;
	struct slice_file *file;
	size_t number;
	uint64_t length; /* that was read */
	unsigned n_regions;
	unsigned waiting; /* regions without an id, and one while reading */
	struct blob_id regions[SEGMENT_REGIONS];
};

/* Take over an entry that is a regular file, pending in its folder. */
CHECKED int slice_push(struct mover *m, struct entry *e, struct error *err);
/* The same, but after everything else: see mover.deferred. */
CHECKED int slice_defer(struct mover *m, struct entry *e, struct error *err);

/* The file ended at `offset` when a part of it was read. */
void slice_ended(struct slice_file *f, uint64_t offset);
/* It cannot be read: say so, once for a file. */
CHECKED int slice_failed(struct mover_worker *w, struct slice_file *f, int sys, struct error *err);
/* Slice `number` is stored. Completes the file if it was the last. */
CHECKED int slice_done(struct mover_worker *w, struct slice_file *f, size_t number,
		       const struct blob_id *id, struct error *err);

/* slice_chunks.c: the slice as chunks, in w->chunks. 1: done; 0: the file failed or work stopped. */
CHECKED int slice_chunks(struct mover_worker *w, struct slice_file *f, size_t number,
			 struct map_segment *ret, struct error *err);
/* slice_pages.c: the slice as regions; ends in slice_done(), at once or when its pages have left. */
CHECKED int slice_pages(struct mover_worker *w, struct slice_file *f, size_t number,
			struct error *err);
/* A region that waited has its id. May complete the part, and the file. */
CHECKED int slice_arrived(struct mover_worker *w, struct slice_part *part, unsigned region,
			  const struct blob_id *id, struct error *err);

/* Where the next data is: from <= *ret_start <= *ret_end <= limit. Nothing but a hole up to limit:
 * *ret_start == *ret_end == limit. */
void slice_next_data(int fd, uint64_t from, uint64_t limit, uint64_t *ret_start, uint64_t *ret_end);
/* Nothing but a hole in [start, limit)? */
bool slice_is_hole(const struct slice_file *f, uint64_t start, uint64_t limit);

/* After a failure, when no worker runs: free all that is under way. */
void slice_drop_all(struct mover *m);

#endif
