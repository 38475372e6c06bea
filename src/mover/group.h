/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Small files: read by the dozen, each with one open, one read and one close, so that very many of
 * them cost what their system calls cost and not a queue operation and a wake-up each.
 */
#ifndef HF_MOVER_GROUP_H
#define HF_MOVER_GROUP_H

#include "base/base.h"
#include "mover/cachecare.h"
#include "mover/worker.h"

enum {
	GROUP_FILE_MAX = CACHECARE_MIN, /* larger files have a job, and cache care, of their own */
	GROUP_FILES = 64,
	GROUP_BYTES = 4 << 20,
};

/* Entries [from, to) of a folder's window; those that are `small` are meant. */
struct group_range {
	size_t from, to;
	size_t done; /* set by group_read(): how many entries are done */
};

/* Divide the small files of a window into groups: all but the first become jobs, the first is the
 * caller's. */
CHECKED int group_push(struct mover *m, struct folder *folder, struct group_range *ret_own,
		       struct error *err);
/* Read a group; fd: the folder. Files that turn out to be larger, or to have holes, go on as jobs. */
CHECKED int group_read(struct mover_worker *w, struct folder *folder, int fd,
		       struct group_range *range, struct error *err);

#endif
