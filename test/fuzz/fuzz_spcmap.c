/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as a tablespace_map, in both ways of quoting: what is understood survives being
 * written. */
#include <stdlib.h>
#include <string.h>

#include "writer/postgresql/spcmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
are_same(const struct spcmap *a, const struct spcmap *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->entries[i].oid, b->entries[i].oid) != 0 ||
		    strcmp(a->entries[i].location, b->entries[i].location) != 0)
			return false;
	return true;
}

/* The old way cannot say a backslash before a line's end, or at the end of a location. */
static bool
is_ambiguous(const struct spcmap *map)
{
	for (size_t i = 0; i < map->n; i++) {
		const char *text = map->entries[i].location;

		for (const char *p = strchr(text, '\\'); p != NULL; p = strchr(p + 1, '\\'))
			if (p[1] == 0 || p[1] == '\n' || p[1] == '\r')
				return true;
	}
	return false;
}

static void
try(struct slice text, bool escapes_backslash)
{
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;
	CLEAN(spcmap_done) struct spcmap back = SPCMAP_INIT;
	CLEAN(buf_done) struct buf out = BUF_INIT(SIZE_MAX);
	struct error err = ERROR_INIT;

	if (spcmap_parse(text, escapes_backslash, &map, &err) < 0)
		return;
	if (!escapes_backslash && is_ambiguous(&map))
		return;
	if (spcmap_write(&map, escapes_backslash, &out, &err) < 0 ||
	    spcmap_parse(buf_slice(&out), escapes_backslash, &back, &err) < 0 ||
	    !are_same(&map, &back))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try(SLICE(data, size), true);
	try(SLICE(data, size), false);
	return 0;
}
