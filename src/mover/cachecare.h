/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Leaving the page cache as it was found. A backup reads everything once; left alone, it would push
 * out what the database has in the cache. So before a range is read the kernel is asked which parts
 * are there already; the others are read ahead explicitly, and dropped when done.
 *
 * Hints only: nothing here can fail, and nothing here changes what is read.
 */
#ifndef HF_MOVER_CACHECARE_H
#define HF_MOVER_CACHECARE_H

#include <stdbool.h>

#include "base/base.h"

enum {
	CACHECARE_PIECE = 1 << 20, /* what is asked, read ahead and dropped at a time */
	CACHECARE_PIECES = 64,
	/*
	 * Smaller files are left to the kernel: it takes pages used once for the first to go anyhow
	 * and keeps those used often, and a question and a drop for each of very many files would
	 * cost more than reading them.
	 */
	CACHECARE_MIN = 256 << 10,
};

struct cachecare {
	int fd;
	uint64_t start, end; /* the range */
	uint64_t ahead; /* reading was begun up to here */
	uint64_t cold; /* bit i: nothing of piece i was in the cache */
};

/* Look at length bytes (at most CACHECARE_PIECES pieces) from start; begin reading the first. */
void cachecare_begin(struct cachecare *c, int fd, uint64_t start, uint64_t length);
/* Before reading at `offset`: keep the disk busy with what comes next. */
void cachecare_ahead(struct cachecare *c, uint64_t offset);
/* Everything in the range below `offset` was read: drop what was cold. */
void cachecare_behind(struct cachecare *c, uint64_t offset);

#endif
