/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The order is what makes the backup good: the slot comes before the start, so that no log from the
 * start on can be recycled; the start's checkpoint comes before the first byte is copied; the logs
 * are listed after the stop, and released only when they are stored.
 *
 * That the session is in the very server whose files are copied, and not in another with a copy of
 * them, is proven by the slot: its folder has a name nobody could know, and must appear in ours.
 */
#include "writer/postgresql/hotbackup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "writer/postgresql/waltail.h"

/* How often a quiet session is asked; and how long it may take to answer. A loaded server is
 * slow, but one that is silent for this long holds nothing that one could rely upon. */
#define WATCH_INTERVAL_NS (2 * NS_PER_S)
#define WATCH_LIMIT_NS (60 * NS_PER_S)

static int
set_up_session(struct hotbackup *b, const struct pgconn_limit *limit, struct error *err)
{
	for (const char *const *sql = b->dialect->session; *sql != NULL; sql++) {
		int rc = pgconn_query(b->conn, limit, *sql, 0, NULL, NULL, err);
		if (rc < 0)
			return error_prefix(err, "set up the session (%s)", *sql);
	}
	return OK;
}

/* The slot. */

static int
slot_failed(struct hotbackup *b, struct error *err)
{
	b->slot[0] = 0;
	/* configuration_limit_exceeded: somebody was quicker than our check before. */
	if (strcmp(pgconn_sqlstate(b->conn), "53400") == 0)
		(void)error_hint(err, "raise max_replication_slots and restart PostgreSQL, or drop "
				      "a slot nobody needs (SELECT * FROM pg_replication_slots)");
	return error_prefix(err, "hold the log with a replication slot");
}

static int
check_slot_is_here(const struct hotbackup *b, struct error *err)
{
	CLEAN(free_ptr) char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/pg_replslot/%s", b->cluster->data_directory, b->slot) < 0)
		return error_no_memory(err);
	if (stat(path, &st) == 0)
		return OK;
	if (errno != ENOENT)
		return error_sys(err, ERR_PERMISSION, "look for '%s'", path);
	(void)error_set(err, ERR_DB_CONFIG,
			"the server we are connected to does not run in '%s' on this machine",
			b->cluster->data_directory);
	return error_hint(err, "host and port in [writer.postgresql] lead to another machine, or "
			       "to a container whose files are elsewhere: run the backup where "
			       "PostgreSQL runs");
}

static int
create_slot(struct hotbackup *b, const struct pgconn_limit *limit, struct error *err)
{
	uint8_t random[8];
	char hex[2 * sizeof(random) + 1];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_sys(err, ERR_IO, "get random bytes");
	(void)snprintf(b->slot, sizeof(b->slot), "holdfast_%s",
		       hex_encode(random, sizeof(random), hex));
	const char *const params[] = {b->slot};
	/* Reserved at once, and gone with the session. */
	int rc = pgconn_query(b->conn, limit,
			      "SELECT pg_create_physical_replication_slot($1, true, true)", 1,
			      params, NULL, err);
	if (rc < 0)
		return slot_failed(b, err);
	return check_slot_is_here(b, err);
}

/* Begin. */

/* What the server refuses at the start: on a standby, mostly what its primary does. */
static int
start_failed(const struct hotbackup *b, struct error *err)
{
	if (b->cluster->standby && strcmp(pgconn_sqlstate(b->conn), "55000") == 0)
		(void)error_hint(err,
				 "check full_page_writes on the primary, and that this standby "
				 "is still one");
	return error_prefix(err, "begin the backup in PostgreSQL");
}

static int
start(struct hotbackup *b, const char *label, const struct pgconn_limit *limit, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	const char *const params[] = {label, "true"};

	int rc = pgconn_query(b->conn, limit, b->dialect->start, 2, params, &r, err);
	if (rc < 0)
		return start_failed(b, err);
	b->in_backup_mode = true;
	if (PQntuples(r) != 1 || !walrange_parse_lsn(PQgetvalue(r, 0, 0), &b->start_lsn))
		return error_set(err, ERR_WRITER_FAILED,
				 "begin the backup in PostgreSQL: it gives no position");
	return OK;
}

static int
list_tablespaces(struct hotbackup *b, const struct pgconn_limit *limit, struct spcmap *ret,
		 struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;

	/* Those without a folder of their own have no location, or one inside the data folder. */
	int rc = pgconn_query(b->conn, limit,
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

/* Watching. */

static const char watch_sql[] =
	"SELECT pg_is_in_recovery(), r.min_recovery_end_timeline, c.timeline_id, "
	"(SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1) "
	"FROM pg_control_recovery() r, pg_control_checkpoint() c";

/* Any of these makes the copy worthless; the sooner it is known, the less was copied in vain. */
static int
check_answer(const struct hotbackup *b, const PGresult *r, struct error *err)
{
	if (PQntuples(r) != 1)
		return error_set(err, ERR_WRITER_FAILED, "watch the session: no answer");
	bool standby = PQgetvalue(r, 0, 0)[0] == 't';
	unsigned long recovery_timeline = strtoul(PQgetvalue(r, 0, 1), NULL, 10);

	if (standby != b->cluster->standby) {
		(void)error_set(err, ERR_WRITER_RETRYABLE,
				"the standby was promoted during the backup");
		return error_hint(err,
				  "run the backup again: PostgreSQL cannot use a copy that was "
				  "begun before the promotion");
	}
	/* 0: not known, as on every primary. */
	if (standby && recovery_timeline != 0 && recovery_timeline != b->timeline) {
		(void)error_set(
			err, ERR_WRITER_RETRYABLE,
			"the standby follows timeline %lu now, the backup began on %" PRIu32,
			recovery_timeline, b->timeline);
		return error_hint(err,
				  "run the backup again, after the standby's next restartpoint "
				  "(CHECKPOINT on it makes one)");
	}
	if (PQgetisnull(r, 0, 3) || strcmp(PQgetvalue(r, 0, 3), "lost") == 0) {
		(void)error_set(err, ERR_DB_SESSION_LOST,
				"the replication slot that held the log for the backup is lost");
		return error_hint(err, "raise max_slot_wal_keep_size, or set it to -1, and run the "
				       "backup again");
	}
	return OK;
}

int
hotbackup_prove(struct hotbackup *b, const struct pgconn_limit *limit, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	const char *const params[] = {b->slot};

	int rc = pgconn_query(b->conn, limit, watch_sql, 1, params, &r, err);
	if (rc < 0)
		return rc;
	/* The first answer after the start says which timeline that was. */
	if (b->timeline == 0)
		b->timeline = (uint32_t)strtoul(PQgetvalue(r, 0, 2), NULL, 10);
	b->asked_ns = 0;
	return check_answer(b, r, err);
}

int
hotbackup_watch(struct hotbackup *b, uint64_t *ret_next_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	const char *const params[] = {b->slot};
	uint64_t now_ns = clock_boot_ns();

	int rc = pgconn_take(b->conn, &r, err);
	if (rc < 0)
		return rc;
	if (rc == 1) {
		b->asked_ns = 0;
		*ret_next_ns = now_ns + WATCH_INTERVAL_NS;
		return check_answer(b, r, err);
	}
	if (b->asked_ns != 0 && now_ns - b->asked_ns > WATCH_LIMIT_NS)
		return error_set(err, ERR_DB_SESSION_LOST,
				 "the server has not answered for %" PRIu64 " s",
				 WATCH_LIMIT_NS / NS_PER_S);
	if (b->asked_ns == 0) {
		b->asked_ns = now_ns;
		rc = pgconn_send(b->conn, watch_sql, 1, params, err);
	}
	*ret_next_ns = now_ns + WATCH_INTERVAL_NS;
	return rc;
}

int
hotbackup_begin(struct hotbackup *b, const char *label, const struct pgconn_limit *limit,
		struct spcmap *ret_tablespaces, struct error *err)
{
	int rc = set_up_session(b, limit, err);
	if (rc == OK)
		rc = create_slot(b, limit, err);
	if (rc == OK)
		rc = start(b, label, limit, err);
	if (rc == OK)
		rc = hotbackup_prove(b, limit, err);
	if (rc == OK)
		rc = list_tablespaces(b, limit, ret_tablespaces, err);
	return rc;
}

/* End. */

static int
stop_failed(const struct hotbackup *b, struct error *err)
{
	/* object_not_in_prerequisite_state: what a standby says after its promotion, or when the
	 * primary wrote logs without full pages meanwhile. Either way another try can succeed. */
	if (b->cluster->standby && strcmp(pgconn_sqlstate(b->conn), "55000") == 0 && err != NULL) {
		err->code = ERR_WRITER_RETRYABLE;
		(void)error_hint(err, "run the backup again; if this comes back check "
				      "full_page_writes on the primary");
	}
	return error_prefix(err, "end the backup in PostgreSQL");
}

/* On a primary the log up to the end may still be on its way to the disk. */
static int
await_flush(struct hotbackup *b, const struct pgconn_limit *limit, struct error *err)
{
	char stop[WALRANGE_LSN_LEN + 1];
	const char *const params[] = {walrange_format_lsn(b->stop_lsn, stop)};

	for (;;) {
		CLEAN(pgconn_result_done) PGresult *r = NULL;

		/* The server does the waiting, a little at a time. */
		int rc = pgconn_query(b->conn, limit,
				      "SELECT CASE WHEN pg_current_wal_flush_lsn() >= $1::pg_lsn "
				      "THEN '' ELSE pg_sleep(0.05)::text || 'again' END",
				      1, params, &r, err);
		if (rc < 0)
			return error_prefix(err, "wait for the log to reach the disk");
		if (PQgetvalue(r, 0, 0)[0] == 0)
			return OK;
	}
}

static int
stop(struct hotbackup *b, const struct pgconn_limit *limit, PGresult **ret, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;

	int rc = pgconn_query(b->conn, limit, b->dialect->stop, 0, NULL, &r, err);
	if (rc < 0)
		return stop_failed(b, err);
	b->in_backup_mode = false;
	if (PQntuples(r) != 1 || !walrange_parse_lsn(PQgetvalue(r, 0, 0), &b->stop_lsn) ||
	    PQgetlength(r, 0, 1) == 0)
		return error_set(err, ERR_WRITER_FAILED,
				 "end the backup in PostgreSQL: it gives no position or label");
	*ret = STEAL_PTR(r);
	return OK;
}

int
hotbackup_end(struct hotbackup *b, const struct pgconn_limit *limit, json_t **ret_tail,
	      struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	struct waltail tail = {.cluster = b->cluster, .timeline = b->timeline};

	int rc = stop(b, limit, &r, err);
	if (rc == OK && !b->cluster->standby)
		rc = await_flush(b, limit, err);
	/* Still the same role and timeline, still all of the log? */
	if (rc == OK)
		rc = hotbackup_prove(b, limit, err);
	if (rc < 0)
		return rc;
	tail.start_lsn = b->start_lsn;
	tail.stop_lsn = b->stop_lsn;
	tail.label = SLICE(PQgetvalue(r, 0, 1), (size_t)PQgetlength(r, 0, 1));
	tail.map = SLICE(PQgetvalue(r, 0, 2), (size_t)PQgetlength(r, 0, 2));
	return waltail_make(&tail, ret_tail, err);
}

int
hotbackup_release(struct hotbackup *b, const struct pgconn_limit *limit, struct error *err)
{
	const char *const params[] = {b->slot};

	int rc = hotbackup_prove(b, limit, err);
	if (rc == OK)
		rc = pgconn_query(b->conn, limit, "SELECT pg_drop_replication_slot($1)", 1, params,
				  NULL, err);
	if (rc < 0)
		return error_prefix(err, "release the log");
	b->slot[0] = 0;
	return OK;
}

void
hotbackup_cancel(struct hotbackup *b)
{
	*b = (struct hotbackup){.cluster = b->cluster, .dialect = b->dialect};
}
