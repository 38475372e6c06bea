/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Order matters when a session is opened in the place of a lost one: first the slot of the old one is
 * copied, if it is still there, so that the logs stay pinned without a gap; then the old one is ended, and
 * only then is its lock free for us.
 */
#include "group/postgresql/channel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/text.h"
#include "group/postgresql/channel_internal.h"
#include "group/postgresql/target.h"

/* The setting is in MiB; -1: no limit. */
static uint64_t
keep_bytes(const char *setting)
{
	uint64_t mib = strtoull(setting, NULL, 10);

	return setting[0] == '-' || mib > UINT64_MAX >> 20 ? UINT64_MAX : mib << 20;
}

/* Who is there? */
static int
meet(struct engine_session *s, uint64_t deadline_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	struct engine_mark *m = &s->mark;
	int rc = dialog_ask(
		&s->d,
		"SELECT r.is, (SELECT system_identifier FROM pg_control_system()),"
		" CASE WHEN NOT r.is THEN pg_walfile_name(pg_current_wal_flush_lsn()) END,"
		" a.pid, a.application_name,"
		" (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'),"
		" (SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),"
		" current_setting('max_slot_wal_keep_size')"
		" FROM (SELECT pg_is_in_recovery() AS is) r, pg_stat_activity a"
		" WHERE a.pid = pg_backend_pid()",
		0, NULL, 8, deadline_ns, &r, err);

	if (rc < 0)
		return rc;
	if (strcmp(PQgetvalue(r, 0, 0), "f") != 0)
		return error_set(err, ERR_GROUP_ROLE, "%s is not the active copy any more",
				 s->d.copy->name);
	(void)snprintf(m->identity, sizeof(m->identity), "%s", PQgetvalue(r, 0, 1));
	m->timeline = channel_timeline_of(PQgetvalue(r, 0, 2));
	(void)snprintf(s->pid, sizeof(s->pid), "%s", PQgetvalue(r, 0, 3));
	(void)snprintf(m->token, sizeof(m->token), "%s", PQgetvalue(r, 0, 4));
	s->segment_bytes = strtoull(PQgetvalue(r, 0, 5), NULL, 10);
	s->keep_bytes = keep_bytes(PQgetvalue(r, 0, 6));
	(void)text_printf(s->keep_text, sizeof(s->keep_text), "%s", PQgetvalue(r, 0, 7));
	if (m->timeline == 0 || s->segment_bytes == 0)
		return error_set(err, ERR_PROTOCOL, "%s: its answer has another form",
				 s->d.copy->name);
	(void)snprintf(m->address, sizeof(m->address), "%s", dialog_address(&s->d));
	return OK;
}

/* Is it the server that it was? */
static int
compare(const struct engine_session *s, const struct engine_mark *before, struct error *err)
{
	const char *name = s->d.copy->name;

	if (strcmp(s->mark.identity, before->identity) != 0)
		return error_set(err, ERR_CONTEXT_LOST, "%s has another database now (%s, was %s)",
				 name, s->mark.identity, before->identity);
	if (s->mark.timeline != before->timeline)
		return error_set(err, ERR_CONTEXT_LOST,
				 "%s is on timeline %" PRIu32 " now, and was on %" PRIu32, name,
				 s->mark.timeline, before->timeline);
	return OK;
}

static int
take_lock(struct engine_session *s, uint64_t deadline_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	char class[16], object[16];
	const char *const params[] = {
		target_lock_text(TARGET_LOCK_CLASS, class),
		target_lock_text(target_lock_number(s->d.group->name), object)};
	int rc = dialog_ask(&s->d, "SELECT pg_try_advisory_lock($1::int4, $2::int4)",
			    ARRAY_SIZE(params), params, 1, deadline_ns, &r, err);

	if (rc < 0)
		return rc;
	return strcmp(PQgetvalue(r, 0, 0), "t") == 0 ? OK : channel_busy(&s->d, deadline_ns, err);
}

/* In the place of a session before. */
static int
take_over(struct engine_session *s, const struct engine_session_order *order, uint64_t deadline_ns,
	  struct error *err)
{
	char slot[CHANNEL_SLOT_MAX];
	int rc = compare(s, order->before, err);

	if (rc == OK)
		rc = channel_left_slot(&s->d, order->before, deadline_ns, slot, err);
	if (rc < 0)
		return rc;
	/* It may go at this very moment; then ours begins anew, and the logs are looked for. If it is
	 * the session that fails, the next statement tells. */
	if (slot[0] != 0 && channel_slot_take(s, slot, deadline_ns, NULL) < 0)
		s->slot[0] = 0;
	return channel_left_end(&s->d, order->before, deadline_ns, err);
}

static int
begin(struct engine_session *s, const struct engine_session_order *order, uint64_t deadline_ns,
      struct error *err)
{
	uint64_t ignored;
	int rc = meet(s, deadline_ns, err);

	if (rc == OK && order->before != NULL)
		rc = take_over(s, order, deadline_ns, err);
	if (rc == OK)
		rc = take_lock(s, deadline_ns, err);
	if (rc == OK && s->slot[0] == 0)
		rc = channel_slot_take(s, "", deadline_ns, err);
	if (rc == OK)
		rc = channel_alone(&s->d, deadline_ns, err);
	if (rc < 0)
		return rc;
	return channel_beat(s, order->before != NULL ? order->needed : 0, deadline_ns, &ignored,
			    err);
}

/* Its name is how it is found again, so it has a number that nobody else's has. */
static int
name_it(const struct group *g, const struct engine_session_order *order,
	char name[DIALOG_APPLICATION_MAX], struct error *err)
{
	enum { NUMBER_ROOM = 10 }; /* " #1a2b3c4d" */
	uint8_t random[4];
	char hex[2 * sizeof(random) + 1];

	if (order->before != NULL) {
		(void)text_printf(name, DIALOG_APPLICATION_MAX, "%s", order->before->token);
		return OK;
	}
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_sys(err, ERR_IO, "get random bytes");
	(void)text_printf(name, DIALOG_APPLICATION_MAX - NUMBER_ROOM, TARGET_CONTEXT_NAME " %s %s",
			  g->name, order->holder);
	(void)snprintf(name + strlen(name), NUMBER_ROOM + 1, " #%s",
		       hex_encode(random, sizeof(random), hex));
	return OK;
}

static int
open_session(struct engine_session *s, const struct group *g, const struct group_copy *active,
	     const struct engine_session_order *order, uint64_t deadline_ns, struct error *err)
{
	char application[DIALOG_APPLICATION_MAX];
	struct dialog_order dialog = {
		.application = application,
		.lease_ns = order->lease_ns,
		.hostaddr = order->before != NULL ? order->before->address : NULL,
		.stop = order->stop,
	};
	int rc = name_it(g, order, application, err);

	if (rc == OK)
		rc = dialog_open(&s->d, g, active, &dialog, deadline_ns, err);
	return rc < 0 ? rc : begin(s, order, deadline_ns, err);
}

int
channel_open(const struct group *g, const struct group_copy *active,
	     const struct engine_session_order *order, uint64_t deadline_ns,
	     struct engine_session **ret, struct error *err)
{
	struct engine_session *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return error_no_memory(err);
	rc = open_session(s, g, active, order, deadline_ns, err);
	if (rc < 0) {
		dialog_close(&s->d);
		free(s);
		return rc;
	}
	s->d.stop = NULL;
	*ret = s;
	return OK;
}

const struct engine_mark *
channel_mark(const struct engine_session *s)
{
	return &s->mark;
}

int
channel_fd(const struct engine_session *s)
{
	return dialog_fd(&s->d);
}

int
channel_hear(struct engine_session *s, struct error *err)
{
	return dialog_hear(&s->d, err);
}

/* By hand, so that it is free when we return: the server would notice a little later. */
void
channel_close(struct engine_session *s, uint64_t deadline_ns)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;

	if (s == NULL)
		return;
	const char *const params[] = {s->slot};
	/* If not, the end of the session does it. */
	int rc = dialog_ask(&s->d,
			    "SELECT pg_drop_replication_slot($1::name), pg_advisory_unlock_all()",
			    1, params, 2, deadline_ns, &r, NULL);
	(void)rc;
	dialog_close(&s->d);
	free(s);
}

int
channel_clear(const struct group *g, const struct group_copy *active,
	      const struct engine_mark *mark, uint64_t deadline_ns, struct error *err)
{
	struct dialog d;
	int rc = dialog_open(&d, g, active,
			     &(struct dialog_order){
				     .application = "holdfast clear",
				     .lease_ns = g->context_lease_ns,
				     .hostaddr = mark->address,
			     },
			     deadline_ns, err);

	if (rc == OK)
		rc = channel_left_end(&d, mark, deadline_ns, err);
	dialog_close(&d);
	return rc;
}
