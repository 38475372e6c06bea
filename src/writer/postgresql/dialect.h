/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What differs between the versions of PostgreSQL this writer knows: one row for each range of
 * them. Pure.
 */
#ifndef HF_POSTGRESQL_DIALECT_H
#define HF_POSTGRESQL_DIALECT_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct dialect {
	int since; /* server_version_num of the first it is for */
	const char *start; /* $1 label, $2 fast -> position, as text */
	const char *stop; /* -> position, backup_label, tablespace_map, as text; not waiting for
			     the archive */
	const char *start_function; /* as has_function_privilege() takes them */
	const char *stop_function;
	const char *start_name; /* as GRANT takes them */
	const char *stop_name;
	/* Each is run when the session begins; ends in NULL. */
	const char *const *session;
	bool map_escapes_backslash; /* see spcmap.h */
};

/* ERR_DB_CONFIG for a version that is too old, or newer than this program. */
CHECKED int dialect_find(int server_version_num, const struct dialect **ret, struct error *err);

#endif
