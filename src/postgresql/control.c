/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The file is a C struct of the server as it lies in its memory, in this machine's byte order. Its
 * layout up to what is read here is the same from version 13 to 17, which all call it version 1300.
 * Source: src/include/catalog/pg_control.h.
 */
#include "postgresql/control.h"

#include <inttypes.h>
#include <string.h>

enum {
	AT_SYSTEM = 0,
	AT_VERSION = 8,
	AT_CATALOG = 12,
	AT_REDO = 40,
	AT_TIMELINE = 48,
	AT_MIN_RECOVERY = 136,
	AT_MIN_RECOVERY_TIMELINE = 144,
	END = 148,
	VERSION = 1300,
};

static uint32_t
get32(struct slice file, size_t at)
{
	uint32_t v;

	memcpy(&v, file.p + at, sizeof(v));
	return v;
}

static uint64_t
get64(struct slice file, size_t at)
{
	uint64_t v;

	memcpy(&v, file.p + at, sizeof(v));
	return v;
}

int
control_parse(struct slice file, struct control *ret, struct error *err)
{
	if (file.n < END)
		return error_set(err, ERR_CORRUPT, "global/pg_control is cut");
	if (get32(file, AT_VERSION) != VERSION)
		return error_set(err, ERR_CORRUPT,
				 "global/pg_control has version %" PRIu32 " and not %d",
				 get32(file, AT_VERSION), VERSION);
	*ret = (struct control){
		.system_identifier = get64(file, AT_SYSTEM),
		.catalog_version = get32(file, AT_CATALOG),
		.redo_lsn = get64(file, AT_REDO),
		.timeline = get32(file, AT_TIMELINE),
		.min_recovery_lsn = get64(file, AT_MIN_RECOVERY),
		.min_recovery_timeline = get32(file, AT_MIN_RECOVERY_TIMELINE),
	};
	return OK;
}
