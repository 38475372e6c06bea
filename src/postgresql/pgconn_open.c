/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a session begins. libpq never blocks here, with one exception: the look-up of a host's name at the start, which
 * the requester's deadline for the event covers.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "postgresql/pgconn_internal.h"

enum { KEEPALIVE_TIME_S = 10, DEAD_AFTER_S = 30 };

static const char *
section_of(const struct pgconn *c)
{
	return c->section != NULL ? c->section : "writer.postgresql";
}

/* The same SQLSTATE as of a server that is starting, but it will never let anybody in. What it says is in
 * its own language, as set by lc_messages; in another than English it is taken for one that is starting.
 * Source: PostgreSQL 14, postmaster.c, ProcessStartupPacket(). */
static bool
is_closed_standby(const char *state, const char *message)
{
	return strcmp(state, "57P03") == 0 &&
	       strstr(message, "Hot standby mode is disabled") != NULL;
}

static enum err
login_failed(const struct pgconn *c, struct error *err)
{
	const char *message = PQerrorMessage(c->pq);
	const char *sentence, *hint = NULL;
	char state[SQLSTATE_LEN + 1], text[300];

	if (sqlstate_in_text(message, state, &sentence)) {
		enum err code = sqlstate_code(state, &hint);
		if (c->ret_login_state != NULL)
			memcpy(c->ret_login_state, state, SQLSTATE_LEN + 1);
		/* Whatever ended it, there was no session yet that could be lost. */
		if (code == ERR_DB_SESSION_LOST)
			code = ERR_DB_CONNECT;
		pgconn_first_line(text, sizeof(text), sentence);
		if (is_closed_standby(state, message)) {
			code = ERR_DB_CONFIG;
			hint = "a standby lets nobody in without hot_standby = on: set it, and restart "
			       "the server";
			(void)text_printf(text, sizeof(text), "%s", "hot standby mode is disabled");
		}
		(void)error_set(err, code, "log in to PostgreSQL: %s", text);
	} else if (PQconnectionNeedsPassword(c->pq) == 1) {
		(void)error_set(err, ERR_DB_AUTH,
				"log in to PostgreSQL: the server asks for a password");
		if (err != NULL)
			(void)error_hint(err,
					 "put it into a file as for libpq "
					 "(host:port:database:user:password, mode 0600) and name "
					 "that in %s.passfile",
					 section_of(c));
	} else {
		pgconn_first_line(text, sizeof(text), message);
		(void)error_set(err, ERR_DB_CONNECT, "%s", text);
		(void)error_hint(err, "check that it runs, and host, port and user in [%s]",
				 section_of(c));
	}
	if (hint != NULL)
		(void)error_hint(err, "%s (in [%s])", hint, section_of(c));
	return err != NULL ? err->code : ERR_DB_CONNECT;
}

static int
connect_wait(struct pgconn *c, const struct pgconn_limit *limit, struct error *err)
{
	PostgresPollingStatusType step = PGRES_POLLING_WRITING;

	while (step != PGRES_POLLING_OK) {
		if (step == PGRES_POLLING_FAILED)
			return login_failed(c, err);
		int rc = pgconn_await(c, step == PGRES_POLLING_READING ? POLLIN : POLLOUT, limit,
				      err);
		if (rc == ERR_TIMEOUT)
			return error_set(err, ERR_DB_CONNECT,
					 "connect to PostgreSQL: no answer in time");
		if (rc < 0)
			return rc;
		step = PQconnectPoll(c->pq);
	}
	return OK;
}

static const char *
or_default(const char *text, const char *otherwise)
{
	return text != NULL && text[0] != 0 ? text : otherwise;
}

static int
connect_start(struct pgconn *c, const struct pgconn_target *t, struct error *err)
{
	unsigned dead_after_s = t->dead_after_s != 0 ? t->dead_after_s : DEAD_AFTER_S;
	char idle[16], dead[16];
	const struct {
		const char *key, *value;
	} all[] = {
		{"host", t->host},
		{"hostaddr", t->hostaddr},
		{"port", t->port},
		{"user", t->user},
		{"dbname", or_default(t->database, "postgres")},
		{"passfile", t->passfile},
		{"sslmode", t->sslmode},
		{"sslrootcert", t->sslrootcert},
		{"sslcert", t->sslcert},
		{"sslkey", t->sslkey},
		{"application_name", or_default(t->application, "holdfast")},
		/* No conversion: names of files and the label come as they are. */
		{"client_encoding", "SQL_ASCII"},
		/* A dead link is noticed, whoever has nothing to say. */
		{"keepalives", "1"},
		{"keepalives_idle", idle},
		{"keepalives_interval", "5"},
		{"keepalives_count", "3"},
		{"tcp_user_timeout", dead},
		{"replication", t->replication ? "true" : NULL},
	};
	const char *keys[ARRAY_SIZE(all) + 1], *values[ARRAY_SIZE(all) + 1];
	size_t n = 0;

	(void)snprintf(idle, sizeof(idle), "%u",
		       t->keepalive_time_s != 0 ? t->keepalive_time_s : KEEPALIVE_TIME_S);
	(void)snprintf(dead, sizeof(dead), "%u", MIN(dead_after_s, 86400U) * 1000);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i].value == NULL || all[i].value[0] == 0)
			continue;
		keys[n] = all[i].key;
		values[n++] = all[i].value;
	}
	keys[n] = values[n] = NULL;
	if (t->passfile != NULL && access(t->passfile, R_OK) < 0)
		return error_sys(err, ERR_CONFIG, "%s.passfile '%s'", section_of(c), t->passfile);
	c->pq = PQconnectStartParams(keys, values, 0);
	if (c->pq == NULL)
		return error_no_memory(err);
	if (PQstatus(c->pq) == CONNECTION_BAD)
		return login_failed(c, err);
	(void)PQsetErrorVerbosity(c->pq, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(c->pq, pgconn_hear_notice, c);
	return OK;
}

int
pgconn_open(const struct pgconn_target *target, const struct pgconn_limit *limit,
	    struct pgconn **ret, struct error *err)
{
	unsigned timeout_s = target->connect_timeout_s != 0 ? target->connect_timeout_s
							    : PGCONN_CONNECT_TIMEOUT_S;
	struct pgconn_limit l = *limit;
	struct pgconn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return error_no_memory(err);
	l.deadline_ns = MIN(l.deadline_ns, clock_boot_ns() + timeout_s * NS_PER_S);
	c->section = target->section;
	c->replication = target->replication;
	c->ret_login_state = target->ret_login_state;
	if (c->ret_login_state != NULL)
		c->ret_login_state[0] = 0;
	int rc = connect_start(c, target, err);
	if (rc == OK)
		rc = connect_wait(c, &l, err);
	if (rc == OK) {
		(void)PQsetErrorVerbosity(c->pq, PQERRORS_DEFAULT);
		(void)PQsetnonblocking(c->pq, 1);
		/* We may be a superuser: only PostgreSQL's own functions are to be called, whatever
		 * the database's owner has put in their way. (A walsender runs none.) */
		if (!target->replication)
			rc = pgconn_query(c, &l,
					  "SELECT pg_catalog.set_config('search_path', '', false)",
					  0, NULL, NULL, err);
	}
	c->section = NULL;
	c->ret_login_state = NULL;
	if (rc < 0) {
		pgconn_close(c);
		return rc;
	}
	*ret = c;
	return OK;
}
