/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Statements that can be repeated: make the slot if it is not there, then move it if that is forward.
 * The role needs REPLICATION, and nothing else.
 */
#include "group/postgresql/truncate.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "group/postgresql/target.h"
#include "postgresql/walrange.h"

#define STATE_IN_USE "55006" /* object_in_use */
#define STATE_EXISTS "42710" /* duplicate_object */

static const char look_sql[] =
	"SELECT pg_is_in_recovery(), s.restart_lsn, s.wal_status = 'lost', s.active_pid,"
	" s.slot_type <> 'physical' FROM (SELECT) one"
	" LEFT JOIN pg_replication_slots s ON s.slot_name = $1";

enum column {
	COLUMN_RECOVERY,
	COLUMN_POSITION,
	COLUMN_LOST,
	COLUMN_HOLDER,
	COLUMN_LOGICAL,
	COLUMN_COUNT
};

struct moving {
	const struct group *g;
	const struct group_copy *active;
	struct pgconn *conn;
	struct pgconn_limit limit;
};

struct slot_facts {
	bool there, lost;
	uint64_t position; /* 0: it has none, so it keeps nothing */
};

static int
query(struct moving *m, const char *sql, const char *other, PGresult **ret, struct error *err)
{
	const char *const params[] = {m->g->slot, other};

	return pgconn_query(m->conn, &m->limit, sql, other != NULL ? 2 : 1, params, ret, err);
}

static int
look_at(struct moving *m, struct slot_facts *ret, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	struct slot_facts f = {0};

	if (query(m, look_sql, NULL, &rows, err) < 0)
		return err->code;
	if (PQntuples(rows) != 1 || PQnfields(rows) != COLUMN_COUNT)
		return error_set(err, ERR_PROTOCOL, "the server's answer has another form");
	if (PQgetvalue(rows, 0, COLUMN_RECOVERY)[0] != 'f')
		return error_set(err, ERR_GROUP_ROLE, "it is not the active copy any more");
	f.there = PQgetisnull(rows, 0, COLUMN_LOGICAL) == 0;
	if (f.there && PQgetvalue(rows, 0, COLUMN_LOGICAL)[0] != 'f') {
		error_set(err, ERR_DB_CONFIG, "slot '%s' is a logical one", m->g->slot);
		return error_hint(err, "give the group another name for its slot");
	}
	if (PQgetisnull(rows, 0, COLUMN_HOLDER) == 0) {
		error_set(err, ERR_BUSY, "process %s streams from slot '%s', and moves it itself",
			  PQgetvalue(rows, 0, COLUMN_HOLDER), m->g->slot);
		return error_hint(err, "the log copier lets go of what it has stored");
	}
	f.lost = PQgetvalue(rows, 0, COLUMN_LOST)[0] == 't';
	if (!f.lost && !walrange_parse_lsn(PQgetvalue(rows, 0, COLUMN_POSITION), &f.position))
		f.position = 0;
	*ret = f;
	return OK;
}

/* One that keeps nothing cannot be moved. */
static int
make_anew(struct moving *m, const struct slot_facts *f, struct error *err)
{
	if (f->there && query(m, "SELECT pg_drop_replication_slot($1)", NULL, NULL, err) < 0)
		return err->code;
	if (query(m, "SELECT pg_create_physical_replication_slot($1, true)", NULL, NULL, err) == OK)
		return OK;
	/* Somebody else may have made it meanwhile. */
	return strcmp(pgconn_sqlstate(m->conn), STATE_EXISTS) == 0 ? OK : (int)err->code;
}

static int
move(struct moving *m, uint64_t position, uint64_t *ret_before, struct error *err)
{
	char text[WALRANGE_LSN_LEN + 1];
	struct slot_facts f;

	if (look_at(m, &f, err) < 0)
		return err->code;
	*ret_before = f.position;
	if (f.position == 0 && (make_anew(m, &f, err) < 0 || look_at(m, &f, err) < 0))
		return err->code;
	if (f.position >= position)
		return OK;
	if (query(m, "SELECT pg_replication_slot_advance($1, $2::pg_lsn)",
		  walrange_format_lsn(position, text), NULL, err) == OK)
		return OK;
	if (strcmp(pgconn_sqlstate(m->conn), STATE_IN_USE) == 0)
		return error_set(err, ERR_BUSY, "somebody streams from slot '%s', and moves it",
				 m->g->slot);
	return err->code;
}

int
truncate_slot(const struct group *g, const struct group_copy *active, uint64_t position,
	      uint64_t deadline_ns, uint64_t *ret_before, struct error *err)
{
	CLEAN(pgconn_closep) struct pgconn *conn = NULL;
	struct moving m = {g, active, NULL, {.deadline_ns = deadline_ns, .requester_fd = -1}};
	struct error own = ERROR_INIT;
	struct target target;
	uint64_t before = 0;

	target_of(g, active, "holdfast truncate", &target);
	int r = pgconn_open(&target.pg, &m.limit, &conn, &own);
	m.conn = conn;
	if (r == OK)
		r = move(&m, position, &before, &own);
	if (r < 0) {
		(void)error_prefix(&own, "move slot '%s' on %s", g->slot, active->name);
		if (err != NULL)
			*err = own;
		return r;
	}
	*ret_before = before;
	return OK;
}
