/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PostgreSQL's log, streamed: one session for questions, and a walsender for the log itself. Slots are asked
 * about and made in the former, since the latter runs no SQL.
 */
#include "group/postgresql/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/postgresql/stream_message.h"
#include "group/postgresql/stream_slot.h"
#include "group/postgresql/target.h"
#include "postgresql/pgconn.h"
#include "postgresql/timeline.h"
#include "postgresql/walrange.h"

struct log_source {
	struct pgconn *ask; /* questions */
	struct pgconn *sender; /* the walsender */
	struct log_source_facts facts;
	char *message; /* what read() gave last, of libpq */
	bool streaming;
	bool at_end; /* nothing of the timeline was left when it was asked for: `end` is all there is */
	struct log_source_piece end;
	uint64_t received, durable; /* as last confirmed: 0 nothing yet */
};

static struct pgconn_limit
until(uint64_t deadline_ns)
{
	return (struct pgconn_limit){.deadline_ns = deadline_ns, .requester_fd = -1};
}

static void
source_close(struct log_source *s)
{
	if (s == NULL)
		return;
	PQfreemem(s->message);
	pgconn_close(s->sender);
	pgconn_close(s->ask);
	free(s);
}

static void
source_closep(struct log_source **s)
{
	source_close(*s);
}

static const struct log_source_facts *
source_facts(const struct log_source *s)
{
	return &s->facts;
}

/* One row of text columns, none of them NULL. */
static int
one_row(struct pgconn *c, const char *sql, size_t n_params, const char *const *params, int columns,
	uint64_t deadline_ns, PGresult **ret, struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	CLEAN(pgconn_result_done) PGresult *rows = NULL;

	if (pgconn_query(c, &limit, sql, n_params, params, &rows, err) < 0)
		return err->code;
	if (PQntuples(rows) != 1 || PQnfields(rows) < columns)
		return error_set(err, ERR_PROTOCOL,
				 "the server answers in a way that is not known");
	for (int i = 0; i < columns; i++)
		if (PQgetisnull(rows, 0, i))
			return error_set(err, ERR_PROTOCOL, "the server leaves out what was asked");
	*ret = STEAL_PTR(rows);
	return OK;
}

static int
take_u64(const PGresult *rows, int column, uint64_t max, uint64_t *ret, struct error *err)
{
	const char *text = PQgetvalue(rows, 0, column);
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || *ret > max)
		return error_set(err, ERR_PROTOCOL, "the server gives '%.32s' for a number", text);
	return OK;
}

static int
take_position(const PGresult *rows, int column, uint64_t *ret, struct error *err)
{
	const char *text = PQgetvalue(rows, 0, column);

	if (!walrange_parse_lsn(text, ret))
		return error_set(err, ERR_PROTOCOL, "the server gives '%.32s' for a log position",
				 text);
	return OK;
}

/* Opening. */

static int
identify(struct log_source *s, uint64_t deadline_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL, *size = NULL;
	uint64_t timeline;

	if (one_row(s->sender, "IDENTIFY_SYSTEM", 0, NULL, 3, deadline_ns, &rows, err) < 0 ||
	    take_u64(rows, 1, UINT32_MAX, &timeline, err) < 0 ||
	    take_position(rows, 2, &s->facts.end, err) < 0)
		return err->code;
	s->facts.timeline = (uint32_t)timeline;
	(void)text_printf(s->facts.identity, sizeof(s->facts.identity), "%s",
			  PQgetvalue(rows, 0, 0));
	if (one_row(s->ask,
		    "SELECT setting::bigint * CASE unit WHEN '8kB' THEN 8192 ELSE 1 END FROM "
		    "pg_catalog.pg_settings WHERE name = 'wal_segment_size'",
		    0, NULL, 1, deadline_ns, &size, err) < 0 ||
	    take_u64(size, 0, UINT64_C(1) << 30, &s->facts.segment_bytes, err) < 0)
		return err->code;
	if (s->facts.segment_bytes < 1 << 20 ||
	    (s->facts.segment_bytes & (s->facts.segment_bytes - 1)) != 0)
		return error_set(err, ERR_PROTOCOL, "the server's log files have a strange size");
	return OK;
}

static int
check_is_active(struct log_source *s, uint64_t deadline_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;

	if (one_row(s->ask, "SELECT pg_catalog.pg_is_in_recovery()", 0, NULL, 1, deadline_ns, &rows,
		    err) < 0)
		return err->code;
	if (PQgetvalue(rows, 0, 0)[0] == 't')
		return error_set(err, ERR_GROUP_ROLE, "it is not the active copy");
	return OK;
}

static int
source_open(const struct group *g, const struct group_copy *copy, const char *application,
	    uint64_t deadline_ns, struct log_source **ret, struct error *err)
{
	CLEAN(source_closep) struct log_source *s = calloc(1, sizeof(*s));
	const struct pgconn_limit limit = until(deadline_ns);
	struct target target;

	if (s == NULL)
		return error_no_memory(err);
	target_of(g, copy, application, &target);
	if (pgconn_open(&target.pg, &limit, &s->ask, err) < 0)
		return error_prefix(err, "%s", copy->name);
	target.pg.replication = true;
	if (check_is_active(s, deadline_ns, err) < 0 ||
	    pgconn_open(&target.pg, &limit, &s->sender, err) < 0 ||
	    identify(s, deadline_ns, err) < 0)
		return error_prefix(err, "%s", copy->name);
	*ret = STEAL_PTR(s);
	return OK;
}

/* Slots, in the session for questions. */

static int
source_slot_look(struct log_source *s, const char *name, uint64_t deadline_ns, struct log_slot *ret,
		 struct error *err)
{
	return stream_slot_look(s->ask, name, deadline_ns, ret, err);
}

static int
source_slot_make(struct log_source *s, const char *name, uint64_t deadline_ns, struct log_slot *ret,
		 struct error *err)
{
	return stream_slot_make(s->ask, name, deadline_ns, ret, err);
}

static int
source_slot_move(struct log_source *s, const char *name, uint64_t position, uint64_t deadline_ns,
		 struct error *err)
{
	return stream_slot_move(s->ask, name, position, deadline_ns, err);
}

/* The stream. */

static int
source_mark(struct log_source *s, uint64_t deadline_ns, struct log_mark *ret, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	struct log_mark mark;
	uint64_t us;

	/* The time first, and only then the position: whoever was answered before it is below it. */
	if (one_row(s->ask,
		    "WITH t AS MATERIALIZED (SELECT pg_catalog.clock_timestamp() AS now OFFSET 0) "
		    "SELECT (extract(epoch FROM t.now) * 1000000)::bigint, "
		    "pg_catalog.pg_current_wal_flush_lsn() FROM t",
		    0, NULL, 2, deadline_ns, &rows, err) < 0 ||
	    take_u64(rows, 0, INT64_MAX / 1000, &us, err) < 0 ||
	    take_position(rows, 1, &mark.end, err) < 0)
		return error_prefix(err, "ask for the end of the log");
	mark.time_ns = us * 1000;
	*ret = mark;
	return OK;
}

/* What the walsender's refusal means. Those without a SQLSTATE of their own are about positions. */
static enum err
start_refused(const struct log_source *s, const char *slot, struct error *err)
{
	const char *state = pgconn_sqlstate(s->sender);
	const struct {
		const char *state;
		enum err code;
	} all[] = {
		{"58P01", ERR_LOGS_GONE}, /* the file was removed */
		{"55000", ERR_LOGS_GONE}, /* the slot was invalidated */
		{"55006", ERR_GROUP_BUSY},
		{"XX000", ERR_GROUP_ROLE}, /* not in this server's history */
	};
	struct error server = *err;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strcmp(state, all[i].state) != 0)
			continue;
		(void)error_set(err, all[i].code, "%s", server.msg);
		if (all[i].code == ERR_GROUP_BUSY)
			(void)error_hint(err,
					 "another log copier of this group runs somewhere: see who "
					 "uses the slot '%s' in pg_stat_replication",
					 slot != NULL ? slot : "");
		break;
	}
	return err->code;
}

static int
ended(const PGresult *rows, struct log_source_piece *ret, struct error *err)
{
	struct log_source_piece piece = {.kind = LOG_PIECE_END};
	uint64_t timeline;

	if (rows == NULL || PQntuples(rows) != 1 || PQnfields(rows) < 2)
		return error_set(err, ERR_DB_SESSION_LOST,
				 "the server ended the log's stream: it shuts down");
	if (take_u64(rows, 0, UINT32_MAX, &timeline, err) < 0 ||
	    take_position(rows, 1, &piece.next_from, err) < 0)
		return err->code;
	piece.next_timeline = (uint32_t)timeline;
	*ret = piece;
	return OK;
}

/*
 * Is the file that `position` is in still there? Asked before, since a walsender that misses it says so with
 * whatever SQLSTATE the last error of its system left. On which timeline it is does not matter: the file of a fork
 * is kept under the newer one's name.
 */
static int
check_is_there(struct log_source *s, uint32_t timeline, uint64_t position, uint64_t deadline_ns,
	       struct error *err)
{
	const struct walrange r = {.timeline = timeline, .segment_bytes = s->facts.segment_bytes};
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	char name[WALRANGE_NAME_LEN + 1];
	const char *const params[] = {walrange_name(&r, position / s->facts.segment_bytes, name) +
				      8};
	struct error ignored = ERROR_INIT;

	/* Where nothing is yet, nothing is missing; and who may not look finds out when it is read. */
	if (position >= s->facts.end ||
	    one_row(s->ask,
		    "SELECT count(*) FROM pg_catalog.pg_ls_waldir() WHERE substr(name, 9) = $1", 1,
		    params, 1, deadline_ns, &rows, &ignored) < 0 ||
	    PQgetvalue(rows, 0, 0)[0] != '0')
		return OK;
	return error_set(err, ERR_LOGS_GONE, "the log file %s was removed from the active copy",
			 name);
}

static int
source_start(struct log_source *s, const char *slot, uint32_t timeline, uint64_t position,
	     uint64_t deadline_ns, struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	char at[WALRANGE_LSN_LEN + 1], sql[200];
	int r;

	(void)snprintf(sql, sizeof(sql), "START_REPLICATION %s%s%s PHYSICAL %s TIMELINE %" PRIu32,
		       slot != NULL ? "SLOT \"" : "", slot != NULL ? slot : "",
		       slot != NULL ? "\"" : "", walrange_format_lsn(position, at), timeline);
	s->received = s->durable = 0;
	if (check_is_there(s, timeline, position, deadline_ns, err) < 0)
		return err->code;
	r = pgconn_copy_start(s->sender, &limit, sql, &rows, err);
	if (r < 0) {
		(void)start_refused(s, slot, err);
		return error_prefix(err, "stream the log from %s of timeline %" PRIu32, at,
				    timeline);
	}
	s->streaming = r == 1;
	s->at_end = r == 0;
	return s->at_end ? ended(rows, &s->end, err) : OK;
}

static int
send_status(struct log_source *s, bool ask, uint64_t deadline_ns, struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	const struct stream_status status = {.written = s->received,
					     .flushed = s->durable,
					     .time_ns = clock_wall_ns(),
					     .wants_reply = ask};
	uint8_t text[STREAM_STATUS_SIZE];

	stream_status_make(&status, text);
	return pgconn_copy_write(s->sender, &limit, text, sizeof(text), err);
}

static int
source_confirm(struct log_source *s, uint64_t received, uint64_t durable, bool ask,
	       uint64_t deadline_ns, struct error *err)
{
	s->received = received;
	s->durable = durable;
	return s->streaming ? send_status(s, ask, deadline_ns, err) : OK;
}

static int
end_of_stream(struct log_source *s, struct log_source_piece *ret, struct error *err)
{
	const struct pgconn_limit limit = until(clock_boot_ns() + 10 * NS_PER_S);
	CLEAN(pgconn_result_done) PGresult *rows = NULL;

	s->streaming = false;
	if (pgconn_copy_end(s->sender, &limit, &rows, err) < 0)
		return start_refused(s, NULL, err);
	return ended(rows, ret, err);
}

static int
source_read(struct log_source *s, uint64_t deadline_ns, struct log_source_piece *ret,
	    struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	struct stream_message m;
	size_t n;
	int r;

	if (s->at_end) {
		s->at_end = false;
		*ret = s->end;
		return OK;
	}
	for (;;) {
		PQfreemem(STEAL_PTR(s->message));
		r = pgconn_copy_read(s->sender, &limit, &s->message, &n, err);
		if (r < 0)
			return r;
		if (r == PGCONN_COPY_NOTHING) {
			*ret = (struct log_source_piece){.kind = LOG_PIECE_NONE};
			return OK;
		}
		if (r == PGCONN_COPY_ENDED)
			return end_of_stream(s, ret, err);
		if (stream_message_parse(SLICE(s->message, n), &m, err) < 0)
			return err->code;
		if (m.kind == STREAM_OTHER)
			continue;
		if (m.wants_reply && send_status(s, false, deadline_ns, err) < 0)
			return err->code;
		*ret = (struct log_source_piece){.kind = m.kind == STREAM_DATA ? LOG_PIECE_DATA
									       : LOG_PIECE_ALIVE,
						 .position = m.position,
						 .data = m.data,
						 .time_ns = m.time_ns};
		return OK;
	}
}

/* Timelines. */

static int
source_history(struct log_source *s, uint32_t timeline, uint64_t deadline_ns, struct buf *ret,
	       struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	struct timeline_history parsed;
	char sql[64];
	size_t n;

	(void)snprintf(sql, sizeof(sql), "TIMELINE_HISTORY %" PRIu32, timeline);
	if (pgconn_query(s->sender, &limit, sql, 0, NULL, &rows, err) < 0)
		return error_prefix(err, "read the history of timeline %" PRIu32, timeline);
	if (PQntuples(rows) != 1 || PQnfields(rows) < 2)
		return error_set(err, ERR_PROTOCOL,
				 "the server has no history of timeline %" PRIu32, timeline);
	n = (size_t)PQgetlength(rows, 0, 1);
	if (n > TIMELINE_FILE_MAX)
		return error_set(err, ERR_LIMIT, "the history of timeline %" PRIu32 " is too long",
				 timeline);
	if (timeline_history_parse(timeline, SLICE(PQgetvalue(rows, 0, 1), n), &parsed, err) < 0)
		return err->code;
	return buf_append(ret, PQgetvalue(rows, 0, 1), n, err);
}

static int
history_end(uint32_t timeline, struct slice file, uint32_t ancestor, uint64_t *ret,
	    struct error *err)
{
	struct timeline_history h;

	if (timeline_history_parse(timeline, file, &h, err) < 0)
		return err->code;
	return timeline_end(&h, ancestor, ret) ? 1 : 0;
}

static char *
segment_name(uint32_t timeline, uint64_t position, uint64_t segment_bytes,
	     char text[LOG_FILE_NAME_MAX])
{
	const struct walrange r = {.timeline = timeline, .segment_bytes = segment_bytes};

	_Static_assert((int)LOG_FILE_NAME_MAX > (int)WALRANGE_NAME_LEN, "names fit");
	return walrange_name(&r, position / segment_bytes, text);
}

static char *
history_name(uint32_t timeline, char text[LOG_FILE_NAME_MAX])
{
	_Static_assert((int)LOG_FILE_NAME_MAX > (int)TIMELINE_NAME_LEN, "names fit");
	return timeline_history_name(timeline, text);
}

const struct log_source_ops log_source_postgresql = {
	.open = source_open,
	.close = source_close,
	.facts = source_facts,
	.slot_name = stream_slot_name,
	.slot_look = source_slot_look,
	.slot_make = source_slot_make,
	.slot_move = source_slot_move,
	.mark = source_mark,
	.start = source_start,
	.read = source_read,
	.confirm = source_confirm,
	.history = source_history,
	.history_end = history_end,
	.segment_name = segment_name,
	.history_name = history_name,
	.slot_keep = stream_slot_keep,
	.slot_drop = stream_slot_drop,
};
