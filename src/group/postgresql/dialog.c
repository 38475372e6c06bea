/* SPDX-License-Identifier: Apache-2.0 */

/* A pgconn, and what makes the server let go of it. */
#include "group/postgresql/dialog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "group/postgresql/target.h"

enum { IDLE_SESSION_TIMEOUT_SINCE = 140000, USER_TIMEOUT_SINCE = 120000 };

static struct pgconn_limit
limit_at(const struct dialog *d, uint64_t deadline_ns)
{
	return (struct pgconn_limit){
		.deadline_ns = deadline_ns,
		.requester_fd = -1,
		.stop = d->stop,
		.no_cancel = true,
		.unacked_ns = target_unacked_ns(d->group),
	};
}

/* In the words of the group, and with what only the SQLSTATE tells. */
static int
failed(struct dialog *d, int rc, struct error *err)
{
	if (d->c != NULL && strcmp(pgconn_sqlstate(d->c), "53100") == 0) {
		(void)error_prefix(err, "the disk of %s is full", d->copy->name);
		if (err != NULL)
			err->code = ERR_LOG_DISK_FULL;
		(void)error_hint(err,
				 "free space on %s; a backup of type log lets go of logs "
				 "without needing any",
				 d->copy->name);
		return ERR_LOG_DISK_FULL;
	}
	(void)error_prefix(err, "%s", d->copy->name);
	return target_failed(d->group, d->copy, rc, err);
}

int
dialog_rows(struct dialog *d, const char *sql, size_t n, const char *const *params, int fields,
	    uint64_t deadline_ns, PGresult **ret, struct error *err)
{
	struct pgconn_limit limit = limit_at(d, deadline_ns);
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	int rc = pgconn_query(d->c, &limit, sql, n, params, &r, err);

	if (rc < 0)
		return failed(d, rc, err);
	if (PQnfields(r) != fields)
		return error_set(err, ERR_PROTOCOL, "%s: its answer has another form",
				 d->copy->name);
	*ret = STEAL_PTR(r);
	return OK;
}

int
dialog_ask(struct dialog *d, const char *sql, size_t n, const char *const *params, int fields,
	   uint64_t deadline_ns, PGresult **ret, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	int rc = dialog_rows(d, sql, n, params, fields, deadline_ns, &r, err);

	if (rc < 0)
		return rc;
	if (PQntuples(r) != 1)
		return error_set(err, ERR_PROTOCOL, "%s: its answer has another form",
				 d->copy->name);
	*ret = STEAL_PTR(r);
	return OK;
}

/*
 * What the server is to do when we fall silent: a session that says nothing for a lease ends, whatever
 * has become of us; and TCP's own keep-alives, from its side too, for a link that is dead while it
 * waits for us. The role's own limit for statements may be anything.
 */
static int
set_up(struct dialog *d, const struct dialog_order *order, uint64_t deadline_ns, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	int version = pgconn_server_version(d->c);
	char lease[24], keepalive[24];
	const char *const params[] = {lease, keepalive};
	char sql[640];

	(void)snprintf(lease, sizeof(lease), "%" PRIu64,
		       MAX(MIN(order->lease_ns / NS_PER_MS, UINT64_C(86400000)), UINT64_C(1000)));
	(void)snprintf(
		keepalive, sizeof(keepalive), "%" PRIu64,
		MAX(MIN(d->group->keepalive_time_ns / NS_PER_S, UINT64_C(7200)), UINT64_C(1)));
	(void)snprintf(sql, sizeof(sql),
		       "SELECT set_config('statement_timeout', $1, false),"
		       " set_config('lock_timeout', '0', false),"
		       " set_config('idle_in_transaction_session_timeout', $1, false),"
		       " set_config('tcp_keepalives_idle', $2, false),"
		       " set_config('tcp_keepalives_interval', '5', false),"
		       " set_config('tcp_keepalives_count', '3', false)%s%s",
		       version >= USER_TIMEOUT_SINCE ? ", set_config('tcp_user_timeout', $1, false)"
						     : "",
		       version >= IDLE_SESSION_TIMEOUT_SINCE
			       ? ", set_config('idle_session_timeout', $1, false)"
			       : "");
	return dialog_ask(d, sql, ARRAY_SIZE(params), params,
			  6 + (version >= USER_TIMEOUT_SINCE) +
				  (version >= IDLE_SESSION_TIMEOUT_SINCE),
			  deadline_ns, &r, err);
}

int
dialog_open(struct dialog *d, const struct group *g, const struct group_copy *copy,
	    const struct dialog_order *order, uint64_t deadline_ns, struct error *err)
{
	struct pgconn_limit limit;
	struct target t;
	int rc;

	*d = (struct dialog){.group = g, .copy = copy, .stop = order->stop};
	limit = limit_at(d, deadline_ns);
	target_of(g, copy, order->application, &t);
	t.pg.hostaddr = order->hostaddr;
	/* How long we wait is our own matter (limit_at). A connection that TCP gave up sooner than the server
	 * would be answered with a reset when the link is back, and what it holds there would be gone. */
	t.pg.dead_after_s = (unsigned)((order->lease_ns + NS_PER_S - 1) / NS_PER_S);
	rc = pgconn_open(&t.pg, &limit, &d->c, err);
	if (rc < 0)
		return failed(d, rc, err);
	rc = set_up(d, order, deadline_ns, err);
	if (rc < 0)
		dialog_close(d);
	return rc;
}

int
dialog_fd(const struct dialog *d)
{
	return d->c != NULL ? pgconn_fd(d->c) : -1;
}

int
dialog_hear(struct dialog *d, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	int rc = pgconn_take(d->c, &r, err);

	return rc < 0 ? failed(d, rc, err) : OK;
}

const char *
dialog_address(const struct dialog *d)
{
	const char *address = PQhostaddr(pgconn_pq(d->c));

	return address != NULL ? address : "";
}

void
dialog_close(struct dialog *d)
{
	pgconn_close(STEAL_PTR(d->c));
}
