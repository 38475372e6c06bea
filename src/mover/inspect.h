/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Looking at the pages of a database while they pass. A page that fails its check may just have been
 * written at the moment it was read, so it is read again a few times; what stays bad is told by file
 * and block. The copy keeps such pages as they are: they are what the database has.
 */
#ifndef HF_MOVER_INSPECT_H
#define HF_MOVER_INSPECT_H

#include <stdbool.h>

#include "base/base.h"
#include "mover/worker.h"

struct inspect {
	struct mover_worker *worker;
	struct entry *entry;
	const struct component_pages *pages; /* NULL: nothing is checked */
	const struct page_inspector *inspector;
	int fd;
	uint64_t first_block; /* of the file, within its relation */
	unsigned bad;
	uint64_t waited_ns;
};

/* For one file, or one part of it. */
void inspect_begin(struct inspect *in, struct mover_worker *w, struct entry *e, int fd);
/*
 * Check the whole pages in p[0..n), which lie at `offset` (a multiple of the page size) of the file.
 * Pages that were read again are replaced in p. `holes`, by page of the part, are passed over; NULL:
 * there are none.
 */
void inspect_pages(struct inspect *in, uint8_t *p, size_t n, uint64_t offset, const bool *holes);
/* True if pages stayed bad. */
CHECKED bool inspect_end(struct inspect *in);

#endif
