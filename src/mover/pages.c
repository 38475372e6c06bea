/* SPDX-License-Identifier: Apache-2.0 */

/* The inspectors there are, by the name a writer's component gives. */
#include "mover/pages.h"

#include <string.h>

#include "mover/page_postgresql.h"

static const struct page_inspector *const inspectors[] = {&page_postgresql};

const struct page_inspector *
page_inspector_find(const char *format)
{
	for (size_t i = 0; i < ARRAY_SIZE(inspectors); i++)
		if (strcmp(inspectors[i]->format, format) == 0)
			return inspectors[i];
	return NULL;
}
