/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One query for all facts, then checks from the most to the least basic, so that a person fixes
 * first things first.
 */
#include "writer/postgresql/cluster.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

enum column {
	COL_VERSION = 0,
	COL_SYSTEM,
	COL_CATALOG,
	COL_STANDBY,
	COL_TIMELINE,
	COL_FULL_PAGES,
	COL_BLOCK,
	COL_SEGMENT,
	COL_WAL_SEGMENT,
	COL_CHECKSUMS,
	COL_DIR_MODE,
	COL_WAL_LEVEL,
	COL_MAX_SLOTS,
	COL_USED_SLOTS,
	COL_TEMPORARY_SLOTS,
	COL_TABLESPACES,
	COL_DATA_DIRECTORY,
	COL_COUNT,
};

/* In the order of the columns above. pg_settings hides what the role may not see, where
 * current_setting() would fail. */
static const char look_sql[] =
	"WITH s AS (SELECT name, setting FROM pg_settings) SELECT "
	"(SELECT setting FROM s WHERE name = 'server_version'), "
	"i.system_identifier::text, i.catalog_version_no, "
	"pg_is_in_recovery(), c.timeline_id, c.full_page_writes, "
	"(SELECT setting FROM s WHERE name = 'block_size'), "
	"(SELECT setting FROM s WHERE name = 'segment_size'), "
	"(SELECT setting FROM s WHERE name = 'wal_segment_size'), "
	"(SELECT setting FROM s WHERE name = 'data_checksums'), "
	"(SELECT setting FROM s WHERE name = 'data_directory_mode'), "
	"(SELECT setting FROM s WHERE name = 'wal_level'), "
	"(SELECT setting FROM s WHERE name = 'max_replication_slots'), "
	"(SELECT count(*) FROM pg_replication_slots), "
	"(SELECT count(*) FROM pg_replication_slots WHERE temporary), "
	"(SELECT count(*) FROM pg_tablespace WHERE pg_tablespace_location(oid) <> ''), "
	"(SELECT setting FROM s WHERE name = 'data_directory') "
	"FROM pg_control_system() i, pg_control_checkpoint() c";

static const char *
text_of(const PGresult *r, enum column column)
{
	return PQgetvalue(r, 0, (int)column);
}

/* Our own query gives numbers where it should, or the server is none we know. */
static int
number_of(const PGresult *r, enum column column, int base, uint64_t *ret, struct error *err)
{
	const char *text = text_of(r, column);
	char *end;

	errno = 0;
	uint64_t v = strtoull(text, &end, base);
	if (text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0)
		return error_set(err, ERR_WRITER_FAILED,
				 "the server says '%s' where a number belongs (column %d)", text,
				 (int)column);
	*ret = v;
	return OK;
}

static int
take_numbers(const PGresult *r, struct cluster *cl, struct error *err)
{
	uint64_t timeline, block, mode, system;

	if (number_of(r, COL_SYSTEM, 10, &system, err) < 0 ||
	    number_of(r, COL_CATALOG, 10, &cl->catalog_version, err) < 0 ||
	    number_of(r, COL_TIMELINE, 10, &timeline, err) < 0 ||
	    number_of(r, COL_BLOCK, 10, &block, err) < 0 ||
	    number_of(r, COL_SEGMENT, 10, &cl->segment_pages, err) < 0 ||
	    number_of(r, COL_WAL_SEGMENT, 10, &cl->wal_segment_bytes, err) < 0 ||
	    number_of(r, COL_DIR_MODE, 8, &mode, err) < 0 ||
	    number_of(r, COL_MAX_SLOTS, 10, &cl->max_slots, err) < 0 ||
	    number_of(r, COL_USED_SLOTS, 10, &cl->used_slots, err) < 0 ||
	    number_of(r, COL_TEMPORARY_SLOTS, 10, &cl->temporary_slots, err) < 0 ||
	    number_of(r, COL_TABLESPACES, 10, &cl->tablespaces, err) < 0)
		return ERR_WRITER_FAILED;
	(void)snprintf(cl->system_identifier, sizeof(cl->system_identifier), "%" PRIu64, system);
	cl->timeline = (uint32_t)timeline;
	cl->block_size = (uint32_t)block;
	cl->dir_mode = (unsigned)mode & 0777;
	return OK;
}

int
cluster_look(struct pgconn *c, const struct pgconn_limit *limit, struct cluster *ret,
	     struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	CLEAN(cluster_done) struct cluster cl = {.version_num = pgconn_server_version(c)};

	int rc = pgconn_query(c, limit, look_sql, 0, NULL, &r, err);
	if (rc < 0)
		return error_prefix(err, "look at the cluster");
	if (PQntuples(r) != 1 || PQnfields(r) != COL_COUNT)
		return error_set(err, ERR_WRITER_FAILED, "look at the cluster: no answer");
	rc = take_numbers(r, &cl, err);
	if (rc < 0)
		return rc;
	(void)text_printf(cl.version, sizeof(cl.version), "%s", text_of(r, COL_VERSION));
	(void)text_printf(cl.wal_level, sizeof(cl.wal_level), "%s", text_of(r, COL_WAL_LEVEL));
	cl.standby = text_of(r, COL_STANDBY)[0] == 't';
	cl.full_page_writes = text_of(r, COL_FULL_PAGES)[0] == 't';
	cl.checksums = strcmp(text_of(r, COL_CHECKSUMS), "on") == 0;
	if (!PQgetisnull(r, 0, COL_DATA_DIRECTORY)) {
		cl.data_directory = strdup(text_of(r, COL_DATA_DIRECTORY));
		if (cl.data_directory == NULL)
			return error_no_memory(err);
	}
	*ret = cl;
	cl = (struct cluster){0};
	return OK;
}

void
cluster_done(struct cluster *cl)
{
	free(cl->data_directory);
	*cl = (struct cluster){0};
}

json_t *
cluster_describe(const struct cluster *cl)
{
	json_t *j = json_pack(
		"{s:s, s:s, s:i, s:s, s:I, s:b, s:I, s:I, s:I, s:b, s:s}", "version", cl->version,
		"system_identifier", cl->system_identifier, "version_num", cl->version_num, "role",
		cl->standby ? "standby" : "primary", "timeline", (json_int_t)cl->timeline,
		"data_checksums", (int)cl->checksums, "block_size", (json_int_t)cl->block_size,
		"segment_pages", (json_int_t)cl->segment_pages, "wal_segment_size",
		(json_int_t)cl->wal_segment_bytes, "full_page_writes", (int)cl->full_page_writes,
		"wal_level", cl->wal_level);

	if (j != NULL && cl->data_directory != NULL)
		(void)json_object_set_new(
			j, "data_directory",
			json_bytes(cl->data_directory, strlen(cl->data_directory)));
	return j;
}

int
cluster_clock(struct pgconn *c, const struct pgconn_limit *limit, uint64_t *ret_ns,
	      struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;

	int rc = pgconn_query(c, limit,
			      "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", 0,
			      NULL, &r, err);
	if (rc < 0)
		return error_prefix(err, "ask for the time");
	if (PQntuples(r) != 1)
		return error_set(err, ERR_WRITER_FAILED, "ask for the time: no answer");
	*ret_ns = strtoull(PQgetvalue(r, 0, 0), NULL, 10) * 1000;
	return OK;
}

int
cluster_set_up_session(struct pgconn *c, const struct dialect *dialect,
		       const struct pgconn_limit *limit, struct error *err)
{
	for (const char *const *sql = dialect->session; *sql != NULL; sql++) {
		int rc = pgconn_query(c, limit, *sql, 0, NULL, NULL, err);
		if (rc < 0)
			return error_prefix(err, "set up the session (%s)", *sql);
	}
	return OK;
}

/* Rights. */

static const char rights_sql[] =
	"SELECT quote_ident(r.rolname), r.rolsuper OR r.rolreplication, "
	"has_function_privilege($1, 'EXECUTE') AND has_function_privilege($2, 'EXECUTE'), "
	"current_database() "
	"FROM pg_roles r WHERE r.rolname = current_user";

/* For everything that lacks at once: nobody likes to be told one by one. */
static int
check_rights(const struct cluster *cl, const struct dialect *d, struct pgconn *c,
	     const struct pgconn_limit *limit, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	CLEAN(buf_done) struct buf cure = BUF_INIT(4096);
	const char *const functions[] = {d->start_function, d->stop_function};

	int rc = pgconn_query(c, limit, rights_sql, 2, functions, &r, err);
	if (rc < 0)
		return error_prefix(err, "look at this role's rights");
	if (PQntuples(r) != 1)
		return error_set(err, ERR_WRITER_FAILED, "look at this role's rights: no answer");
	const char *role = PQgetvalue(r, 0, 0);
	if (PQgetvalue(r, 0, 1)[0] != 't')
		rc = buf_printf(&cure, err, "ALTER ROLE %s REPLICATION; ", role);
	if (rc == OK && cl->data_directory == NULL)
		rc = buf_printf(&cure, err, "GRANT pg_read_all_settings TO %s; ", role);
	if (rc == OK && PQgetvalue(r, 0, 2)[0] != 't')
		rc = buf_printf(&cure, err, "GRANT EXECUTE ON FUNCTION %s, %s TO %s; ",
				d->start_name, d->stop_name, role);
	if (rc < 0 || cure.n == 0)
		return rc;
	((char *)cure.p)[cure.n - 2] = '\0'; /* the last "; " */
	(void)error_set(err, ERR_PERMISSION, "the role %s may not back up this cluster", role);
	/* Rights on functions are each database's own. */
	return error_hint(err, "as a superuser, in database %s: %s", PQgetvalue(r, 0, 3),
			  (char *)cure.p);
}

/* Configuration. */

static int
check_configuration(const struct cluster *cl, struct error *err)
{
	if (strcmp(cl->wal_level, "minimal") == 0) {
		(void)error_set(err, ERR_DB_CONFIG,
				"wal_level is minimal: this cluster logs too "
				"little to be backed up while it runs");
		return error_hint(err, "set wal_level = replica and max_wal_senders = 2 in "
				       "postgresql.conf and restart PostgreSQL");
	}
	if (cl->standby && !cl->full_page_writes) {
		(void)error_set(err, ERR_DB_CONFIG,
				"the primary of this standby runs with "
				"full_page_writes = off");
		return error_hint(err, "set full_page_writes = on on the primary and run "
				       "CHECKPOINT there, or back up the primary");
	}
	if (cl->used_slots < cl->max_slots)
		return OK;
	if (cl->temporary_slots > 0)
		return error_set(err, ERR_BUSY,
				 "all %" PRIu64 " replication slots are in use, %" PRIu64
				 " of them for a backup or copy that is running",
				 cl->max_slots, cl->temporary_slots);
	(void)error_set(err, ERR_DB_CONFIG, "all %" PRIu64 " replication slots are in use",
			cl->max_slots);
	return error_hint(err, "raise max_replication_slots and restart PostgreSQL, or drop a slot "
			       "nobody needs (SELECT * FROM pg_replication_slots)");
}

/* Files. */

/* The folder the server names is here, may be read, and belongs to the cluster we are connected
 * to: its pg_control begins with the same system identifier. (That it is the very same server's
 * and not a copy's is proven when the slot appears in it.) */
static int
check_files(const struct cluster *cl, struct error *err)
{
	CLEAN(fd_close) int dir = open(cl->data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t identifier;
	char text[24];
	size_t n;

	if (dir < 0 && errno == ENOENT) {
		(void)error_set(err, ERR_DB_CONFIG,
				"the server's data folder '%s' is not on this machine",
				cl->data_directory);
		return error_hint(err, "run the backup on the machine where PostgreSQL runs");
	}
	if (dir < 0) {
		(void)error_sys(err, ERR_PERMISSION, "open the data folder '%s'",
				cl->data_directory);
		return error_hint(err,
				  "run the backup as root or as the user that owns this folder");
	}
	CLEAN(fd_close) int control = openat(dir, "global/pg_control", O_RDONLY | O_CLOEXEC);
	if (control < 0) {
		(void)error_sys(err, ERR_PERMISSION, "open '%s/global/pg_control'",
				cl->data_directory);
		return error_hint(err,
				  "run the backup as root or as the user that owns this folder");
	}
	int rc = fs_pread(control, &identifier, sizeof(identifier), 0, &n, err);
	if (rc < 0)
		return error_prefix(err, "'%s/global/pg_control'", cl->data_directory);
	(void)snprintf(text, sizeof(text), "%" PRIu64, identifier);
	if (n == sizeof(identifier) && strcmp(text, cl->system_identifier) == 0)
		return OK;
	(void)error_set(err, ERR_DB_CONFIG, "'%s' on this machine belongs to another cluster",
			cl->data_directory);
	return error_hint(err, "run the backup on the machine where PostgreSQL runs: %s",
			  "host and port in [writer.postgresql] lead elsewhere");
}

int
cluster_check(const struct cluster *cl, const struct dialect *dialect, struct pgconn *c,
	      const struct pgconn_limit *limit, struct error *err)
{
	int rc = check_rights(cl, dialect, c, limit, err);
	if (rc == OK)
		rc = check_configuration(cl, err);
	if (rc == OK)
		rc = check_files(cl, err);
	return rc;
}

int
cluster_tablespaces(struct pgconn *c, const struct pgconn_limit *limit, struct spcmap *ret,
		    struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;

	/* Those without a folder of their own have no location, or one inside the data folder. */
	int rc = pgconn_query(c, limit,
			      "SELECT oid::text, pg_tablespace_location(oid) FROM pg_tablespace "
			      "WHERE pg_tablespace_location(oid) LIKE '/%' ORDER BY oid",
			      0, NULL, &r, err);
	if (rc < 0)
		return error_prefix(err, "list the tablespaces");
	map.entries = calloc((size_t)PQntuples(r) + 1, sizeof(*map.entries));
	if (map.entries == NULL)
		return error_no_memory(err);
	for (int i = 0; i < PQntuples(r); i++) {
		struct spcmap_entry *e = &map.entries[map.n++];

		(void)snprintf(e->oid, sizeof(e->oid), "%s", PQgetvalue(r, i, 0));
		rc = spcmap_move(e, PQgetvalue(r, i, 1), err);
		if (rc < 0)
			return rc;
	}
	*ret = map;
	map = SPCMAP_INIT;
	return OK;
}
