/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Page inspectors: what the mover can tell about pages of a database while it reads them. An
 * inspector is a pure function of a page's bytes.
 */
#ifndef HF_MOVER_PAGES_H
#define HF_MOVER_PAGES_H

#include "base/base.h"

enum page_verdict {
	PAGE_GOOD = 1,
	PAGE_NEWER, /* written after the backup began: may be torn, recovery rewrites it */
	PAGE_BAD, /* checksum wrong: read again, then report */
};

struct page_inspector {
	const char *format; /* "postgresql" */
	/* `block` is the page's number within its relation (across segment files). */
	enum page_verdict (*check)(const uint8_t *page, uint32_t page_size, uint64_t block,
				   uint64_t start_lsn);
};

/* NULL if there is none for this format. */
const struct page_inspector *page_inspector_find(const char *format);

#endif
