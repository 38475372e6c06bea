/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a guest may do. Whoever holds a guest may have its keys of this backup; he must not get more by
 * it than adding data that nobody refers to: nothing of keys/ (to guess passwords at leisure), nothing of
 * points/ (which hosts there are), no object that another backup relies on.
 */
#include "requester/pump_internal.h"

#include <string.h>

#include "repo/format.h"
#include "repo/names.h"

enum { INDEX_MAX = 65 << 20 }; /* a payload's maximum, and its envelope */

static bool
begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool
may_look(const char *name)
{
	return begins(name, NAME_PACKS) || begins(name, NAME_INDEX) || begins(name, NAME_MARKS);
}

static bool
may_add(const char *name)
{
	struct pack_id pack;
	struct object_id object;

	return name_parse_pack(name, &pack) || name_parse_object(NAME_INDEX, name, &object);
}

int
pump_policy_check(enum pump_policy policy, const struct storeop *op, struct error *err)
{
	bool good = policy == PUMP_ANYTHING;

	if (policy == PUMP_BACKUP)
		switch (op->kind) {
		case STOREOP_READ:
		case STOREOP_STAT:
		case STOREOP_LIST:
			good = may_look(op->name);
			break;
		case STOREOP_PART:
		case STOREOP_COMMIT:
			good = may_add(op->name);
			break;
		case STOREOP_ABORT:
			good = true;
			break;
		}
	if (good)
		return OK;
	error_set(err, ERR_PERMISSION, "a guest may not %s '%s'",
		  op->kind == STOREOP_PART || op->kind == STOREOP_COMMIT ? "store" : "see",
		  op->name);
	return error_hint(err, "Nothing of a backup needs this: see to the guest.");
}

uint64_t
pump_policy_size(enum pump_policy policy, const char *name)
{
	if (policy == PUMP_ANYTHING)
		return INT64_MAX;
	return begins(name, NAME_PACKS) ? (uint64_t)PACK_SIZE_MAX + FRAME_STORED_MAX : INDEX_MAX;
}
