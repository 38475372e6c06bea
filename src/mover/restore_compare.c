/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Compare jobs: what is on disk against what the restore point says, without fetching anything from
 * the repository. Sizes and times are not trusted: bytes are read, and their fingerprints or ids
 * computed. A page or chunk that differs stays in the window and is fetched.
 */
#include "mover/restore_compare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "mover/restore_file.h"

static const uint8_t zeros[64 << 10];

static bool
all_zero(const uint8_t *p, size_t n)
{
	while (n > 0) {
		size_t step = MIN(n, sizeof(zeros));

		if (memcmp(p, zeros, step) != 0)
			return false;
		p += step;
		n -= step;
	}
	return true;
}

/* Where holes cannot be punched: zeros where there are none. */
static int
clear_range(struct restore_worker *w, struct restore_item *item, int fd, uint64_t offset,
	    uint64_t length, struct error *err)
{
	while (length > 0) {
		size_t step = (size_t)MIN(length, (uint64_t)sizeof(zeros)), n = 0;

		int rc = fs_pread(fd, w->buffer, step, offset, &n, err);
		if (rc == OK && !all_zero(w->buffer, n))
			rc = restore_file_write(w->run, item, fd, SLICE(zeros, step), offset, err);
		if (rc < 0)
			return rc;
		offset += step;
		length -= step;
	}
	return OK;
}

static int
make_hole(struct restore_worker *w, const struct restore_piece *p, int fd, struct error *err)
{
	uint64_t end = p->file_offset + p->length;
	off_t data = lseek(fd, (off_t)p->file_offset, SEEK_DATA);

	if (data < 0 && errno != ENXIO)
		return error_sys(err, ERR_IO, "look for data");
	if (data < 0 || (uint64_t)data >= end)
		return OK;
	if (p->item->locked_errno != 0)
		return clear_range(w, p->item, fd, p->file_offset, p->length, err);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)p->file_offset,
		      (off_t)p->length) == 0) {
		atomic_store(&p->item->written, true);
		return OK;
	}
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return error_sys(err, ERR_IO, "make a hole");
	return clear_range(w, p->item, fd, p->file_offset, p->length, err);
}

/* Zero the fingerprints of pages that are right. 1 all are, 0 some are not, < 0 failed. */
static int
compare_pages(struct restore_worker *w, struct restore_piece *p, size_t have, struct error *err)
{
	uint8_t fingerprint[CRYPTO_FINGERPRINT_SIZE];
	uint32_t n = restore_piece_pages(p), right = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t *wanted = p->fingerprints + (size_t)i * CRYPTO_FINGERPRINT_SIZE;
		size_t start = (size_t)i << p->page_shift;
		size_t length = restore_piece_page_length(p, i);

		if (start + length > have)
			break;
		int rc = fingerprinter_page(w->fingerprinter, SLICE(w->buffer + start, length),
					    fingerprint, err);
		if (rc < 0)
			return rc;
		if (memcmp(wanted, fingerprint, sizeof(fingerprint)) != 0)
			continue;
		memset(wanted, 0, CRYPTO_FINGERPRINT_SIZE);
		right++;
	}
	return right == n;
}

/* 1 the piece is as it should be, 0 it is not (or not wholly), < 0 failed. */
static int
compare_piece(struct restore_worker *w, struct restore_piece *p, int fd, struct error *err)
{
	struct error differs = ERROR_INIT;
	size_t have = 0;
	int rc;

	if (p->kind == PIECE_HOLE) {
		rc = make_hole(w, p, fd, err);
		return rc < 0 ? rc : 1;
	}
	if (p->length > BLOB_MAX)
		return error_set(err, ERR_CORRUPT, "a piece of a file longer than any blob");
	rc = fs_pread(fd, w->buffer, p->length, p->file_offset, &have, err);
	if (rc < 0)
		return rc;
	if (p->kind == PIECE_PAGES)
		return compare_pages(w, p, have, err);
	if (have < p->length)
		return 0;
	rc = repo_reader_check(w->reader, &p->id, SLICE(w->buffer, have), &differs);
	if (rc == OK)
		return 1;
	if (rc == ERR_CORRUPT)
		return 0;
	*err = differs;
	return rc;
}

/* Neighbouring pieces of one existing file. */
static void
compare_group(struct restore_worker *w, struct restore_piece *pieces, size_t n)
{
	struct restore_run *run = w->run;
	struct restore_item *item = pieces[0].item;
	struct error err = ERROR_INIT;
	int fd = -1;

	int rc = restore_file_pin(run, item, &fd, &err);
	if (rc < 0) {
		restore_file_fail(run, item, &err);
		return;
	}
	for (size_t i = 0; i < n && !atomic_load(&item->failed); i++) {
		struct restore_piece *p = &pieces[i];

		if (p->kind == PIECE_BARE)
			continue;
		rc = compare_piece(w, p, fd, &err);
		if (rc < 0) {
			restore_file_fail(run, item, &err);
		} else if (rc == 1) {
			p->kind = PIECE_DONE;
			atomic_fetch_add(&run->bytes, p->length);
			atomic_fetch_add(&run->options->progress->bytes_done, p->length);
		}
	}
	restore_file_unpin(run, item);
}

void
restore_compare_job(struct restore_worker *w, struct restore_piece *pieces, size_t n)
{
	struct error err = ERROR_INIT;

	if (w->buffer == NULL)
		w->buffer = malloc(BLOB_MAX);
	if (w->buffer == NULL) {
		(void)error_no_memory(&err);
		restore_run_fail(w->run, &err);
		return;
	}
	for (size_t first = 0, next; first < n; first = next) {
		for (next = first + 1; next < n && pieces[next].item == pieces[first].item;)
			next++;
		if (!pieces[first].item->existing || atomic_load(&pieces[first].item->failed))
			continue;
		compare_group(w, pieces + first, next - first);
		/* Released only now, when the descriptor is no longer in use. */
		for (size_t i = first; i < next; i++)
			if (pieces[i].kind == PIECE_DONE)
				restore_file_release(w->run, pieces[i].item);
	}
}
