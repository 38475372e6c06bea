/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The blob in the making belongs to one worker, and so do the parts whose regions wait for it: no
 * locks. All pages in a blob are of one size, for places in it are counted in pages.
 */
#include "mover/travel.h"

#include <string.h>

#include "mover/slice.h"
#include "mover/worker.h"

/* Room for n pages of this size, at once: a region's changed pages stay together. */
static int
make_room(struct mover_worker *w, unsigned page_shift, size_t n, struct error *err)
{
	struct travel *t = &w->travel;

	if (t->pages == NULL && (t->pages = malloc(BLOB_MAX)) == NULL)
		return error_no_memory(err);
	if (t->n > 0 && (t->page_shift != page_shift || t->n + (n << page_shift) > BLOB_MAX) &&
	    travel_send(w, err) < 0)
		return err->code;
	t->page_shift = (uint8_t)page_shift;
	return OK;
}

int
travel_add(struct mover_worker *w, struct slice_part *part, unsigned number,
	   const struct region *region, const bool *changed, const uint8_t *data, struct error *err)
{
	size_t size = (size_t)1 << region->page_shift, n = 0;
	struct travel *t = &w->travel;
	struct travel_region *r;

	for (unsigned i = 0; i < region->n_pages; i++)
		n += changed[i];
	if (make_room(w, region->page_shift, n, err) < 0)
		return err->code;
	r = malloc(sizeof(*r));
	if (r == NULL)
		return error_no_memory(err);
	r->part = part;
	r->number = number;
	r->region = *region;
	r->blob = r->region.n_blobs++;
	for (unsigned i = 0; i < region->n_pages; i++) {
		size_t length = MIN(size, (size_t)region->length - i * size);

		if (!changed[i])
			continue;
		r->region.pages[i] = (struct region_page){
			.blob = (uint16_t)r->blob,
			.page = (uint16_t)(t->n >> region->page_shift),
		};
		memcpy(t->pages + t->n, data + i * size, length);
		memset(t->pages + t->n + length, 0, size - length);
		t->n += size;
	}
	r->next = t->waiting;
	t->waiting = r;
	return OK;
}

int
travel_send(struct mover_worker *w, struct error *err)
{
	struct travel *t = &w->travel;
	struct blob_id id;

	if (t->n == 0)
		return OK;
	if (repo_sink_put(w->sink, BLOB_PAGES, SLICE(t->pages, t->n), &id, NULL, err) < 0)
		return err->code;
	t->n = 0;
	while (t->waiting != NULL) {
		CLEAN(free_ptr) struct travel_region *r = t->waiting;
		struct blob_id leaf;

		t->waiting = r->next;
		r->region.blobs[r->blob] = id;
		if (map_put_region(w->sink, &r->region, &leaf, err) < 0 ||
		    slice_arrived(w, r->part, r->number, &leaf, err) < 0)
			return err->code;
	}
	return OK;
}

void
travel_done(struct travel *t)
{
	while (t->waiting != NULL) {
		struct travel_region *gone = t->waiting;

		t->waiting = gone->next;
		free(gone);
	}
	free(t->pages);
	*t = (struct travel){0};
}
