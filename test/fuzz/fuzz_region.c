/* SPDX-License-Identifier: Apache-2.0 */

/* Region leaves: every page lies inside its blob, and every blob is one of the region's. */
#include "repo/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct region g;
	struct error err = ERROR_INIT;
	int rc = map_region_parse(SLICE(data, size), &g, &err);

	if (rc != OK && rc != ERR_CORRUPT)
		abort();
	if (rc != OK)
		return 0;
	if (g.length == 0 || g.length > REGION_SIZE || g.n_pages == 0 ||
	    g.n_pages > REGION_PAGES_MAX || (uint64_t)g.n_pages << g.page_shift < g.length ||
	    g.n_blobs > REGION_PAGES_MAX)
		abort();
	for (size_t i = 0; i < g.n_pages; i++)
		if (g.pages[i].blob != PAGE_HOLE &&
		    (g.pages[i].blob >= g.n_blobs ||
		     ((uint64_t)g.pages[i].page + 1) << g.page_shift > BLOB_MAX))
			abort();
	return 0;
}
