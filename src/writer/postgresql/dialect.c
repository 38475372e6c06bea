/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of versions. Exclusive backups (before 15) are not used: they leave a cluster that does
 * not start when the machine goes down during the backup.
 */
#include "writer/postgresql/dialect.h"

enum { FIRST_VERSION = 130000, END_VERSION = 180000 };

/* No time limit of the server's may end a session that holds a backup, and none may be endless:
 * statements end by our own deadlines, then by statement_timeout. */
#define SESSION_13                                                                                 \
	"SET statement_timeout = '30min'", "SET lock_timeout = '30s'",                             \
		"SET idle_in_transaction_session_timeout = 0", "SET synchronous_commit = 'local'"
/* A backend in a long statement must notice within seconds that we are gone. */
#define SESSION_14                                                                                 \
	SESSION_13, "SET idle_session_timeout = 0", "SET client_connection_check_interval = '2s'"

static const char *const session_13[] = {SESSION_13, NULL};
static const char *const session_14[] = {SESSION_14, NULL};
static const char *const session_17[] = {SESSION_14, "SET transaction_timeout = 0", NULL};

#define OLD_NAMES                                                                                  \
	.start = "SELECT pg_start_backup($1, $2::boolean, false)::text",                           \
	.stop = "SELECT lsn::text, labelfile, spcmapfile FROM pg_stop_backup(false, false)",       \
	.start_function = "pg_catalog.pg_start_backup(text,boolean,boolean)",                      \
	.stop_function = "pg_catalog.pg_stop_backup(boolean,boolean)",                             \
	.start_name = "pg_start_backup", .stop_name = "pg_stop_backup(boolean,boolean)"
#define NEW_NAMES                                                                                  \
	.start = "SELECT pg_backup_start($1, $2::boolean)::text",                                  \
	.stop = "SELECT lsn::text, labelfile, spcmapfile FROM pg_backup_stop(false)",              \
	.start_function = "pg_catalog.pg_backup_start(text,boolean)",                              \
	.stop_function = "pg_catalog.pg_backup_stop(boolean)", .start_name = "pg_backup_start",    \
	.stop_name = "pg_backup_stop"

/* Newest first. */
static const struct dialect dialects[] = {
	{.since = 170000, NEW_NAMES, .session = session_17, .map_escapes_backslash = true},
	{.since = 150000, NEW_NAMES, .session = session_14, .map_escapes_backslash = true},
	{.since = 140000, OLD_NAMES, .session = session_14, .map_escapes_backslash = true},
	{.since = 130000, OLD_NAMES, .session = session_13, .map_escapes_backslash = false},
};

int
dialect_find(int server_version_num, const struct dialect **ret, struct error *err)
{
	int major = server_version_num / 10000;

	if (server_version_num < FIRST_VERSION) {
		(void)error_set(err, ERR_DB_CONFIG, "PostgreSQL %d is too old for this writer",
				major);
		return error_hint(err, "this writer knows versions 13 to 17: upgrade PostgreSQL");
	}
	if (server_version_num >= END_VERSION) {
		(void)error_set(err, ERR_DB_CONFIG, "PostgreSQL %d is newer than this writer",
				major);
		return error_hint(err, "this writer knows versions 13 to 17: upgrade Holdfast");
	}
	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++)
		if (server_version_num >= dialects[i].since) {
			*ret = &dialects[i];
			return OK;
		}
	return error_set(err, ERR_INTERNAL, "no dialect for version %d", server_version_num);
}
