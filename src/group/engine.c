/* SPDX-License-Identifier: Apache-2.0 */

/* The engines there are. */
#include "group/engine.h"

#include <string.h>

static const struct engine *const engines[] = {&engine_postgresql};

const struct engine *
engine_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		if (strcmp(engines[i]->name, name) == 0)
			return engines[i];
	return NULL;
}
