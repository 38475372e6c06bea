/* SPDX-License-Identifier: Apache-2.0 */

/* What writing (map.c) and reading (map_read.c) of file maps share. */
#ifndef HF_REPO_MAP_INTERNAL_H
#define HF_REPO_MAP_INTERNAL_H

#include "repo/map.h"

enum {
	MAP_KIND_INLINE = 1,
	MAP_KIND_SEGMENTS = 2,
	MAP_DEPTH_MAX = 3,
	NODE_CONTENT_MAX_BYTES = 4096
};

/* Does `page`, n pages after `first`, continue a run: next in the same blob, or a hole too? */
static inline bool
region_continues(const struct region_page *first, const struct region_page *page, size_t n)
{
	if (page->blob != first->blob)
		return false;
	return first->blob == PAGE_HOLE || page->page == first->page + n;
}

#endif
