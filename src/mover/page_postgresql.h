/* SPDX-License-Identifier: Apache-2.0 */

/* The inspector for PostgreSQL's pages (versions 9.3 and later, with data checksums). */
#ifndef HF_MOVER_PAGE_POSTGRESQL_H
#define HF_MOVER_PAGE_POSTGRESQL_H

#include "mover/pages.h"

extern const struct page_inspector page_postgresql;

/* The checksum that belongs into a page with these contents, whatever its checksum field says now.
 * page_size: a multiple of 128, at least 128. */
uint16_t page_postgresql_checksum(const uint8_t *page, uint32_t page_size, uint32_t block);
/* The same without what only some processors have, so that tests reach it on all of them. */
uint16_t page_postgresql_checksum_plain(const uint8_t *page, uint32_t page_size, uint32_t block);

#endif
