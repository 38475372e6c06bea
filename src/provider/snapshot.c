/* SPDX-License-Identifier: Apache-2.0 */

/* The name of a snapshot: what its place, its mark and its mount point are called. */
#include "provider/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

enum { HEX = 2 * SNAPSHOT_SET_SIZE };

char *
snapshot_name(const struct snapshot *s, char text[SNAPSHOT_NAME_MAX])
{
	hex_encode(s->set, sizeof(s->set), text);
	(void)snprintf(text + HEX, SNAPSHOT_NAME_MAX - HEX, "-%u", s->index);
	return text;
}

bool
snapshot_name_parse(const char *text, struct snapshot *s)
{
	struct snapshot parsed = {0};
	char again[SNAPSHOT_NAME_MAX];
	size_t n = strlen(text);
	char *end;

	if (n < HEX + 2 || n >= SNAPSHOT_NAME_MAX || text[HEX] != '-' ||
	    !hex_decode(text, HEX, parsed.set, sizeof(parsed.set)))
		return false;
	parsed.index = (uint32_t)strtoul(text + HEX + 1, &end, 10);
	/* One number has one spelling. */
	if (*end != '\0' || strcmp(snapshot_name(&parsed, again), text) != 0)
		return false;
	memcpy(s->set, parsed.set, sizeof(s->set));
	s->index = parsed.index;
	return true;
}
