/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Write jobs: one frame is fetched and unpacked, and everything that comes from it is checked and
 * written. Pieces that lie side by side both in the frame and in the file are written by one call.
 */
#include "mover/restore_worker.h"

#include <string.h>

#include "base/clock.h"
#include "mover/restore_file.h"

int
restore_worker_open(struct restore_worker *w, struct restore_run *run, struct error *err)
{
	*w = (struct restore_worker){.run = run};
	int rc = repo_reader_open(run->repo, run->index, &w->reader, err);
	if (rc == OK)
		rc = fingerprinter_new(run->repo->keys.fingerprint, &w->fingerprinter, err);
	if (rc < 0)
		restore_worker_close(w);
	return rc;
}

void
restore_worker_close(struct restore_worker *w)
{
	restore_writeout_done(&w->out);
	repo_reader_close(w->reader);
	fingerprinter_free(w->fingerprinter);
	free(w->buffer);
	*w = (struct restore_worker){.run = w->run};
}

void
restore_worker_drop(struct restore_run *run, struct restore_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pieces[i].kind != PIECE_DONE)
			restore_file_release(run, pieces[i].item);
}

/* A stretch to be written to one file. */
struct span {
	struct restore_worker *worker;
	struct restore_item *item;
	int fd;
	struct slice content; /* in the frame */
	uint64_t offset; /* in the file */
};

static int
span_flush(struct span *s, struct error *err)
{
	struct restore_run *run = s->worker->run;

	if (s->content.n == 0)
		return OK;
	uint64_t start = clock_boot_ns();
	int rc = restore_file_write(run, s->item, s->fd, s->content, s->offset, err);
	if (rc == OK && !run->options->no_sync)
		rc = restore_writeout_add(&s->worker->out, s->fd, s->offset, s->content.n, err);
	atomic_fetch_add_explicit(&run->write_ns, clock_boot_ns() - start, memory_order_relaxed);
	s->content.n = 0;
	return rc;
}

static int
span_add(struct span *s, struct slice content, uint64_t offset, struct error *err)
{
	if (s->content.n > 0 && s->content.p + s->content.n == content.p &&
	    s->offset + s->content.n == offset) {
		s->content.n += content.n;
		return OK;
	}
	int rc = span_flush(s, err);
	s->content = content;
	s->offset = offset;
	return rc;
}

/* Check the pages that are wanted, and hand them on. */
static int
add_pages(struct restore_worker *w, const struct restore_piece *p, struct slice content,
	  struct span *span, struct error *err)
{
	static const uint8_t right_already[CRYPTO_FINGERPRINT_SIZE];
	uint8_t fingerprint[CRYPTO_FINGERPRINT_SIZE];
	uint32_t n = restore_piece_pages(p);

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *wanted = p->fingerprints + (size_t)i * CRYPTO_FINGERPRINT_SIZE;
		uint32_t start = i << p->page_shift;
		struct slice page = SLICE(content.p + start, restore_piece_page_length(p, i));

		if (p->item->existing && memcmp(wanted, right_already, sizeof(right_already)) == 0)
			continue;
		int rc = fingerprinter_page(w->fingerprinter, page, fingerprint, err);
		if (rc < 0)
			return rc;
		if (memcmp(wanted, fingerprint, sizeof(fingerprint)) != 0)
			return error_set(err, ERR_CORRUPT,
					 "the page at %llu does not match its fingerprint",
					 (unsigned long long)(p->file_offset + start));
		rc = span_add(span, page, p->file_offset + start, err);
		if (rc < 0)
			return rc;
	}
	return OK;
}

static int
add_piece(struct restore_worker *w, struct slice frame, const struct restore_piece *p,
	  struct span *span, struct error *err)
{
	const struct blob_loc *loc = &p->loc;

	if (loc->length > frame.n || loc->offset > frame.n - loc->length)
		return error_set(err, ERR_CORRUPT, "a blob lies outside of its frame");
	struct slice blob = SLICE(frame.p + loc->offset, loc->length);
	if (p->kind == PIECE_PAGES) {
		if (p->length > blob.n || p->blob_offset > blob.n - p->length)
			return error_set(err, ERR_CORRUPT, "pages lie outside of their blob");
		return add_pages(w, p, SLICE(blob.p + p->blob_offset, p->length), span, err);
	}
	if (p->length != blob.n)
		return error_set(err, ERR_CORRUPT, "a chunk's length is not that of its blob");
	int rc = repo_reader_check(w->reader, &p->id, blob, err);
	return rc < 0 ? rc : span_add(span, blob, p->file_offset, err);
}

/* All pieces of one file that come from this frame. */
static void
write_group(struct restore_worker *w, struct slice frame, const struct restore_piece *pieces,
	    size_t n)
{
	struct restore_run *run = w->run;
	struct restore_item *item = pieces[0].item;
	struct span span = {.worker = w, .item = item};
	struct error err = ERROR_INIT;
	uint64_t bytes = 0;

	if (atomic_load(&item->failed))
		return;
	int rc = restore_file_pin(run, item, &span.fd, &err);
	if (rc < 0) {
		restore_file_fail(run, item, &err);
		return;
	}
	for (size_t i = 0; rc == OK && i < n; i++) {
		rc = add_piece(w, frame, &pieces[i], &span, &err);
		bytes += pieces[i].length;
	}
	if (rc == OK)
		rc = span_flush(&span, &err);
	restore_file_unpin(run, item);
	if (rc < 0) {
		restore_file_fail(run, item, &err);
		return;
	}
	atomic_fetch_add(&run->bytes, bytes);
	atomic_fetch_add(&run->options->progress->bytes_done, bytes);
}

/* Fetch the frame; the part of the time that was not spent computing was spent reading. */
static int
fetch(struct restore_worker *w, const struct blob_loc *loc, struct slice *ret, struct error *err)
{
	uint64_t wall = clock_boot_ns(), cpu = clock_cpu_ns();

	int rc = repo_reader_frame(w->reader, loc, ret, err);
	wall = clock_boot_ns() - wall;
	cpu = clock_cpu_ns() - cpu;
	atomic_fetch_add(&w->run->unpack_ns, cpu);
	atomic_fetch_add(&w->run->read_ns, wall > cpu ? wall - cpu : 0);
	return rc;
}

void
restore_worker_write(struct restore_worker *w, struct restore_piece *pieces, size_t n)
{
	struct error err = ERROR_INIT;
	struct slice frame = {0};
	int rc = OK;

	if (pieces[0].kind < PIECE_CHUNK) {
		restore_worker_drop(w->run, pieces, n);
		return;
	}
	rc = fetch(w, &pieces[0].loc, &frame, &err);
	for (size_t first = 0, next; first < n; first = next) {
		for (next = first + 1; next < n && pieces[next].item == pieces[first].item;)
			next++;
		if (rc < 0)
			restore_file_fail(w->run, pieces[first].item, &err);
		else
			write_group(w, frame, pieces + first, next - first);
		restore_worker_drop(w->run, pieces + first, next - first);
	}
}
