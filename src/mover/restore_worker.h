/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What one thread needs to work on jobs of a window (its own reader, fingerprinter and buffer), and
 * the jobs that write; restore_compare.h has those that compare. Every byte is checked end to end
 * before it is written or taken as equal: pages by their fingerprint, chunks by their id.
 */
#ifndef HF_MOVER_RESTORE_WORKER_H
#define HF_MOVER_RESTORE_WORKER_H

#include "base/base.h"
#include "base/error.h"
#include "crypto/crypto.h"
#include "mover/restore_run.h"
#include "mover/restore_window.h"
#include "mover/restore_writeout.h"

struct restore_worker {
	struct restore_run *run;
	struct repo_reader *reader;
	struct fingerprinter *fingerprinter;
	uint8_t *buffer; /* BLOB_MAX, made when something is compared */
	struct restore_writeout out;
};

CHECKED int restore_worker_open(struct restore_worker *w, struct restore_run *run,
				struct error *err);
void restore_worker_close(struct restore_worker *w);

/* Write pieces that all come from one frame (or are all bare), and release them. */
void restore_worker_write(struct restore_worker *w, struct restore_piece *pieces, size_t n);

/* Only release the pieces, for a restore that has been stopped. */
void restore_worker_drop(struct restore_run *run, struct restore_piece *pieces, size_t n);

#endif
