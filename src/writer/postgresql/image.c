/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two queries. The first asks for what rules an image out:
 *
 * fsync = off: the server's writes are in no order that a snapshot would respect, since a file system
 * may bring the files of one snapshot up to date one after the other.
 *
 * full_page_writes = off: a page of 8 KiB may be caught half written, and nothing would mend it.
 *
 * A tablespace created since the last checkpoint: recovery would create it again, and by its original
 * path, whatever a restore had made of that.
 *
 * A standby whose log does not reach back to its restartpoint. (None has been seen; it would take
 * somebody's hand in pg_wal.)
 *
 * The second is asked before and after the snapshot, and must have the same answer: which server,
 * since when it runs, its role and timeline, its tablespaces, and whether it still writes safely.
 */
#include "writer/postgresql/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

enum column {
	COL_REDO = 0,
	COL_REDO_LOG,
	COL_FSYNC,
	COL_FULL_PAGES,
	COL_YOUNG_TABLESPACES,
	COL_HELD,
	COL_COUNT
};

/* age() tells what came after a transaction also when their numbers have wrapped around. The oldest
 * one that ran at a checkpoint is 0 if nothing could run, at a start. */
static const char look_sql[] =
	"SELECT c.redo_lsn::text, c.redo_wal_file, current_setting('fsync'), "
	"CASE WHEN c.full_page_writes THEN current_setting('full_page_writes') ELSE 'off' END, "
	"(SELECT count(*) FROM pg_tablespace t WHERE pg_tablespace_location(t.oid) LIKE '/%' "
	"AND age(t.xmin) BETWEEN 0 AND age(CASE WHEN c.oldest_active_xid::text = '0' "
	"THEN split_part(c.next_xid, ':', 2)::xid ELSE c.oldest_active_xid END)), "
	"CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() "
	"ELSE pg_current_wal_flush_lsn() END::text "
	"FROM pg_control_checkpoint() c";

static const char facts_sql[] =
	"SELECT concat_ws(E'\\n', i.system_identifier, pg_postmaster_start_time(), "
	"pg_is_in_recovery(), c.timeline_id, NULLIF(r.min_recovery_end_timeline, 0), "
	"current_setting('fsync'), current_setting('full_page_writes'), c.full_page_writes, "
	"(SELECT string_agg(oid || ' ' || pg_tablespace_location(oid), E'\\n' ORDER BY oid) "
	"FROM pg_tablespace)) "
	"FROM pg_control_system() i, pg_control_checkpoint() c, pg_control_recovery() r";

/* Beyond everything that the snapshot can have of the log: of a primary what is inserted, written or not;
 * of a standby what it must replay at least before its files make sense. */
static const char end_sql[] =
	"SELECT CASE WHEN pg_is_in_recovery() THEN GREATEST(pg_last_wal_replay_lsn(), "
	"pg_last_wal_receive_lsn(), r.min_recovery_end_lsn) "
	"ELSE pg_current_wal_insert_lsn() END::text, "
	"CASE WHEN pg_is_in_recovery() THEN GREATEST(r.min_recovery_end_timeline, c.timeline_id) "
	"ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint END, "
	"(extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000 "
	"FROM pg_control_recovery() r, pg_control_checkpoint() c";

static int
ask_facts(const struct image *im, const struct pgconn_limit *limit, char **ret, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;

	int rc = pgconn_query(im->conn, limit, facts_sql, 0, NULL, &r, err);
	if (rc < 0)
		return error_prefix(err, "look at the cluster");
	if (PQntuples(r) != 1)
		return error_set(err, ERR_WRITER_FAILED, "look at the cluster: no answer");
	char *facts = strdup(PQgetvalue(r, 0, 0));
	if (facts == NULL)
		return error_no_memory(err);
	*ret = facts;
	return OK;
}

static bool
log_is_there(const struct image *im)
{
	CLEAN(free_ptr) char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/pg_wal/%s", im->cluster->data_directory, im->redo_log) < 0)
		return false;
	return stat(path, &st) == 0 && (uint64_t)st.st_size == im->cluster->wal_segment_bytes;
}

static bool
is_possible(const struct image *im, const PGresult *r, char why[IMAGE_WHY_MAX])
{
	const char *clause = NULL;

	if (strcmp(PQgetvalue(r, 0, COL_FSYNC), "on") != 0)
		clause = "fsync is off, so the server would not survive a power cut";
	else if (strcmp(PQgetvalue(r, 0, COL_FULL_PAGES), "on") != 0)
		clause = "full_page_writes is off, so torn pages would not be mended";
	else if (strcmp(PQgetvalue(r, 0, COL_YOUNG_TABLESPACES), "0") != 0)
		clause = "a tablespace was created or changed since the last checkpoint";
	else if (!log_is_there(im))
		clause = "the log does not reach back to the last checkpoint";
	(void)text_printf(why, IMAGE_WHY_MAX, "%s", clause != NULL ? clause : "");
	return clause == NULL;
}

int
image_begin(struct image *im, const struct pgconn_limit *limit, bool *ret_possible,
	    char why[IMAGE_WHY_MAX], struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;

	/* First, so that nothing can change between the two and go unnoticed. */
	int rc = ask_facts(im, limit, &im->facts, err);
	if (rc == OK)
		rc = pgconn_query(im->conn, limit, look_sql, 0, NULL, &r, err);
	if (rc < 0)
		return rc;
	if (PQntuples(r) != 1 || PQnfields(r) != COL_COUNT ||
	    !walrange_parse_lsn(PQgetvalue(r, 0, COL_REDO), &im->redo_lsn))
		return error_set(err, ERR_WRITER_FAILED, "look at the last checkpoint: no answer");
	(void)snprintf(im->redo_log, sizeof(im->redo_log), "%s", PQgetvalue(r, 0, COL_REDO_LOG));
	/* A standby that copied nothing since its start knows no such position. */
	if (!walrange_parse_lsn(PQgetvalue(r, 0, COL_HELD), &im->held_lsn) ||
	    im->held_lsn < im->redo_lsn)
		im->held_lsn = im->redo_lsn;
	*ret_possible = is_possible(im, r, why);
	return OK;
}

static int
ask_end(struct image *im, const struct pgconn_limit *limit, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;

	int rc = pgconn_query(im->conn, limit, end_sql, 0, NULL, &r, err);
	if (rc < 0)
		return error_prefix(err, "ask for the end of the log");
	if (PQntuples(r) != 1 || PQnfields(r) != 3 ||
	    !walrange_parse_lsn(PQgetvalue(r, 0, 0), &im->stop_lsn))
		return error_set(err, ERR_WRITER_FAILED, "ask for the end of the log: no answer");
	im->stop_timeline = (uint32_t)strtoul(PQgetvalue(r, 0, 1), NULL, 10);
	im->stop_time_ns = strtoull(PQgetvalue(r, 0, 2), NULL, 10);
	return OK;
}

int
image_prove(struct image *im, const struct pgconn_limit *limit, struct error *err)
{
	CLEAN(free_ptr) char *facts = NULL;

	int rc = ask_end(im, limit, err);
	if (rc == OK)
		rc = ask_facts(im, limit, &facts, err);
	if (rc != OK)
		return rc;
	if (strcmp(facts, im->facts) == 0)
		return OK;
	(void)error_set(err, ERR_WRITER_RETRYABLE,
			"the cluster changed while the snapshot was taken (a restart, a promotion, "
			"another timeline, a tablespace, fsync or full_page_writes)");
	return error_hint(err, "run the backup again");
}

json_t *
image_range(const struct image *im)
{
	char start[WALRANGE_LSN_LEN + 1], held[WALRANGE_LSN_LEN + 1], stop[WALRANGE_LSN_LEN + 1];

	return json_pack("{s:s, s:s, s:s, s:I, s:I}", "start_lsn",
			 walrange_format_lsn(im->redo_lsn, start), "held_lsn",
			 walrange_format_lsn(im->held_lsn, held), "stop_lsn",
			 walrange_format_lsn(im->stop_lsn, stop), "stop_timeline",
			 (json_int_t)im->stop_timeline, "stop_time", (json_int_t)im->stop_time_ns);
}

void
image_done(struct image *im)
{
	free(im->facts);
	*im = (struct image){0};
}
