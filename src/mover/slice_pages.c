/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A slice as regions of pages. Each page's fingerprint is compared with that of the previous restore
 * point: a region without a change keeps its leaf, and costs its reading and nothing else; of one with
 * few changes only the changed pages are stored (they travel, see travel.h); anything else is stored
 * whole, as one blob.
 */
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "mover/cachecare.h"
#include "mover/inspect.h"
#include "mover/slice.h"

struct paging {
	struct mover_worker *w;
	struct slice_file *f;
	struct slice_part *part;
	struct map_old *old; /* NULL: nothing to compare with */
	struct inspect in;
	struct region now, past;
	struct blob_id past_id;
	bool known; /* `past` is there and has pages of the same size */
	bool changed[REGION_PAGES_MAX]; /* pages that `past` does not have */
	unsigned n_changed, n_data;
};

/* ---- comparing ------------------------------------------------------------------------------- */

static int
find_past(struct paging *g, uint64_t number, struct error *err)
{
	int found = 0;

	if (g->old != NULL)
		found = map_old_region(g->old, number, &g->past, &g->past_id, err);
	if (found < 0) {
		if (!worker_past_damaged(g->w, g->f->entry, err))
			return err->code;
		g->old = NULL; /* damage in one place, and no more trust in the rest */
		found = 0;
	}
	/* Of a region that was a hole nothing can be reused. */
	g->known = found > 0 && !blob_id_is_hole(&g->past_id) &&
		   g->past.page_shift == g->now.page_shift;
	return OK;
}

/* Fill now.pages with what can be reused, and g->changed with what cannot. */
static void
find_changes(struct paging *g)
{
	struct region *now = &g->now;
	const struct region *past = &g->past;

	g->n_changed = g->n_data = 0;
	for (unsigned i = 0; i < now->n_pages; i++) {
		g->changed[i] = false;
		if (now->pages[i].blob == PAGE_HOLE)
			continue;
		g->n_data++;
		if (g->known && i < past->n_pages && past->pages[i].blob != PAGE_HOLE &&
		    memcmp(now->fingerprints[i], past->fingerprints[i],
			   sizeof(now->fingerprints[i])) == 0) {
			now->pages[i] = past->pages[i];
		} else {
			g->changed[i] = true;
			g->n_changed++;
		}
	}
}

static bool
is_same(const struct paging *g)
{
	if (!g->known || g->n_changed > 0 || g->now.length != g->past.length)
		return false;
	for (unsigned i = 0; i < g->now.n_pages; i++) {
		if (g->now.pages[i].blob == PAGE_HOLE && g->past.pages[i].blob != PAGE_HOLE)
			return false;
	}
	return true;
}

/* Blobs still in use, numbered anew in the order of their first use. */
static void
renumber(struct paging *g)
{
	uint16_t number[REGION_PAGES_MAX];
	struct region *now = &g->now;

	memset(number, 0xff, sizeof(number));
	now->n_blobs = 0;
	for (unsigned i = 0; i < now->n_pages; i++) {
		struct region_page *page = &now->pages[i];

		if (page->blob == PAGE_HOLE || g->changed[i])
			continue;
		if (number[page->blob] == UINT16_MAX) {
			number[page->blob] = now->n_blobs;
			now->blobs[now->n_blobs++] = g->past.blobs[page->blob];
		}
		page->blob = number[page->blob];
	}
}

/* ---- storing --------------------------------------------------------------------------------- */

/* All pages that are not holes as one blob of their own. */
static int
store_whole(struct paging *g, uint8_t *data, struct error *err)
{
	size_t size = (size_t)1 << g->now.page_shift, n = 0;
	uint16_t place = 0;

	for (unsigned i = 0; i < g->now.n_pages; i++) {
		size_t at = i * size, length = MIN(size, (size_t)g->now.length - at);

		if (g->now.pages[i].blob == PAGE_HOLE)
			continue;
		if (n != at)
			memmove(data + n, data + at, length);
		n += length;
		g->now.pages[i] = (struct region_page){.blob = 0, .page = place++};
	}
	g->now.n_blobs = 1;
	return repo_sink_put(g->w->sink, BLOB_PAGES, SLICE(data, n), &g->now.blobs[0], NULL, err);
}

static int
store(struct paging *g, unsigned region, uint8_t *data, struct error *err)
{
	struct blob_id id;

	if (is_same(g))
		return slice_arrived(g->w, g->part, region, &g->past_id, err);
	if (g->known)
		renumber(g);
	if (g->n_changed > 0) {
		if (g->known && g->n_changed <= g->n_data / 2 && g->now.n_blobs < REGION_BLOBS_MAX)
			return travel_add(g->w, g->part, region, &g->now, g->changed, data, err);
		if (store_whole(g, data, err) < 0)
			return err->code;
	}
	if (map_put_region(g->w->sink, &g->now, &id, err) < 0)
		return err->code;
	return slice_arrived(g->w, g->part, region, &id, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Which pages of [start, start + length) lie in holes of the file, wholly? */
static void
find_holes(const struct paging *g, uint64_t start, uint64_t length, bool *holes)
{
	uint64_t size = UINT64_C(1) << g->f->page_shift, at = start, limit = start + length;

	memset(holes, 0, REGION_PAGES_MAX * sizeof(*holes));
	while (g->f->sparse && at < limit) {
		uint64_t data, end;

		slice_next_data(g->f->fd, at, limit, &data, &end);
		uint64_t first = (at - start + size - 1) / size;
		uint64_t last = data == limit ? (length + size - 1) / size : (data - start) / size;
		for (uint64_t i = first; i < last; i++)
			holes[i] = true;
		at = end;
	}
}

/* The head of a region of `length` bytes; its holes. */
static void
begin_region(struct paging *g, size_t length, const bool *holes)
{
	struct region *now = &g->now;

	now->length = (uint32_t)length;
	now->page_shift = (uint8_t)g->f->page_shift;
	now->n_pages = (uint16_t)((length + (1u << now->page_shift) - 1) >> now->page_shift);
	now->n_blobs = 0;
	for (unsigned i = 0; i < now->n_pages; i++)
		now->pages[i] = (struct region_page){.blob = holes[i] ? PAGE_HOLE : 0};
}

static int
fingerprint(struct paging *g, const uint8_t *data, struct error *err)
{
	struct region *now = &g->now;
	size_t size = (size_t)1 << now->page_shift;

	for (unsigned i = 0; i < now->n_pages; i++) {
		size_t at = i * size;

		if (now->pages[i].blob == PAGE_HOLE)
			memset(now->fingerprints[i], 0, sizeof(now->fingerprints[i]));
		else if (repo_sink_fingerprint(g->w->sink,
					       SLICE(data + at, MIN(size, now->length - at)),
					       now->fingerprints[i], err) < 0)
			return err->code;
	}
	return OK;
}

/* One region, whose bytes are in `data`. */
static int
take_region(struct paging *g, unsigned region, uint64_t start, size_t length, uint8_t *data,
	    const bool *holes, struct error *err)
{
	begin_region(g, length, holes);
	inspect_pages(&g->in, data, length, start, holes);
	if (fingerprint(g, data, err) < 0 || find_past(g, start / REGION_SIZE, err) < 0)
		return err->code;
	find_changes(g);
	return store(g, region, data, err);
}

static bool
all_holes(const struct paging *g, const bool *holes, size_t length)
{
	for (size_t i = 0; i << g->f->page_shift < length; i++) {
		if (!holes[i])
			return false;
	}
	return true;
}

static int
read_region(struct paging *g, struct cachecare *care, uint64_t start, size_t want, size_t *ret_n,
	    struct error *why)
{
	struct progress *p = g->w->mover->progress;
	uint64_t from = clock_boot_ns();

	cachecare_ahead(care, start);
	if (fs_pread(g->f->fd, g->w->buffer, want, start, ret_n, why) < 0)
		return why->code;
	atomic_fetch_add_explicit(&p->read_ns, clock_boot_ns() - from, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->bytes_done, *ret_n, memory_order_relaxed);
	return OK;
}

/* Region `region` of the part. *ret_n: how much of it there is, 0 if nothing more can be read. */
static int
next_region(struct paging *g, struct cachecare *care, unsigned region, uint64_t at, size_t want,
	    size_t *ret_n, struct error *err)
{
	static const struct blob_id hole;
	struct slice_part *part = g->part;
	struct error why = ERROR_INIT;
	bool holes[REGION_PAGES_MAX];

	find_holes(g, at, want, holes);
	bool empty = all_holes(g, holes, want);
	*ret_n = empty ? want : 0;
	if (empty)
		atomic_fetch_add_explicit(&g->w->mover->progress->bytes_done, want,
					  memory_order_relaxed);
	else if (read_region(g, care, at, want, ret_n, &why) < 0)
		return slice_failed(g->w, g->f, why.sys, err);
	if (*ret_n < want)
		slice_ended(g->f, at + *ret_n);
	if (*ret_n == 0)
		return OK;
	part->n_regions = region + 1;
	part->waiting++;
	part->length += *ret_n;
	return empty ? slice_arrived(g->w, part, region, &hole, err)
		     : take_region(g, region, at, *ret_n, g->w->buffer, holes, err);
}

/* All regions of the part; ends early when there is no more, or no use. */
static int
read_part(struct paging *g, uint64_t start, uint64_t limit, struct error *err)
{
	struct cachecare care = {0};
	unsigned region = 0;

	/* To read ahead in a hole would fill the cache with zeros. */
	if (!slice_is_hole(g->f, start, limit))
		cachecare_begin(&care, g->f->fd, start, limit - start);
	for (uint64_t at = start; at < limit; at += REGION_SIZE, region++) {
		size_t want = (size_t)MIN(limit - at, (uint64_t)REGION_SIZE), n;

		if (jobs_stopped(g->w->mover->jobs) || atomic_load(&g->f->failed))
			break;
		if (next_region(g, &care, region, at, want, &n, err) < 0)
			return err->code;
		if (n < want)
			break;
		cachecare_behind(&care, at + n);
	}
	return OK;
}

/* ---- the part -------------------------------------------------------------------------------- */

static void
part_free(struct mover *m, struct slice_part *part)
{
	(void)pthread_mutex_lock(&m->lock);
	*part->link = part->next;
	if (part->next != NULL)
		part->next->link = part->link;
	(void)pthread_mutex_unlock(&m->lock);
	free(part);
}

static struct slice_part *
part_new(struct mover *m, struct slice_file *f, size_t number)
{
	struct slice_part *part = calloc(1, sizeof(*part));

	if (part == NULL)
		return NULL;
	part->file = f;
	part->number = number;
	part->waiting = 1;
	(void)pthread_mutex_lock(&m->lock);
	part->next = f->parts;
	part->link = &f->parts;
	if (part->next != NULL)
		part->next->link = &part->next;
	f->parts = part;
	(void)pthread_mutex_unlock(&m->lock);
	return part;
}

/* One thing less to wait for; the last completes the part. */
static int
part_release(struct mover_worker *w, struct slice_part *part, struct error *err)
{
	struct slice_file *f = part->file;
	struct map_segment segment = {
		.length = part->length,
		.paged = true,
		.n_regions = part->n_regions,
		.regions = part->regions,
	};
	size_t number = part->number;
	struct blob_id id = {0};

	if (--part->waiting > 0)
		return OK;
	if (part->length > 0 && !atomic_load(&f->failed) && !jobs_stopped(w->mover->jobs) &&
	    map_put_segment(w->sink, &segment, &id, err) < 0)
		return err->code;
	part_free(w->mover, part);
	return slice_done(w, f, number, &id, err);
}

int
slice_arrived(struct mover_worker *w, struct slice_part *part, unsigned region,
	      const struct blob_id *id, struct error *err)
{
	part->regions[region] = *id;
	return part_release(w, part, err);
}

static int
page(struct paging *g, size_t number, struct error *err)
{
	struct slice_file *f = g->f;
	const struct entry_past *past = f->entry->past;
	uint64_t start = number * (uint64_t)SEGMENT_SIZE;
	CLEAN(map_old_closep) struct map_old *old = NULL;

	if (past != NULL && past->node_flags & NODE_PAGED &&
	    map_old_open(g->w->reader, SLICE(past->content, past->n), past->size, &old, err) < 0 &&
	    !worker_past_damaged(g->w, f->entry, err))
		return err->code;
	g->old = old;
	inspect_begin(&g->in, g->w, f->entry, f->fd);
	if (!(f->entry->flags & ENTRY_PAGED))
		g->in.inspector = NULL; /* the writer said nothing of this file's pages */
	if (read_part(g, start, MIN(start + SEGMENT_SIZE, f->size), err) < 0)
		return err->code;
	if (inspect_end(&g->in))
		atomic_store(&f->damaged, true);
	return OK;
}

int
slice_pages(struct mover_worker *w, struct slice_file *f, size_t number, struct error *err)
{
	CLEAN(free_ptr) struct paging *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return error_no_memory(err);
	g->w = w;
	g->f = f;
	g->part = part_new(w->mover, f, number);
	if (g->part == NULL)
		return error_no_memory(err);
	if (page(g, number, err) < 0)
		return err->code;
	return part_release(w, g->part, err);
}
