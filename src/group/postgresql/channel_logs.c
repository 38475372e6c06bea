/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the session holds: its slot, and the logs from there on. In a beat the slot is what tells that the
 * session is whole: it belongs to the process of the server that we began with, or somebody between (a
 * pooler) has given us another.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/hex.h"
#include "group/postgresql/channel_internal.h"
#include "postgresql/walrange.h"

static uint64_t
position(const PGresult *r, int column)
{
	uint64_t at;

	return walrange_parse_lsn(PQgetvalue(r, 0, column), &at) ? at : 0;
}

uint32_t
channel_timeline_of(const char *file_name)
{
	char text[9];

	(void)snprintf(text, sizeof(text), "%.8s", file_name);
	return (uint32_t)strtoul(text, NULL, 16);
}

static int
slot_failed(const struct engine_session *s, int rc, struct error *err)
{
	const char *state = pgconn_sqlstate(s->d.c);

	(void)error_prefix(err, "hold the logs");
	/* configuration_limit_exceeded; object_not_in_prerequisite_state: wal_level. */
	if (strcmp(state, "53400") == 0)
		(void)error_hint(err,
				 "raise max_replication_slots on %s (two more than its standbys "
				 "need) and restart it, or drop a slot nobody needs",
				 s->d.copy->name);
	else if (strcmp(state, "42501") == 0)
		(void)error_hint(err,
				 "ALTER ROLE ... REPLICATION for the role that "
				 "[group.%s.copy.%s] names",
				 s->d.group->name, s->d.copy->name);
	return rc;
}

int
channel_slot_take(struct engine_session *s, const char *of, uint64_t deadline_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	uint8_t random[8];
	char hex[2 * sizeof(random) + 1], name[CHANNEL_SLOT_MAX], prefix[CHANNEL_SLOT_MAX];
	const char *const params[] = {name, of};
	bool copy = of[0] != 0;
	int rc;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_sys(err, ERR_IO, "get random bytes");
	channel_slot_prefix(s->d.group, prefix);
	(void)snprintf(name, sizeof(name), "%.40s%s", prefix,
		       hex_encode(random, sizeof(random), hex));
	rc = dialog_ask(&s->d,
			copy ? "SELECT pg_copy_physical_replication_slot($2::name, $1::name, true)"
			     : "SELECT pg_create_physical_replication_slot($1::name, true, true)",
			copy ? 2 : 1, params, 1, deadline_ns, &r, err);
	if (rc < 0)
		return slot_failed(s, rc, err);
	(void)snprintf(s->slot, sizeof(s->slot), "%s", name);
	return OK;
}

/* Where does our slot stand, and how is it? */
static int
look_at_slot(struct engine_session *s, uint64_t deadline_ns, PGresult **ret, struct error *err)
{
	const char *const params[] = {s->slot};

	return dialog_ask(
		&s->d,
		"SELECT r.is, CASE WHEN NOT r.is THEN pg_current_wal_flush_lsn() END,"
		" CASE WHEN NOT r.is THEN pg_walfile_name(pg_current_wal_flush_lsn()) END,"
		" pg_backend_pid(), s.restart_lsn, s.wal_status"
		" FROM (SELECT pg_is_in_recovery() AS is) r LEFT JOIN pg_replication_slots s"
		" ON s.slot_name = $1 AND s.active_pid = pg_backend_pid()",
		1, params, 6, deadline_ns, ret, err);
}

/* ERR_LOGS_GONE, although they were held; or ERR_CONTEXT_LOST, while nothing held them. */
static int
logs_gone(const struct engine_session *s, enum err code, uint64_t needed, struct error *err)
{
	char text[WALRANGE_LSN_LEN + 1];
	const char *name = s->d.copy->name;

	walrange_format_lsn(needed, text);
	if (code == ERR_LOGS_GONE) {
		(void)error_set(err, code,
				"%s removed logs that this backup needs, from %s on, although they "
				"were held: max_slot_wal_keep_size (%s) was used up",
				name, text, s->keep_text);
		return error_hint(err,
				  "raise max_slot_wal_keep_size on %s: as much log as is written "
				  "during a backup, and room to spare",
				  name);
	}
	return error_set(err, code,
			 "%s removed logs that this backup needs, from %s on, while the channel "
			 "that held them was away",
			 name, text);
}

/* Is the file with this position there? */
static int
find_file(struct engine_session *s, uint64_t at, uint64_t deadline_ns, bool *ret_there,
	  struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	char name[WALRANGE_NAME_LEN + 1];
	const char *const params[] = {name + 8};
	struct walrange w;
	int rc;

	if (!walrange_make(s->mark.timeline, at, at + 1, s->segment_bytes, &w))
		return error_set(err, ERR_PROTOCOL, "%s: its answer has another form",
				 s->d.copy->name);
	walrange_name(&w, w.first, name);
	/* Not by its timeline: it may be of before a promotion. */
	rc = dialog_ask(&s->d,
			"SELECT count(*) FROM pg_ls_waldir()"
			" WHERE name ~ '^[0-9A-F]{24}$' AND substr(name, 9) = $1",
			1, params, 1, deadline_ns, &r, err);
	if (rc == OK)
		*ret_there = strcmp(PQgetvalue(r, 0, 0), "0") != 0;
	return rc;
}

/*
 * Logs from `needed` on are there, though the slot began later: then nothing holds them, and they are
 * looked for. The server ends whoever holds a slot that has become too expensive, before it removes the logs: a
 * session that is opened again at once may still see them. Why they go is told by how much there would be to hold.
 */
static int
check_logs(struct engine_session *s, uint64_t needed, uint64_t deadline_ns, struct error *err)
{
	bool there = true;
	int rc;

	if (needed == 0 || s->mark.pinned / s->segment_bytes <= needed / s->segment_bytes)
		return OK;
	rc = find_file(s, needed, deadline_ns, &there, err);
	if (rc < 0 || there)
		return rc;
	bool dear = s->end > needed && s->end - needed > s->keep_bytes;
	return logs_gone(s, dear ? ERR_LOGS_GONE : ERR_CONTEXT_LOST, needed, err);
}

static int
judge_beat(struct engine_session *s, const PGresult *r, uint64_t needed, struct error *err)
{
	const char *name = s->d.copy->name;

	if (strcmp(PQgetvalue(r, 0, 0), "f") != 0)
		return error_set(err, ERR_GROUP_ROLE, "%s is not the active copy any more", name);
	if (channel_timeline_of(PQgetvalue(r, 0, 2)) != s->mark.timeline)
		return error_set(err, ERR_GROUP_ROLE, "%s is on another timeline now", name);
	if (strcmp(PQgetvalue(r, 0, 3), s->pid) != 0) {
		(void)error_set(err, ERR_DB_CONFIG,
				"%s: something between gives the session another process of the "
				"server for each statement",
				name);
		return error_hint(err,
				  "connect to the server itself, not to a pooler: host and port "
				  "of [group.%s.copy.%s]",
				  s->d.group->name, name);
	}
	if (PQgetisnull(r, 0, 4) == 1 || strcmp(PQgetvalue(r, 0, 5), "lost") == 0)
		return logs_gone(s, s->keep_bytes != UINT64_MAX ? ERR_LOGS_GONE : ERR_CONTEXT_LOST,
				 needed, err);
	return OK;
}

int
channel_beat(struct engine_session *s, uint64_t needed, uint64_t deadline_ns, uint64_t *ret_end,
	     struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	int rc = look_at_slot(s, deadline_ns, &r, err);

	if (rc == OK)
		rc = judge_beat(s, r, needed, err);
	if (rc < 0)
		return rc;
	s->end = position(r, 1);
	s->mark.pinned = position(r, 4);
	rc = check_logs(s, needed, deadline_ns, err);
	if (rc == OK)
		*ret_end = s->end;
	return rc;
}
