/* SPDX-License-Identifier: Apache-2.0 */

/* Windows: a fixed array of pieces, a bump allocator for fingerprints, and one sort. */
#include "mover/restore_window.h"

#include <assert.h>
#include <string.h>

enum {
	COMPARE_JOB_BYTES = 4 << 20,
	COMPARE_JOB_PIECES = 256,
	BARE_JOB_PIECES = 32, /* files without content: few enough to share the work */
	FRAME_JOB_PIECES =
		1024, /* many files of equal content: a frame may be unpacked twice then */
};

int
restore_window_init(struct restore_window *w, struct error *err)
{
	*w = (struct restore_window){.pieces = NULL};
	w->pieces = calloc(RESTORE_WINDOW_PIECES, sizeof(*w->pieces));
	w->jobs = calloc(RESTORE_WINDOW_PIECES + 1, sizeof(*w->jobs));
	w->fingerprints = malloc(RESTORE_WINDOW_FINGERPRINTS);
	if (w->pieces == NULL || w->jobs == NULL || w->fingerprints == NULL) {
		restore_window_done(w);
		return error_no_memory(err);
	}
	restore_window_reset(w, 0);
	return OK;
}

void
restore_window_done(struct restore_window *w)
{
	free(w->pieces);
	free(w->jobs);
	free(w->fingerprints);
	*w = (struct restore_window){.pieces = NULL};
}

void
restore_window_reset(struct restore_window *w, unsigned share)
{
	w->n = 0;
	w->max = RESTORE_WINDOW_PIECES >> share;
	w->n_fingerprints = 0;
	w->bytes = 0;
	w->max_bytes = (uint64_t)RESTORE_WINDOW_BYTES >> share;
	w->xattrs = 0;
	w->compares = false;
	w->n_jobs = 0;
}

bool
restore_window_full(const struct restore_window *w, size_t fingerprints)
{
	if (w->n == 0)
		return false;
	return w->n >= w->max || w->bytes >= w->max_bytes || w->xattrs >= RESTORE_WINDOW_XATTRS ||
	       w->n_fingerprints + fingerprints > RESTORE_WINDOW_FINGERPRINTS;
}

void
restore_window_add(struct restore_window *w, const struct restore_piece *piece,
		   const uint8_t *fingerprints, size_t n)
{
	struct restore_piece *p = &w->pieces[w->n];

	assert(w->n < RESTORE_WINDOW_PIECES);
	assert(n <= RESTORE_WINDOW_FINGERPRINTS - w->n_fingerprints);
	*p = *piece;
	if (p->kind == PIECE_PAGES) {
		p->fingerprints = w->fingerprints + w->n_fingerprints;
		memcpy(p->fingerprints, fingerprints, n);
		w->n_fingerprints += n;
	}
	w->n++;
	if (p->kind != PIECE_HOLE)
		w->bytes += p->length;
	/* Counted once for each piece: an estimate that errs on the safe side. */
	w->xattrs += p->item->xattrs.n;
	w->compares = w->compares || p->item->existing;
}

void
restore_window_cut_compare(struct restore_window *w)
{
	uint64_t bytes = 0;
	uint32_t first = 0;

	w->n_jobs = 0;
	for (uint32_t i = 0; i < w->n; i++) {
		const struct restore_piece *p = &w->pieces[i];

		if (i == 0 || bytes >= COMPARE_JOB_BYTES || i - first >= COMPARE_JOB_PIECES) {
			w->jobs[w->n_jobs++] = i;
			first = i;
			bytes = 0;
		}
		if (p->item->existing && p->kind != PIECE_HOLE)
			bytes += p->length;
	}
	w->jobs[w->n_jobs] = (uint32_t)w->n;
}

/* Without content first, then by place in the repository. What lies in the same place goes by place in
 * the file, so that neighbours are written together. */
static int
compare_pieces(const void *a, const void *b)
{
	const struct restore_piece *p = a, *q = b;
	int p_has = p->kind >= PIECE_CHUNK, q_has = q->kind >= PIECE_CHUNK;

	if (p_has != q_has)
		return p_has - q_has;
	if (p_has) {
		int order = blob_loc_order(&p->loc, &q->loc);
		if (order != 0)
			return order;
		if (p->kind == PIECE_PAGES && q->kind == PIECE_PAGES &&
		    p->blob_offset != q->blob_offset)
			return p->blob_offset < q->blob_offset ? -1 : 1;
	}
	if (p->item != q->item)
		return p->item < q->item ? -1 : 1;
	return (p->file_offset > q->file_offset) - (p->file_offset < q->file_offset);
}

void
restore_window_cut_write(struct restore_window *w)
{
	size_t kept = 0;
	uint32_t first = 0;

	for (size_t i = 0; i < w->n; i++)
		if (w->pieces[i].kind != PIECE_DONE)
			w->pieces[kept++] = w->pieces[i];
	w->n = kept;
	if (w->n > 1)
		qsort(w->pieces, w->n, sizeof(*w->pieces), compare_pieces);

	w->n_jobs = 0;
	for (uint32_t i = 0; i < w->n; i++) {
		const struct restore_piece *p = &w->pieces[i];
		bool content = p->kind >= PIECE_CHUNK;
		const struct restore_piece *q = &w->pieces[first];

		bool same = content == (q->kind >= PIECE_CHUNK) &&
			    i - first < (content ? FRAME_JOB_PIECES : BARE_JOB_PIECES) &&
			    (!content || blob_loc_same_frame(&p->loc, &q->loc));
		if (i == 0 || !same) {
			w->jobs[w->n_jobs++] = i;
			first = i;
		}
	}
	w->jobs[w->n_jobs] = (uint32_t)w->n;
}
