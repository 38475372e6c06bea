/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A session in PostgreSQL whose every wait ends: at the deadline, when the requester goes away, or
 * when the server does. A wait that does not end well ends the session; a query that the server
 * refused does not.
 */
#ifndef HF_POSTGRESQL_PGCONN_H
#define HF_POSTGRESQL_PGCONN_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "writer/postgresql/pgsettings.h"

/* When a wait has to end. */
struct pgconn_limit {
	uint64_t deadline_ns; /* boot clock */
	int requester_fd; /* see writer/server.h; -1: nobody */
};

struct pgconn;

/* For CLEAN(). */
static inline void
pgconn_result_done(PGresult **result)
{
	PQclear(*result);
}

/* `host`: instead of the settings' (NULL: theirs). */
CHECKED int pgconn_open(const struct pgsettings *settings, const char *host,
			const struct pgconn_limit *limit, struct pgconn **ret, struct error *err);
void pgconn_close(struct pgconn *c);

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
 * whether the session still lives. */
CHECKED int pgconn_send(struct pgconn *c, const char *sql, size_t n, const char *const *params,
			struct error *err);
CHECKED int pgconn_take(struct pgconn *c, PGresult **ret_result, struct error *err);
bool pgconn_is_waiting(const struct pgconn *c); /* sent, not taken */

#endif
