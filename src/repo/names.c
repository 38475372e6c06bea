/* SPDX-License-Identifier: Apache-2.0 */

/* Names of objects in the store. Ids are random, so 256 pack folders fill evenly. */
#include "repo/names.h"

#include <assert.h>
#include <stdio.h>

#include "base/hex.h"

char *
name_pack(const struct pack_id *id, char name[NAME_SIZE])
{
	char hex[2 * PACK_ID_SIZE + 1];

	hex_encode(id->b, sizeof(id->b), hex);
	(void)snprintf(name, NAME_SIZE, NAME_PACKS "%.2s/%s", hex, hex);
	return name;
}

char *
name_object(const char *folder, const struct object_id *id, char name[NAME_SIZE])
{
	char hex[2 * OBJECT_ID_SIZE + 1];

	(void)snprintf(name, NAME_SIZE, "%s%s", folder, hex_encode(id->b, sizeof(id->b), hex));
	return name;
}

bool
name_parse_pack(const char *name, struct pack_id *ret)
{
	size_t head = strlen(NAME_PACKS);
	struct pack_id id;

	if (strncmp(name, NAME_PACKS, head) != 0)
		return false;
	name += head;
	if (strlen(name) != 3 + 2 * PACK_ID_SIZE || name[2] != '/' ||
	    memcmp(name, name + 3, 2) != 0)
		return false;
	if (!hex_decode(name + 3, 2 * PACK_ID_SIZE, id.b, sizeof(id.b)))
		return false;
	*ret = id;
	return true;
}

bool
name_parse_object(const char *folder, const char *name, struct object_id *ret)
{
	size_t head = strlen(folder);
	struct object_id id;

	if (strncmp(name, folder, head) != 0)
		return false;
	if (!hex_decode(name + head, strlen(name + head), id.b, sizeof(id.b)))
		return false;
	*ret = id;
	return true;
}
