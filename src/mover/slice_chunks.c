/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A slice as content-defined chunks. Chunking starts anew at each slice and after each hole, so that
 * slices are independent; what that costs in deduplication is a chunk for every 64 MiB.
 *
 * A segment holds a bounded number of pieces. A file that alternates between page and hole would have
 * too many, so once there are many, small holes are read as the zeros they stand for.
 */
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "mover/cachecare.h"
#include "mover/slice.h"

enum {
	HOLE_MIN = 4096,
	MANY_PIECES = 1024,
	HOLE_MIN_MANY = 64 << 10,
};
/* After MANY_PIECES, at most one hole and one chunk for each HOLE_MIN_MANY, and one chunk for each
 * CHUNK_MIN of data. */
_Static_assert(MANY_PIECES + 2 * (SEGMENT_SIZE / HOLE_MIN_MANY) + 2 <= MAP_SEGMENT_CHUNKS_MAX,
	       "pieces of a segment fit");
_Static_assert((int)CHUNK_MIN >= (int)HOLE_MIN_MANY, "as the above assumes");

struct chunking {
	struct mover_worker *w;
	struct slice_file *f;
	struct cachecare care;
	struct map_segment *out;
	uint64_t at; /* everything before is in `out` */
	uint64_t limit; /* of the slice; lower once the file was found to end */
	int lost; /* errno: it cannot be read */
};

static bool
over(const struct chunking *c)
{
	return c->at >= c->limit || c->lost != 0 || jobs_stopped(c->w->mover->jobs) ||
	       atomic_load_explicit(&c->f->failed, memory_order_relaxed);
}

static void
add_piece(struct chunking *c, uint64_t length, const struct blob_id *id)
{
	c->out->chunks[c->out->n_chunks++] = (struct map_chunk){.length = length, .id = *id};
	c->out->length += length;
	c->at += length;
}

/* The next stretch that counts as data, from c->at on. */
static void
next_data(const struct chunking *c, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t least = c->out->n_chunks < MANY_PIECES ? HOLE_MIN : HOLE_MIN_MANY;
	uint64_t start, end;

	if (!c->f->sparse) {
		*ret_start = c->at;
		*ret_end = c->limit;
		return;
	}
	slice_next_data(c->f->fd, c->at, c->limit, &start, &end);
	*ret_start = start - c->at < least ? c->at : start;
	*ret_end = end;
	while (*ret_end < c->limit) {
		slice_next_data(c->f->fd, *ret_end, c->limit, &start, &end);
		if (start - *ret_end >= least)
			break;
		*ret_end = end;
	}
}

/* Fill the buffer behind its first `have` bytes, which lie at c->at. */
static int
fill(struct chunking *c, size_t *have, uint64_t *end, struct error *why)
{
	struct mover_worker *w = c->w;
	uint64_t from = c->at + *have, start = clock_boot_ns();
	size_t want = (size_t)MIN(*end - from, (uint64_t)(WORKER_BUFFER - *have)), n;

	if (want == 0)
		return OK;
	cachecare_ahead(&c->care, from);
	if (fs_pread(c->f->fd, w->buffer + *have, want, from, &n, why) < 0)
		return why->code;
	atomic_fetch_add_explicit(&w->mover->progress->read_ns, clock_boot_ns() - start,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&w->mover->progress->bytes_done, n, memory_order_relaxed);
	*have += n;
	if (n < want) {
		*end = c->limit = from + n;
		slice_ended(c->f, from + n);
	}
	return OK;
}

/* Chunks of [c->at, end), which is data. */
static int
cut(struct chunking *c, uint64_t end, struct error *err)
{
	struct mover_worker *w = c->w;
	struct error why = ERROR_INIT;
	size_t have = 0;

	while (c->at < end && !over(c)) {
		size_t used = 0;

		if (fill(c, &have, &end, &why) < 0) {
			c->lost = why.sys;
			return OK;
		}
		/* Where a cut falls depends on content alone, so it needs a whole chunk to look at. */
		while (have > used && (have - used >= CHUNK_MAX || c->at + (have - used) == end)) {
			size_t n = chunker_cut(&w->mover->chunker, w->buffer + used, have - used);
			struct blob_id id;

			if (repo_sink_put(w->sink, BLOB_DATA, SLICE(w->buffer + used, n), &id, NULL,
					  err) < 0)
				return err->code;
			add_piece(c, n, &id);
			used += n;
		}
		have -= used;
		memmove(w->buffer, w->buffer + used, have);
		cachecare_behind(&c->care, c->at);
	}
	return OK;
}

int
slice_chunks(struct mover_worker *w, struct slice_file *f, size_t number, struct map_segment *ret,
	     struct error *err)
{
	static const struct blob_id hole;
	uint64_t start = number * (uint64_t)SEGMENT_SIZE;
	struct chunking c = {
		.w = w,
		.f = f,
		.out = ret,
		.at = start,
		.limit = MIN(start + SEGMENT_SIZE, f->size),
	};

	*ret = (struct map_segment){.chunks = w->chunks};
	/* To read ahead in a hole would fill the cache with zeros. */
	if (!slice_is_hole(f, start, c.limit))
		cachecare_begin(&c.care, f->fd, start, c.limit - start);
	while (!over(&c)) {
		uint64_t data, end;

		next_data(&c, &data, &end);
		if (data > c.at) {
			atomic_fetch_add_explicit(&w->mover->progress->bytes_done, data - c.at,
						  memory_order_relaxed);
			add_piece(&c, data - c.at, &hole);
		}
		if (end > c.at && cut(&c, end, err) < 0)
			return err->code;
	}
	if (c.lost != 0)
		return slice_failed(w, f, c.lost, err);
	return c.at >= c.limit && !atomic_load(&f->failed);
}
