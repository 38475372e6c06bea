/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Other contexts in the server: what is left of our own, when the link was cut and the server does not know;
 * and somebody else's.
 *
 * Ours is known by its name, which has a random number in it. There may be several: a channel that was cut
 * again while it was being opened leaves one, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/postgresql/channel_internal.h"
#include "group/postgresql/target.h"

enum { LOOK_AGAIN_MS = 20 };

#define IS_LEFT "a.application_name = $1 AND a.usename = current_user AND a.pid <> pg_backend_pid()"

void
channel_slot_prefix(const struct group *g, char text[CHANNEL_SLOT_MAX])
{
	(void)snprintf(text, CHANNEL_SLOT_MAX, "holdfast_context_%08" PRIx32 "_",
		       target_lock_number(g->name));
}

int
channel_left_slot(struct dialog *d, const struct engine_mark *mark, uint64_t deadline_ns,
		  char slot[CHANNEL_SLOT_MAX], struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	char prefix[CHANNEL_SLOT_MAX];
	const char *const params[] = {mark->token, prefix};
	int rc;

	channel_slot_prefix(d->group, prefix);
	rc = dialog_rows(d,
			 "SELECT s.slot_name FROM pg_stat_activity a"
			 " JOIN pg_replication_slots s ON s.active_pid = a.pid"
			 " WHERE " IS_LEFT " AND s.temporary AND starts_with(s.slot_name::text, $2)"
			 " ORDER BY s.restart_lsn LIMIT 1",
			 ARRAY_SIZE(params), params, 1, deadline_ns, &r, err);
	if (rc < 0)
		return rc;
	(void)snprintf(slot, CHANNEL_SLOT_MAX, "%s", PQntuples(r) == 1 ? PQgetvalue(r, 0, 0) : "");
	return OK;
}

static void
pause_ms(unsigned ms)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = (long)ms * (long)NS_PER_MS}, NULL);
}

int
channel_left_end(struct dialog *d, const struct engine_mark *mark, uint64_t deadline_ns,
		 struct error *err)
{
	const char *const params[] = {mark->token};

	for (;;) {
		CLEAN(pgconn_result_done) PGresult *r = NULL;
		/* Again and again: a process that was just starting a statement may have missed it. */
		int rc = dialog_ask(d,
				    "SELECT count(pg_terminate_backend(a.pid))"
				    " FROM pg_stat_activity a WHERE " IS_LEFT,
				    1, params, 1, deadline_ns, &r, err);
		if (rc < 0)
			return rc;
		if (strcmp(PQgetvalue(r, 0, 0), "0") == 0)
			return OK;
		if (clock_boot_ns() >= deadline_ns)
			return error_set(err, ERR_TIMEOUT,
					 "%s: the session before does not end there",
					 d->copy->name);
		pause_ms(LOOK_AGAIN_MS);
	}
}

/* "pg2 by backup1, since 14:25:06 (3 min)" */
static void
set_busy(const struct dialog *d, const char *name, uint64_t since_us, uint64_t age_s,
	 struct error *err)
{
	char since[32], holder[ENGINE_TEXT_MAX];

	target_holder(d->group->name, name, holder);
	(void)error_set(err, ERR_GROUP_BUSY,
			"a backup of group '%s' is running already: of %s, since %s (for %" PRIu64
			" s)",
			d->group->name, holder, clock_format_utc(since_us * 1000, since), age_s);
}

/* From rows of (application_name, backend_start in µs, age in s). */
static int
busy_from(const struct dialog *d, const PGresult *r, struct error *err)
{
	if (PQntuples(r) == 0)
		return error_set(
			err, ERR_GROUP_BUSY,
			"a backup of group '%s' is running already: its lock is held on %s",
			d->group->name, d->copy->name);
	set_busy(d, PQgetvalue(r, 0, 0), strtoull(PQgetvalue(r, 0, 1), NULL, 10),
		 strtoull(PQgetvalue(r, 0, 2), NULL, 10), err);
	return ERR_GROUP_BUSY;
}

#define WHO                                                                                        \
	"SELECT a.application_name, (extract(epoch FROM a.backend_start) * 1000000)::int8,"        \
	" greatest(0, extract(epoch FROM clock_timestamp() - a.backend_start))::int8"

int
channel_busy(struct dialog *d, uint64_t deadline_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	char class[16], object[16];
	const char *const params[] = {class, object};
	int rc;

	(void)snprintf(class, sizeof(class), "%u", (unsigned)TARGET_LOCK_CLASS);
	(void)snprintf(object, sizeof(object), "%" PRIu32, target_lock_number(d->group->name));
	rc = dialog_rows(d,
			 WHO " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
			     " WHERE l.locktype = 'advisory' AND l.classid = $1::oid"
			     " AND l.objid = $2::oid AND l.objsubid = 2 AND l.granted"
			     " AND l.pid <> pg_backend_pid() LIMIT 1",
			 ARRAY_SIZE(params), params, 3, deadline_ns, &r, err);
	return rc < 0 ? rc : busy_from(d, r, err);
}

int
channel_alone(struct dialog *d, uint64_t deadline_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	char prefix[CHANNEL_SLOT_MAX];
	const char *const params[] = {prefix};
	int rc;

	channel_slot_prefix(d->group, prefix);
	rc = dialog_rows(d,
			 WHO " FROM pg_replication_slots s JOIN pg_stat_activity a"
			     " ON a.pid = s.active_pid WHERE s.temporary"
			     " AND starts_with(s.slot_name::text, $1)"
			     " AND a.pid <> pg_backend_pid() LIMIT 1",
			 1, params, 3, deadline_ns, &r, err);
	if (rc < 0)
		return rc;
	if (PQntuples(r) == 0)
		return OK;
	rc = busy_from(d, r, err);
	(void)error_hint(err,
			 "wait until it is done (--wait does); all requesters of a group should "
			 "name the same database in its copies' sections");
	return rc;
}
