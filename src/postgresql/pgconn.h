/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A session in PostgreSQL whose every wait ends: at the deadline, when the requester goes away, or
 * when the server does. A wait that does not end well ends the session; a query that the server
 * refused does not.
 *
 * The server is not trusted: over TCP an answer, or a message of a COPY, may have PGCONN_ANSWER_MAX bytes, and one
 * that is longer ends the session with ERR_PROTOCOL. How many columns came is the caller's to look at, since
 * PQgetvalue() gives NULL beyond them.
 */
#ifndef HF_POSTGRESQL_PGCONN_H
#define HF_POSTGRESQL_PGCONN_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

/* When a wait has to end. */
struct pgconn_limit {
	uint64_t deadline_ns; /* boot clock */
	int requester_fd; /* see writer/server.h; -1: nobody */
	/* Once it is true: ERR_CANCELLED within a second; the server is asked to cancel the statement, also
	 * with no_cancel, and the session is over. NULL: never. */
	const _Atomic bool *stop;
	/* After the deadline the session is of no use, but left as it is until it is closed: what it holds in
	 * the server stays, if the server lives. Nobody asks for the statement to be cancelled either,
	 * which takes a connection of its own, and time that a heartbeat has not. */
	bool no_cancel;
	/* 0, or: the far end's system has to have acknowledged within that time what was sent. It does so
	 * however busy the server is, so that a dead link is known sooner than a slow server. Nothing of
	 * the connection is ended by it, as it would be by tcp_user_timeout. */
	uint64_t unacked_ns;
};

enum { PGCONN_CONNECT_TIMEOUT_S = 10, PGCONN_ANSWER_MAX = 64 << 20 };

/*
 * Where to connect, and as whom. NULL: libpq's own default, where nothing else is said. All strings
 * are lent for the call.
 */
struct pgconn_target {
	const char
		*host; /* a name, an address, or the folder of the socket if it begins with '/' */
	/* The address that host stands for, if it is known: saves asking for it. host is still what
	 * certificates and passwords are looked up by. */
	const char *hostaddr;
	const char *port;
	const char *user;
	const char *database; /* NULL: "postgres" */
	const char *passfile;
	const char *sslmode, *sslrootcert, *sslcert, *sslkey; /* as libpq's */
	const char *application; /* what pg_stat_activity shows; NULL: "holdfast" */
	const char *section; /* of the configuration, for messages; NULL: "writer.postgresql" */
	unsigned connect_timeout_s; /* 0: PGCONN_CONNECT_TIMEOUT_S */
	/* TCP's own keep-alives begin after that much silence; 0: 10 s. A dead link is noticed within
	 * dead_after_s, 0: 30 s. Neither means anything on a socket of this machine. */
	unsigned keepalive_time_s;
	unsigned dead_after_s;
	/* SQLSTATE_LEN + 1 bytes for why the server refused the login, "" if it did not say; NULL:
	 * nobody wants it. */
	char *ret_login_state;
	bool replication; /* a physical walsender, which understands the replication commands */
};

struct pgconn;

/* For CLEAN(). */
static inline void
pgconn_result_done(PGresult **result)
{
	PQclear(*result);
}

CHECKED int pgconn_open(const struct pgconn_target *target, const struct pgconn_limit *limit,
			struct pgconn **ret, struct error *err);
void pgconn_close(struct pgconn *c); /* NULL is fine */
void pgconn_closep(struct pgconn **c); /* for CLEAN() */

int pgconn_fd(const struct pgconn *c);
int pgconn_server_version(const struct pgconn *c); /* 150004 */

/*
 * Run one statement with n text parameters. *ret_result: its rows, or none; may be NULL if nobody
 * wants it. The error's message is the server's own sentence, its hint the server's if it has one.
 */
CHECKED int pgconn_query(struct pgconn *c, const struct pgconn_limit *limit, const char *sql,
			 size_t n, const char *const *params, PGresult **ret_result,
			 struct error *err);
/* The SQLSTATE of the last query that failed, "" if it had none. */
const char *pgconn_sqlstate(const struct pgconn *c);

/* A query in two steps, for between events: send; then, when the descriptor is ready, take.
 * Neither blocks. take: 1 *ret_result is here, 0 not yet. Without anything sent, take only looks
 * whether the session still lives: when the descriptor is ready then, the server has ended it, or says
 * something that is of no interest. */
CHECKED int pgconn_send(struct pgconn *c, const char *sql, size_t n, const char *const *params,
			struct error *err);
CHECKED int pgconn_take(struct pgconn *c, PGresult **ret_result, struct error *err);
bool pgconn_is_waiting(const struct pgconn *c); /* sent, not taken */
/* What was sent is not wanted any more: the server is asked to cancel it, within three seconds, and the
 * session is over. */
void pgconn_give_up(struct pgconn *c);
/* The same, within 0.8 s, for somebody who waits. */
void pgconn_stop(struct pgconn *c);

/*
 * COPY in both directions, as a walsender speaks it (`replication` of the target): start -> read and
 * write -> end when the server ended it, or close.
 */
/* 1 it began; 0 the command ended at once, and *ret_result are its rows. */
CHECKED int pgconn_copy_start(struct pgconn *c, const struct pgconn_limit *limit, const char *sql,
			      PGresult **ret_result, struct error *err);
enum pgconn_copied {
	PGCONN_COPY_NOTHING = 0, /* until the deadline */
	PGCONN_COPY_MESSAGE, /* *ret_message: for PQfreemem() */
	PGCONN_COPY_ENDED, /* by the server: pgconn_copy_end() */
};
CHECKED int pgconn_copy_read(struct pgconn *c, const struct pgconn_limit *limit, char **ret_message,
			     size_t *ret_n, struct error *err);
CHECKED int pgconn_copy_write(struct pgconn *c, const struct pgconn_limit *limit,
			      const void *message, size_t n, struct error *err);
/* The rows that the server ended it with, NULL if none. */
CHECKED int pgconn_copy_end(struct pgconn *c, const struct pgconn_limit *limit,
			    PGresult **ret_result, struct error *err);

/* libpq's own, for what is none of the above. Stays ours. */
PGconn *pgconn_pq(struct pgconn *c);

#endif
