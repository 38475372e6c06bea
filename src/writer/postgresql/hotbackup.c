/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The order is what makes the backup good: the slot comes before the start, so that no log from the
 * start on can be recycled; the start's checkpoint comes before the first byte is copied; the logs
 * are listed after the stop, and released only when they are stored.
 */
#include "writer/postgresql/hotbackup.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "writer/postgresql/waltail.h"

/* How often a quiet session is asked; and how long it may take to answer. A loaded server is
 * slow, but one that is silent for this long holds nothing that one could rely upon. */
#define WATCH_INTERVAL_NS (2 * NS_PER_S)
#define WATCH_LIMIT_NS (60 * NS_PER_S)

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
	if (PQgetisnull(r, 0, 3) || strcmp(PQgetvalue(r, 0, 3), "lost") == 0) {
		(void)error_set(err, ERR_DB_SESSION_LOST,
				"the replication slot that held the log for the backup is lost");
		return error_hint(err, "raise max_slot_wal_keep_size, or set it to -1, and run the "
				       "backup again");
	}
	/* After the end only the logs up to it matter. */
	if (b->ended)
		return OK;
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
		struct error *err)
{
	int rc = cluster_clock(b->conn, limit, &b->start_time_ns, err);
	if (rc == OK)
		rc = start(b, label, limit, err);
	return rc == OK ? hotbackup_prove(b, limit, err) : rc;
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
	struct waltail tail = {
		.cluster = b->cluster, .timeline = b->timeline, .start_time_ns = b->start_time_ns};

	int rc = stop(b, limit, &r, err);
	if (rc == OK)
		rc = cluster_clock(b->conn, limit, &tail.stop_time_ns, err);
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
	rc = waltail_make(&tail, ret_tail, err);
	b->ended = rc == OK;
	return rc;
}

int
hotbackup_release(struct hotbackup *b, const struct pgconn_limit *limit, struct error *err)
{
	int rc = hotbackup_prove(b, limit, err);
	if (rc == OK)
		rc = slot_drop(b->conn, limit, b->slot, err);
	if (rc < 0)
		return rc;
	b->slot[0] = 0;
	return OK;
}

void
hotbackup_cancel(struct hotbackup *b)
{
	*b = (struct hotbackup){.cluster = b->cluster, .dialect = b->dialect};
}
