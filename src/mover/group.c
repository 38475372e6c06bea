/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The loop that decides how fast many small files are. The page cache is left alone here, see
 * cachecare.h.
 */
#include "mover/group.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "mover/inspect.h"
#include "mover/scan.h"
#include "mover/slice.h"
#include "mover/source.h"

enum { AHEAD = 8 };

struct group_job {
	struct job job;
	struct folder *folder;
	struct group_range range;
};

static int
run_group(struct job *job, void *worker, struct error *err)
{
	struct group_job *g = CONTAINER_OF(job, struct group_job, job);
	struct group_range range = g->range;
	struct folder *folder = g->folder;
	struct mover_worker *w = worker;
	int fd, r;

	free(g);
	if (!folder_pin(&w->mover->fds, folder, &fd))
		fd = -1; /* each file will say so */
	r = group_read(w, folder, fd, &range, err);
	if (fd >= 0)
		folder_unpin(&w->mover->fds, folder);
	return r < 0 ? r : folder_release(w, folder, range.done, err);
}

static void
drop_group(struct job *job)
{
	free(CONTAINER_OF(job, struct group_job, job));
}

static int
push(struct mover *m, struct folder *folder, size_t from, size_t to, struct error *err)
{
	struct group_job *g = malloc(sizeof(*g));

	if (g == NULL)
		return error_no_memory(err);
	*g = (struct group_job){
		.job = {.run = run_group, .drop = drop_group},
		.folder = folder,
		.range = {.from = from, .to = to},
	};
	jobs_push(m->jobs, &g->job);
	return OK;
}

int
group_push(struct mover *m, struct folder *folder, struct group_range *ret_own, struct error *err)
{
	size_t to = folder->n_window, n = 0;
	uint64_t bytes = 0;

	/* From the end, so that the first group comes last, which is next. */
	for (size_t i = folder->n_window; i-- > 0;) {
		if (!folder->window[i].small)
			continue;
		if (n == GROUP_FILES || (n > 0 && bytes >= GROUP_BYTES)) {
			if (push(m, folder, i + 1, to, err) < 0)
				return err->code;
			to = i + 1;
			n = 0;
			bytes = 0;
		}
		n++;
		bytes += folder->window[i].node.size;
	}
	*ret_own = (struct group_range){.to = to};
	return OK;
}

/* Cut what was read into blobs, and make the node's content of them. */
static int
store(struct mover_worker *w, struct entry *e, const uint8_t *p, size_t n, struct error *err)
{
	bool pages = (e->flags & ENTRY_PAGED) != 0;
	struct map_chunk chunks[MAP_INLINE_CHUNKS];
	struct map_segment segment = {.length = n, .chunks = chunks};
	CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);

	_Static_assert(GROUP_FILE_MAX <= CHUNK_MIN * MAP_INLINE_CHUNKS, "chunks fit");
	for (size_t at = 0; at < n;) {
		struct map_chunk *c = &chunks[segment.n_chunks++];

		/* Too small to gain from pages, but compressed best with those of the others. */
		c->length = pages ? n : chunker_cut(&w->mover->chunker, p + at, n - at);
		if (repo_sink_put(w->sink, pages ? BLOB_PAGES : BLOB_DATA, SLICE(p + at, c->length),
				  &c->id, NULL, err) < 0)
			return err->code;
		at += c->length;
	}
	if (n > 0 && map_encode_inline(&segment, &content, err) < 0)
		return err->code;
	return folder_entry_copy(&e->node.content, buf_slice(&content), err);
}

/* Read and store an opened file. */
static int
read_open(struct mover_worker *w, struct entry *e, int fd, struct error *err)
{
	struct progress *p = w->mover->progress;
	uint64_t start = clock_boot_ns();
	struct error why = ERROR_INIT;
	size_t n = 0;

	if (e->node.size > 0 && fs_pread(fd, w->buffer, (size_t)e->node.size, 0, &n, &why) < 0)
		return worker_lost(w, e, why.sys, "read", err);
	atomic_fetch_add_explicit(&p->read_ns, clock_boot_ns() - start, memory_order_relaxed);
	if (e->flags & ENTRY_PAGED) {
		struct inspect in;

		inspect_begin(&in, w, e, fd);
		inspect_pages(&in, w->buffer, n, 0, NULL);
		if (inspect_end(&in))
			e->node.flags |= NODE_DAMAGED_PAGES;
	}
	if (store(w, e, w->buffer, n, err) < 0)
		return err->code;
	atomic_fetch_add_explicit(&p->bytes_done, n, memory_order_relaxed);
	return source_finish(w, e, fd, n, err);
}

/* Files that are open already, oldest first: while one is read, the disk works on those behind it. */
struct ahead {
	size_t n;
	struct ahead_file {
		struct entry *entry;
		int fd;
		bool sparse;
	} files[AHEAD];
};

static void
ahead_done(struct ahead *a)
{
	for (size_t i = 0; i < a->n; i++)
		(void)close(a->files[i].fd);
}

/* 1: opened; 0: left out, which is all that was to be done. */
static int
open_next(struct mover_worker *w, int dirfd, struct entry *e, struct ahead *a, struct error *err)
{
	struct ahead_file *f = &a->files[a->n];
	struct stat st;
	int r = source_open(w, dirfd, e, &f->fd, &st, err);

	if (r == 0)
		source_left_out(w, e);
	if (r <= 0)
		return r;
	f->entry = e;
	f->sparse = source_sparse(&st);
	a->n++;
	if (e->node.size > 0)
		(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_WILLNEED);
	return 1;
}

/* The oldest. 1: done (or left out); 0: it goes on as a job. */
static int
read_next(struct mover_worker *w, struct ahead *a, struct error *err)
{
	CLEAN(fd_close) int fd = a->files[0].fd;
	struct entry *e = a->files[0].entry;
	bool sparse = a->files[0].sparse;
	int r;

	a->n--;
	memmove(a->files, a->files + 1, a->n * sizeof(a->files[0]));
	if (e->node.size >= GROUP_FILE_MAX || sparse)
		return slice_push(w->mover, e, err);
	r = source_linked(w, e, err);
	if (r != 0)
		return r;
	r = read_open(w, e, fd, err);
	if (r == OK && e->node.type == 0)
		source_left_out(w, e);
	return r < 0 ? r : 1;
}

int
group_read(struct mover_worker *w, struct folder *folder, int fd, struct group_range *range,
	   struct error *err)
{
	CLEAN(ahead_done) struct ahead ahead = {.n = 0};
	size_t i = range->from;

	range->done = 0;
	while (!jobs_stopped(w->mover->jobs)) {
		int r;

		while (i < range->to && !folder->window[i].small)
			i++;
		if (i < range->to && ahead.n < AHEAD) {
			r = open_next(w, fd, &folder->window[i++], &ahead, err);
			range->done += r == 0;
		} else if (ahead.n > 0) {
			r = read_next(w, &ahead, err);
			range->done += r == 1;
		} else {
			break;
		}
		if (r < 0)
			return r;
	}
	return OK;
}
