/* SPDX-License-Identifier: Apache-2.0 */

/* Making and dropping the slot, and looking for its folder. */
#include "writer/postgresql/slot.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/hex.h"

static int
create_failed(const struct pgconn *c, struct error *err)
{
	/* configuration_limit_exceeded: somebody was quicker than our check before. */
	if (strcmp(pgconn_sqlstate(c), "53400") == 0)
		(void)error_hint(err, "raise max_replication_slots and restart PostgreSQL, or drop "
				      "a slot nobody needs (SELECT * FROM pg_replication_slots)");
	return error_prefix(err, "hold the log with a replication slot");
}

static int
check_is_here(const struct cluster *cluster, const char *name, struct error *err)
{
	CLEAN(free_ptr) char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/pg_replslot/%s", cluster->data_directory, name) < 0)
		return error_no_memory(err);
	if (stat(path, &st) == 0)
		return OK;
	if (errno != ENOENT)
		return error_sys(err, ERR_PERMISSION, "look for '%s'", path);
	(void)error_set(err, ERR_DB_CONFIG,
			"the server we are connected to does not run in '%s' on this machine",
			cluster->data_directory);
	return error_hint(err, "host and port in [writer.postgresql] lead to another machine, or "
			       "to a container whose files are elsewhere: run the backup where "
			       "PostgreSQL runs");
}

int
slot_create(struct pgconn *c, const struct cluster *cluster, const struct pgconn_limit *limit,
	    char name[SLOT_NAME_MAX], struct error *err)
{
	uint8_t random[8];
	char hex[2 * sizeof(random) + 1];
	char made[SLOT_NAME_MAX];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_sys(err, ERR_IO, "get random bytes");
	(void)snprintf(made, sizeof(made), "holdfast_%s", hex_encode(random, sizeof(random), hex));
	const char *const params[] = {made};
	/* Reserved at once, and gone with the session. */
	int rc = pgconn_query(c, limit,
			      "SELECT pg_create_physical_replication_slot($1, true, true)", 1,
			      params, NULL, err);
	if (rc < 0)
		return create_failed(c, err);
	rc = check_is_here(cluster, made, err);
	if (rc == OK)
		memcpy(name, made, sizeof(made));
	return rc;
}

int
slot_drop(struct pgconn *c, const struct pgconn_limit *limit, const char *name, struct error *err)
{
	const char *const params[] = {name};

	int rc = pgconn_query(c, limit, "SELECT pg_drop_replication_slot($1)", 1, params, NULL,
			      err);
	return rc < 0 ? (int)error_prefix(err, "release the log") : OK;
}
