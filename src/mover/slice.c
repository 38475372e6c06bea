/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of a large file: opened once, its descriptor shared by the workers that read its slices,
 * closed by whoever ends it. A file that turns out shorter than it was ends where the first of its
 * slices met the end; what others had read behind that is dropped.
 */
#include "mover/slice.h"

#include <errno.h>
#include <unistd.h>

#include "base/fs.h"
#include "mover/classify.h"
#include "mover/source.h"

struct start_job {
	struct job job;
	struct entry *entry;
};

static void
file_free(struct mover *m, struct slice_file *f)
{
	(void)pthread_mutex_lock(&m->lock);
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
	(void)pthread_mutex_unlock(&m->lock);
	while (f->parts != NULL) {
		struct slice_part *gone = f->parts;

		f->parts = gone->next;
		free(gone);
	}
	fd_close(&f->fd);
	free(f->ids);
	free(f);
}

void
slice_drop_all(struct mover *m)
{
	while (m->files != NULL)
		file_free(m, m->files);
}

void
slice_ended(struct slice_file *f, uint64_t offset)
{
	uint64_t end = atomic_load(&f->end);

	while (offset < end && !atomic_compare_exchange_weak(&f->end, &end, offset))
		;
}

int
slice_failed(struct mover_worker *w, struct slice_file *f, int sys, struct error *err)
{
	if (atomic_exchange(&f->failed, true))
		return OK;
	return worker_lost(w, f->entry, sys, "read", err);
}

void
slice_next_data(int fd, uint64_t from, uint64_t limit, uint64_t *ret_start, uint64_t *ret_end)
{
	off_t start = lseek(fd, (off_t)from, SEEK_DATA), end;

	*ret_start = from;
	*ret_end = limit;
	if (start < 0) {
		/* No data up to the end; or the file system cannot tell, and all counts as data. */
		if (errno == ENXIO)
			*ret_start = limit;
		return;
	}
	*ret_start = MIN((uint64_t)start, limit);
	end = lseek(fd, start, SEEK_HOLE);
	if (end > start)
		*ret_end = MIN((uint64_t)end, limit);
}

bool
slice_is_hole(const struct slice_file *f, uint64_t start, uint64_t limit)
{
	uint64_t data, end;

	if (!f->sparse)
		return false;
	slice_next_data(f->fd, start, limit, &data, &end);
	return data == limit;
}

/* ---- the end of a file ----------------------------------------------------------------------- */

/* Content from segment ids, or from the one segment that is short enough to be in the node itself. */
static int
set_content(struct mover_worker *w, struct slice_file *f, uint64_t size,
	    const struct map_segment *only, struct error *err)
{
	CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	size_t n = (size_t)((size + SEGMENT_SIZE - 1) / SEGMENT_SIZE);

	if (only != NULL && size > 0) {
		if (map_encode_inline(only, &content, err) < 0)
			return err->code;
	} else if (size > 0) {
		if (map_encode_segments(w->sink, f->ids, n, &content, err) < 0)
			return err->code;
	}
	return folder_entry_copy(&f->entry->node.content, buf_slice(&content), err);
}

static int
file_end(struct mover_worker *w, struct slice_file *f, const struct map_segment *only,
	 struct error *err)
{
	uint64_t size = MIN(f->size, atomic_load(&f->end));
	struct entry *e = f->entry;

	if (atomic_load(&f->failed)) {
		source_left_out(w, e);
	} else {
		if (f->page_shift != 0)
			e->node.flags |= NODE_PAGED;
		if (atomic_load(&f->damaged))
			e->node.flags |= NODE_DAMAGED_PAGES;
		if (set_content(w, f, size, only, err) < 0 ||
		    source_finish(w, e, f->fd, size, err) < 0)
			return err->code;
	}
	file_free(w->mover, f);
	return folder_release(w, e->folder, 1, err);
}

int
slice_done(struct mover_worker *w, struct slice_file *f, size_t number, const struct blob_id *id,
	   struct error *err)
{
	f->ids[number] = *id;
	/* When the work was stopped, slices ended early: the file stays unfinished, and is dropped. */
	if (atomic_fetch_sub_explicit(&f->left, 1, memory_order_acq_rel) != 1 ||
	    jobs_stopped(w->mover->jobs))
		return OK;
	return file_end(w, f, NULL, err);
}

/* ---- slices ---------------------------------------------------------------------------------- */

static int
read_chunks(struct mover_worker *w, struct slice_file *f, size_t number, struct error *err)
{
	struct map_segment segment;
	struct blob_id id = {0};
	int r = slice_chunks(w, f, number, &segment, err);

	if (r < 0)
		return r;
	if (f->n_slices == 1 && r > 0 && segment.n_chunks <= MAP_INLINE_CHUNKS)
		return file_end(w, f, &segment, err);
	if (r > 0 && segment.length > 0 && map_put_segment(w->sink, &segment, &id, err) < 0)
		return err->code;
	return slice_done(w, f, number, &id, err);
}

static int
run_slice(struct job *job, void *worker, struct error *err)
{
	struct slice_file *f = CONTAINER_OF(job, struct slice_file, job);
	struct mover_worker *w = worker;
	size_t number = atomic_fetch_add(&f->taken, 1);

	/* The file lives until our slice is done, so its job may be taken by others meanwhile. */
	if (number + 1 < f->n_slices)
		jobs_push(w->mover->jobs, &f->job);
	if (f->page_shift != 0)
		return slice_pages(w, f, number, err);
	return read_chunks(w, f, number, err);
}

static void
drop_slice(struct job *job)
{
	(void)job; /* see slice_drop_all() */
}

/* ---- the beginning of a file ----------------------------------------------------------------- */

/* 0: chunks. */
static unsigned
page_shift_of(struct entry *e, int fd)
{
	const struct graft *g = folder_entry_graft(e);
	struct classify_past past = {0};
	uint8_t head[CLASSIFY_HEAD];
	uint32_t size;
	size_t n = 0;

	if (e->flags & ENTRY_PAGED)
		return (unsigned)__builtin_ctz(g->component->pages.page_size);
	if (e->node.size < CLASSIFY_MIN)
		return 0;
	if (e->past != NULL) {
		past.known = true;
		past.paged = (e->past->node_flags & NODE_PAGED) != 0;
		past.same_file = e->past->same_file;
	}
	if (fs_pread(fd, head, sizeof(head), 0, &n, NULL) < 0)
		n = 0;
	size = classify_page_size(e->node.name, e->node.size, SLICE(head, n), &past);
	return size == 0 ? 0 : (unsigned)__builtin_ctz(size);
}

static int
file_new(struct mover_worker *w, struct entry *e, int fd, const struct stat *st,
	 struct slice_file **ret, struct error *err)
{
	struct slice_file *f = calloc(1, sizeof(*f));
	size_t n = (size_t)((e->node.size + SEGMENT_SIZE - 1) / SEGMENT_SIZE);
	struct mover *m = w->mover;

	if (f == NULL || (f->ids = calloc(MAX(n, (size_t)1), sizeof(*f->ids))) == NULL) {
		free(f);
		(void)close(fd);
		return error_no_memory(err);
	}
	f->job = (struct job){.run = run_slice, .drop = drop_slice};
	f->entry = e;
	f->fd = fd;
	f->size = e->node.size;
	f->page_shift = page_shift_of(e, fd);
	f->sparse = source_sparse(st);
	f->n_slices = n;
	f->left = n;
	f->end = UINT64_MAX;
	(void)pthread_mutex_lock(&m->lock);
	f->next = m->files;
	f->link = &m->files;
	if (f->next != NULL)
		f->next->link = &f->next;
	m->files = f;
	(void)pthread_mutex_unlock(&m->lock);
	*ret = f;
	return OK;
}

static int
start_file(struct mover_worker *w, struct entry *e, struct error *err)
{
	struct folder_fds *fds = &w->mover->fds;
	struct slice_file *f = NULL;
	int dirfd = -1, fd = -1, r;
	struct stat st;

	bool pinned = e->folder != NULL && folder_pin(fds, e->folder, &dirfd);
	r = source_open(w, dirfd, e, &fd, &st, err);
	if (pinned)
		folder_unpin(fds, e->folder);
	if (r < 0)
		return r;
	if (r == 0) {
		source_left_out(w, e);
		return folder_release(w, e->folder, 1, err);
	}
	r = source_linked(w, e, err);
	if (r == 0 && e->node.size == 0)
		r = source_finish(w, e, fd, 0, err) < 0 ? err->code : 1;
	if (r != 0) {
		(void)close(fd);
		return r < 0 ? r : folder_release(w, e->folder, 1, err);
	}
	if (file_new(w, e, fd, &st, &f, err) < 0)
		return err->code;
	return run_slice(&f->job, w, err);
}

static int
run_start(struct job *job, void *worker, struct error *err)
{
	struct entry *e = CONTAINER_OF(job, struct start_job, job)->entry;

	free(CONTAINER_OF(job, struct start_job, job));
	return start_file(worker, e, err);
}

static void
drop_start(struct job *job)
{
	free(CONTAINER_OF(job, struct start_job, job));
}

static struct start_job *
start_job_new(struct entry *e, struct error *err)
{
	struct start_job *s = malloc(sizeof(*s));

	if (s == NULL)
		(void)error_no_memory(err);
	else
		*s = (struct start_job){.job = {.run = run_start, .drop = drop_start}, .entry = e};
	return s;
}

int
slice_push(struct mover *m, struct entry *e, struct error *err)
{
	struct start_job *s = start_job_new(e, err);

	if (s == NULL)
		return err->code;
	jobs_push(m->jobs, &s->job);
	return OK;
}

int
slice_defer(struct mover *m, struct entry *e, struct error *err)
{
	struct start_job *s = start_job_new(e, err);

	if (s == NULL)
		return err->code;
	(void)pthread_mutex_lock(&m->lock);
	s->job.next = m->deferred;
	m->deferred = &s->job;
	(void)pthread_mutex_unlock(&m->lock);
	return OK;
}
