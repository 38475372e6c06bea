/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One statement, asked again and again. The server forgets us by itself if we fall silent.
 *
 * Which timeline a standby is on is in three places, none of which is always up to date; the highest of them
 * never goes back.
 */
#include "group/postgresql/watch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/postgresql/dialog.h"
#include "postgresql/walrange.h"

struct engine_watch {
	struct dialog d;
};

static const char watch_sql[] =
	"SELECT pg_is_in_recovery(),"
	" greatest((SELECT timeline_id FROM pg_control_checkpoint()),"
	" (SELECT min_recovery_end_timeline FROM pg_control_recovery()), w.received_tli),"
	" (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8,"
	" w.status = 'streaming',"
	" greatest(0, extract(epoch FROM clock_timestamp() - w.last_msg_receipt_time) * 1000)::int8,"
	" pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(),"
	" w.sender_host || ':' || w.sender_port"
	" FROM (SELECT) one LEFT JOIN pg_stat_wal_receiver w ON true";

enum { WATCH_FIELDS = 8 };

int
watch_open(const struct group *g, const struct group_copy *passive, const char *address,
	   uint64_t deadline_ns, const _Atomic bool *stop, struct engine_watch **ret,
	   struct error *err)
{
	struct engine_watch *w = calloc(1, sizeof(*w));
	char application[DIALOG_APPLICATION_MAX];
	const struct dialog_order order = {
		.application = application,
		.hostaddr = address,
		.lease_ns = g->context_lease_ns,
		.stop = stop,
	};
	int rc;

	if (w == NULL)
		return error_no_memory(err);
	(void)text_printf(application, sizeof(application), "holdfast watch %s %s", g->name,
			  passive->name);
	rc = dialog_open(&w->d, g, passive, &order, deadline_ns, err);
	if (rc < 0) {
		watch_close(w);
		return rc;
	}
	*ret = w;
	return OK;
}

const char *
watch_address(const struct engine_watch *w)
{
	return dialog_address(&w->d);
}

static uint64_t
position(const PGresult *r, int column)
{
	uint64_t at;

	return walrange_parse_lsn(PQgetvalue(r, 0, column), &at) ? at : 0;
}

int
watch_ask(struct engine_watch *w, uint64_t deadline_ns, const _Atomic bool *stop,
	  struct watch_facts *ret, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	struct watch_facts f = {0};
	int rc;

	w->d.stop = stop;
	rc = dialog_ask(&w->d, watch_sql, 0, NULL, WATCH_FIELDS, deadline_ns, &r, err);
	if (rc < 0)
		return rc;
	f.passive = strcmp(PQgetvalue(r, 0, 0), "t") == 0;
	f.timeline = (uint32_t)strtoul(PQgetvalue(r, 0, 1), NULL, 10);
	f.started = strtoull(PQgetvalue(r, 0, 2), NULL, 10);
	f.receiving = strcmp(PQgetvalue(r, 0, 3), "t") == 0;
	f.silent_ns = MIN(strtoull(PQgetvalue(r, 0, 4), NULL, 10), UINT64_MAX / NS_PER_S) *
		      NS_PER_MS;
	f.received = position(r, 5);
	f.replayed = position(r, 6);
	(void)text_printf(f.source, sizeof(f.source), "%s", PQgetvalue(r, 0, 7));
	text_without_controls(f.source);
	*ret = f;
	return OK;
}

int
watch_fd(const struct engine_watch *w)
{
	return dialog_fd(&w->d);
}

int
watch_hear(struct engine_watch *w, struct error *err)
{
	return dialog_hear(&w->d, err);
}

void
watch_close(struct engine_watch *w)
{
	if (w == NULL)
		return;
	dialog_close(&w->d);
	free(w);
}
