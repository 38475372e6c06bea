/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Changed pages travel together: a worker collects those of many regions in one blob of up to
 * BLOB_MAX bytes. The blob's id, and with it the regions' leaves, are known only when it is full, so
 * the regions wait here. Bounded by the pages that fit into one blob.
 *
 * A worker with nothing else to do sends its blob off half empty: files, folders and so the whole
 * backup may be waiting for it.
 */
#ifndef HF_MOVER_TRAVEL_H
#define HF_MOVER_TRAVEL_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/map.h"

struct mover_worker;
struct slice_part;

/* A region whose leaf waits for the blob that holds some of its pages. */
struct travel_region {
	struct travel_region *next;
	struct slice_part *part;
	unsigned number; /* in the part */
	unsigned blob; /* index in region.blobs of the id that is missing */
	struct region region;
};

struct travel {
	uint8_t *pages; /* BLOB_MAX; made when first needed */
	size_t n; /* bytes in it */
	uint8_t page_shift;
	struct travel_region *waiting;
};

/*
 * Take over `region`, some of whose pages are new: those with changed[i] are copied from `data` (the
 * region's bytes) and get their place; the region's leaf goes to number `number` of `part` when the
 * blob is sent. The blob gets an index in region->blobs, which must have room for one more.
 */
CHECKED int travel_add(struct mover_worker *w, struct slice_part *part, unsigned number,
		       const struct region *region, const bool *changed, const uint8_t *data,
		       struct error *err);
/* Send what there is. May complete files and folders. */
CHECKED int travel_send(struct mover_worker *w, struct error *err);
void travel_done(struct travel *t);

#endif
