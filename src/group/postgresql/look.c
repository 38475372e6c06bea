/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The questions. Each works on a primary and on a standby alike, since which of them it is may change
 * between two statements: what only one can answer is NULL on the other.
 */
#include "group/postgresql/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/postgresql/target.h"
#include "postgresql/pgconn.h"
#include "postgresql/sqlstate.h"
#include "postgresql/walrange.h"

#define STATE_STARTING "57P03" /* cannot_connect_now */

/* In the order of the columns below. */
enum column {
	COLUMN_MAY_SEE,
	COLUMN_ROLE_NAME,
	COLUMN_RECOVERY,
	COLUMN_IDENTITY,
	COLUMN_VERSION,
	COLUMN_SEGMENT,
	COLUMN_NOW,
	COLUMN_GENERATED,
	COLUMN_ACTIVE_TIMELINE,
	COLUMN_COPIED,
	COLUMN_REPLAYED,
	COLUMN_REPLAYED_TIME,
	COLUMN_PAUSED,
	COLUMN_PASSIVE_TIMELINE,
	COLUMN_RECEIVING,
	COLUMN_SOURCE,
	COLUMN_SOURCE_SLOT,
	COLUMN_COPIED_TIME,
	COLUMN_IN_BACKUP,
	COLUMN_COUNT
};

/*
 * The timeline of a primary is that of the file it writes now: pg_control knows it only after the next
 * checkpoint. Of a standby: the newest it has heard of. After a restart nothing was received yet, but what
 * was replayed is here all the same. Who is in backup mode the server does not tell (15 and newer);
 * what a session did last is seen, though.
 */
static const char facts_sql[] =
	"SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), current_user,"
	" r.passive, (SELECT system_identifier FROM pg_control_system()),"
	" current_setting('server_version'),"
	" pg_size_bytes(current_setting('wal_segment_size')),"
	" (extract(epoch FROM clock_timestamp()) * 1000000)::int8,"
	" CASE WHEN NOT r.passive THEN pg_current_wal_flush_lsn() END,"
	" CASE WHEN NOT r.passive THEN left(pg_walfile_name(pg_current_wal_flush_lsn()), 8) END,"
	" greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()),"
	" pg_last_wal_replay_lsn(),"
	" (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::int8,"
	" CASE WHEN r.passive THEN pg_is_wal_replay_paused() END,"
	" greatest((SELECT timeline_id FROM pg_control_checkpoint()),"
	" (SELECT min_recovery_end_timeline FROM pg_control_recovery()), w.received_tli),"
	" w.status = 'streaming', w.sender_host || ':' || w.sender_port,"
	" current_setting('primary_slot_name'),"
	" (extract(epoch FROM w.last_msg_receipt_time) * 1000000)::int8,"
	" EXISTS (SELECT FROM pg_stat_progress_basebackup) OR EXISTS"
	" (SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
	" AND query ~* 'pg_(backup_start|start_backup) *[(]')"
	" FROM (SELECT pg_is_in_recovery() AS passive) r"
	" LEFT JOIN pg_stat_wal_receiver w ON true";

static const char contexts_sql[] =
	"SELECT a.application_name, (extract(epoch FROM a.backend_start) * 1000000)::int8"
	" FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
	" WHERE l.locktype = 'advisory' AND l.classid = $1::oid AND l.objid = $2::oid"
	" AND l.objsubid = 2 AND l.granted ORDER BY a.backend_start LIMIT $3";

static const char slots_sql[] =
	"SELECT slot_name, temporary, active, wal_status = 'lost', restart_lsn"
	" FROM pg_replication_slots ORDER BY slot_name LIMIT $1";

/* Fields. NULL is "", 0, false. */

static const char *
field(const PGresult *rows, size_t row, int column)
{
	return PQgetvalue(rows, (int)row, column);
}

static bool
field_bool(const PGresult *rows, size_t row, int column)
{
	return field(rows, row, column)[0] == 't';
}

static uint64_t
field_number(const PGresult *rows, size_t row, int column, int base)
{
	const char *text = field(rows, row, column);

	return text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, base) : 0;
}

static uint64_t
field_time(const PGresult *rows, size_t row, int column)
{
	return field_number(rows, row, column, 10) * 1000;
}

static uint64_t
field_position(const PGresult *rows, size_t row, int column)
{
	uint64_t position;

	return walrange_parse_lsn(field(rows, row, column), &position) ? position : 0;
}

/* What the server sent is shown on terminals. */
static void
field_text(const PGresult *rows, size_t row, int column, char *text, size_t size)
{
	(void)text_printf(text, size, "%s", field(rows, row, column));
	text_without_controls(text);
}

/* Answers. */

static int
check_form(const PGresult *rows, int columns, struct error *err)
{
	if (PQnfields(rows) != columns)
		return error_set(err, ERR_PROTOCOL, "the server's answer has another form");
	return OK;
}

static int
take_facts(const PGresult *rows, struct copy_facts *f, struct error *err)
{
	bool recovery;

	if (PQntuples(rows) != 1)
		return error_set(err, ERR_PROTOCOL, "the server's answer has another form");
	if (check_form(rows, COLUMN_COUNT, err) < 0)
		return err->code;
	if (!field_bool(rows, 0, COLUMN_MAY_SEE))
		return error_set(
			err, ERR_PERMISSION,
			"the role \"%s\" may not see what the server does: GRANT pg_monitor "
			"TO it",
			field(rows, 0, COLUMN_ROLE_NAME));
	recovery = field_bool(rows, 0, COLUMN_RECOVERY);
	f->role = recovery ? COPY_ROLE_PASSIVE : COPY_ROLE_ACTIVE;
	field_text(rows, 0, COLUMN_IDENTITY, f->identity, sizeof(f->identity));
	field_text(rows, 0, COLUMN_VERSION, f->version, sizeof(f->version));
	f->segment_bytes = field_number(rows, 0, COLUMN_SEGMENT, 10);
	f->in_backup_mode = field_bool(rows, 0, COLUMN_IN_BACKUP);
	if (!recovery) {
		f->timeline = (uint32_t)field_number(rows, 0, COLUMN_ACTIVE_TIMELINE, 16);
		f->generated = field_position(rows, 0, COLUMN_GENERATED);
		f->generated_time_ns = field_time(rows, 0, COLUMN_NOW);
		return OK;
	}
	f->timeline = (uint32_t)field_number(rows, 0, COLUMN_PASSIVE_TIMELINE, 10);
	f->copied = field_position(rows, 0, COLUMN_COPIED);
	f->copied_time_ns = field_time(rows, 0, COLUMN_COPIED_TIME);
	f->replayed = field_position(rows, 0, COLUMN_REPLAYED);
	f->replayed_time_ns = field_time(rows, 0, COLUMN_REPLAYED_TIME);
	f->receiving = field_bool(rows, 0, COLUMN_RECEIVING);
	f->replay_paused = field_bool(rows, 0, COLUMN_PAUSED);
	field_text(rows, 0, COLUMN_SOURCE, f->source, sizeof(f->source));
	field_text(rows, 0, COLUMN_SOURCE_SLOT, f->source_slot, sizeof(f->source_slot));
	return OK;
}

static int
ask_contexts(struct pgconn *c, const struct pgconn_limit *limit, const struct group *g,
	     struct copy_facts *f, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	char class[16], object[16], most[16];
	const char *const params[] = {class, object, most};

	(void)snprintf(class, sizeof(class), "%u", (unsigned)TARGET_LOCK_CLASS);
	(void)snprintf(object, sizeof(object), "%" PRIu32, target_lock_number(g->name));
	(void)snprintf(most, sizeof(most), "%d", ENGINE_CONTEXTS_MAX);
	int r = pgconn_query(c, limit, contexts_sql, ARRAY_SIZE(params), params, &rows, err);
	if (r == OK)
		r = check_form(rows, 2, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < (size_t)PQntuples(rows) && i < ENGINE_CONTEXTS_MAX; i++) {
		target_holder(g->name, field(rows, i, 0), f->contexts[i].holder);
		f->contexts[i].since_ns = field_time(rows, i, 1);
		f->n_contexts++;
	}
	return OK;
}

static int
ask_slots(struct pgconn *c, const struct pgconn_limit *limit, struct copy_facts *f,
	  struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	char most[16];
	const char *const params[] = {most};

	(void)snprintf(most, sizeof(most), "%d", ENGINE_SLOTS_MAX);
	int r = pgconn_query(c, limit, slots_sql, ARRAY_SIZE(params), params, &rows, err);
	if (r == OK)
		r = check_form(rows, 5, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < (size_t)PQntuples(rows) && i < ENGINE_SLOTS_MAX; i++) {
		struct copy_slot *s = &f->slots[f->n_slots++];

		field_text(rows, i, 0, s->name, sizeof(s->name));
		s->temporary = field_bool(rows, i, 1);
		s->active = field_bool(rows, i, 2);
		s->lost = field_bool(rows, i, 3);
		s->position = field_position(rows, i, 4);
	}
	return OK;
}

/* The server must not go on with what nobody waits for. */
static int
limit_statements(struct pgconn *c, const struct pgconn_limit *limit, struct error *err)
{
	char ms[16];
	const char *const params[] = {ms};

	(void)snprintf(ms, sizeof(ms), "%d", MAX(clock_left_ms(limit->deadline_ns), 1));
	return pgconn_query(c, limit, "SELECT set_config('statement_timeout', $1, false)",
			    ARRAY_SIZE(params), params, NULL, err);
}

static int
ask(struct pgconn *c, const struct pgconn_limit *limit, const struct group *g, struct copy_facts *f,
    struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	int r = limit_statements(c, limit, err);

	if (r == OK)
		r = pgconn_query(c, limit, facts_sql, 0, NULL, &rows, err);
	if (r == OK)
		r = take_facts(rows, f, err);
	if (r == OK && f->role == COPY_ROLE_ACTIVE)
		r = ask_contexts(c, limit, g, f, err);
	return r == OK ? ask_slots(c, limit, f, err) : r;
}

int
look_copy(const struct group *g, const struct group_copy *c, uint64_t deadline_ns,
	  struct copy_facts *ret, struct error *err)
{
	struct pgconn_limit limit = {.deadline_ns = deadline_ns, .requester_fd = -1};
	CLEAN(pgconn_closep) struct pgconn *conn = NULL;
	char state[SQLSTATE_LEN + 1] = "";
	uint64_t begun_ns = clock_boot_ns();
	struct error own = ERROR_INIT;
	struct copy_facts f = {0};
	struct target target;

	(void)err;
	target_of(g, c, "holdfast status", &target);
	target.pg.ret_login_state = state;
	int r = pgconn_open(&target.pg, &limit, &conn, &own);
	if (r == OK)
		r = ask(conn, &limit, g, &f, &own);
	if (r < 0) {
		f = (struct copy_facts){.failure = own.code,
					.starting = own.code == ERR_DB_CONNECT &&
						    strcmp(state, STATE_STARTING) == 0};
		(void)text_printf(f.message, sizeof(f.message), "%s", own.msg);
		text_without_controls(f.message);
		(void)text_printf(f.hint, sizeof(f.hint), "%s", own.hint);
	}
	f.asked_ns = clock_boot_ns() - begun_ns;
	*ret = f;
	return OK;
}
