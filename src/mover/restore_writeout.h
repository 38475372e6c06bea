/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way of written content to the disk, with little left behind in memory. Long stretches are sent to
 * the disk as soon as they are written; when a few MiB are on their way the oldest is waited for,
 * and its memory given back. So the disk works from the first moment on, the sync at the end is
 * short, and a restore of any size neither pushes everything else out of the page cache nor pays
 * for fresh memory, which in a virtual machine may cost more than the disk.
 *
 * Short stretches (small files) are left to the kernel. One for each worker.
 */
#ifndef HF_MOVER_RESTORE_WRITEOUT_H
#define HF_MOVER_RESTORE_WRITEOUT_H

#include "base/base.h"
#include "base/error.h"

enum { RESTORE_WRITEOUT_SLOTS = 64 };

struct restore_writeout {
	size_t first, n;
	uint64_t bytes;
	struct restore_stretch {
		int fd; /* our own: the file may be closed meanwhile */
		uint64_t offset, length;
	} slots[RESTORE_WRITEOUT_SLOTS];
};

/* content [offset, offset + length) of fd was just written. A failure is of some stretch on its way
 * (the disk is full, or failing): it concerns the whole restore. */
CHECKED int restore_writeout_add(struct restore_writeout *out, int fd, uint64_t offset,
				 uint64_t length, struct error *err);
/* Let go of what is on its way, without waiting: the sync at the end does. */
void restore_writeout_done(struct restore_writeout *out);

#endif
