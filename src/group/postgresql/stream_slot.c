/* SPDX-License-Identifier: Apache-2.0 */

/* The copier's slots. */
#include "group/postgresql/stream_slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "group/postgresql/target.h"
#include "postgresql/walrange.h"

#define APPLICATION "holdfast log copier"

enum { SUFFIXED_MAX = LOG_SLOT_NAME_MAX - 8 }; /* "_copier" follows */

static struct pgconn_limit
until(uint64_t deadline_ns)
{
	return (struct pgconn_limit){.deadline_ns = deadline_ns, .requester_fd = -1};
}

char *
stream_slot_name(const struct group *g, char text[LOG_SLOT_NAME_MAX])
{
	if (g->slot != NULL)
		(void)snprintf(text, LOG_SLOT_NAME_MAX, "%.*s_copier", SUFFIXED_MAX, g->slot);
	else
		(void)snprintf(text, LOG_SLOT_NAME_MAX, "holdfast_%s_copier", g->name);
	/* What a slot's name may have. */
	for (char *p = text; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
		else if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9'))
			*p = '_';
	}
	return text;
}

int
stream_slot_look(struct pgconn *c, const char *name, uint64_t deadline_ns, struct log_slot *ret,
		 struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	const char *const params[] = {name};
	struct log_slot slot = {0};

	if (pgconn_query(
		    c, &limit,
		    "SELECT coalesce(s.restart_lsn, '0/0'), s.active, coalesce(s.wal_status, "
		    "'') IN ('lost'), coalesce(a.application_name, '') || coalesce(' from ' || "
		    "host(a.client_addr), ''), coalesce(extract(epoch FROM "
		    "pg_catalog.clock_timestamp() - a.backend_start), 0)::bigint FROM pg_catalog.pg_replication_slots s LEFT JOIN "
		    "pg_catalog.pg_stat_activity a ON a.pid = s.active_pid WHERE s.slot_name = "
		    "$1 AND s.slot_type = 'physical'",
		    1, params, &rows, err) < 0)
		return error_prefix(err, "look at the slot '%s'", name);
	if (PQnfields(rows) != 5)
		return error_set(err, ERR_PROTOCOL, "the slot '%s' has no log position", name);
	if (PQntuples(rows) > 0) {
		slot.exists = true;
		slot.active = PQgetvalue(rows, 0, 1)[0] == 't';
		slot.lost = PQgetvalue(rows, 0, 2)[0] == 't';
		(void)text_printf(slot.user, sizeof(slot.user), "%s", PQgetvalue(rows, 0, 3));
		text_without_controls(slot.user);
		slot.user_s = strtoull(PQgetvalue(rows, 0, 4), NULL, 10);
		if (!walrange_parse_lsn(PQgetvalue(rows, 0, 0), &slot.position))
			return error_set(err, ERR_PROTOCOL, "the slot '%s' has no log position",
					 name);
	}
	*ret = slot;
	return OK;
}

static int
drop(struct pgconn *c, const char *name, uint64_t deadline_ns, struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	const char *const params[] = {name};

	if (pgconn_query(c, &limit, "SELECT pg_catalog.pg_drop_replication_slot($1)", 1, params,
			 NULL, err) < 0)
		return error_prefix(err, "drop the slot '%s'", name);
	return OK;
}

int
stream_slot_make(struct pgconn *c, const char *name, uint64_t deadline_ns, struct log_slot *ret,
		 struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	const char *const params[] = {name};
	bool was_lost = false;

	if (stream_slot_look(c, name, deadline_ns, ret, err) < 0)
		return err->code;
	if (ret->exists && ret->lost && !ret->active) {
		if (drop(c, name, deadline_ns, err) < 0)
			return err->code;
		ret->exists = false;
		was_lost = true;
	}
	if (ret->exists)
		return OK;
	if (pgconn_query(c, &limit,
			 "SELECT pg_catalog.pg_create_physical_replication_slot($1, true)", 1,
			 params, NULL, err) < 0) {
		if (strcmp(pgconn_sqlstate(c), "53400") == 0)
			(void)error_hint(err, "raise max_replication_slots and restart PostgreSQL, "
					      "or drop a slot that nobody needs");
		return error_prefix(err, "make the slot '%s'", name);
	}
	if (stream_slot_look(c, name, deadline_ns, ret, err) < 0)
		return err->code;
	ret->made = true;
	ret->was_lost = was_lost;
	return OK;
}

/* Never back, and on a passive copy not beyond what it has itself. */
int
stream_slot_move(struct pgconn *c, const char *name, uint64_t position, uint64_t deadline_ns,
		 struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	char text[WALRANGE_LSN_LEN + 1];
	const char *const params[] = {name, walrange_format_lsn(position, text)};

	if (pgconn_query(
		    c, &limit,
		    "SELECT pg_catalog.pg_replication_slot_advance(s.slot_name, t.upto) FROM "
		    "pg_catalog.pg_replication_slots s, LATERAL (SELECT CASE WHEN "
		    "pg_catalog.pg_is_in_recovery() THEN least($2::pg_lsn, "
		    "pg_catalog.pg_last_wal_replay_lsn()) ELSE $2::pg_lsn END AS upto) t WHERE "
		    "s.slot_name = $1 AND NOT s.active AND s.restart_lsn < t.upto",
		    2, params, NULL, err) < 0)
		return error_prefix(err, "move the slot '%s' to %s", name, text);
	return OK;
}

int
stream_slot_keep(const struct group *g, const struct group_copy *copy, const char *name,
		 uint64_t position, uint64_t deadline_ns, struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	CLEAN(pgconn_closep) struct pgconn *c = NULL;
	struct target target;
	struct log_slot slot;

	target_of(g, copy, APPLICATION, &target);
	if (pgconn_open(&target.pg, &limit, &c, err) < 0 ||
	    stream_slot_make(c, name, deadline_ns, &slot, err) < 0 ||
	    stream_slot_move(c, name, position, deadline_ns, err) < 0)
		return error_prefix(err, "%s", copy->name);
	return OK;
}

int
stream_slot_drop(const struct group *g, const struct group_copy *copy, const char *name,
		 uint64_t deadline_ns, struct error *err)
{
	const struct pgconn_limit limit = until(deadline_ns);
	CLEAN(pgconn_closep) struct pgconn *c = NULL;
	struct target target;
	struct log_slot slot;

	target_of(g, copy, APPLICATION, &target);
	if (pgconn_open(&target.pg, &limit, &c, err) < 0 ||
	    stream_slot_look(c, name, deadline_ns, &slot, err) < 0 ||
	    (slot.exists && drop(c, name, deadline_ns, err) < 0))
		return error_prefix(err, "%s", copy->name);
	return OK;
}
