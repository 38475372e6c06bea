/* SPDX-License-Identifier: Apache-2.0 */

/* What a session consists of, for the files that implement it: pgconn_open.c, pgconn.c and pgconn_copy.c. */
#ifndef HF_POSTGRESQL_PGCONN_INTERNAL_H
#define HF_POSTGRESQL_PGCONN_INTERNAL_H

#include "postgresql/pgconn.h"
#include "postgresql/sqlstate.h"

enum { PGCONN_LAST_WORDS_MAX = 256 };

struct pgconn {
	PGconn *pq;
	const char *section; /* of the target, while connecting */
	char *ret_login_state; /* likewise */
	bool replication; /* a walsender: simple queries only */
	bool waiting; /* a statement was sent, and its end is not here */
	bool left; /* and nobody waits for it any more: see no_cancel */
	PGresult *first; /* its first result, while waiting */
	uint64_t received_before; /* bytes, when the answer was last asked for */
	char sqlstate[SQLSTATE_LEN + 1];
	/* What the server said when it ended the session, without having been asked anything. */
	char last_words[PGCONN_LAST_WORDS_MAX];
	char last_state[SQLSTATE_LEN + 1];
};

/* One line of it, without libpq's final newline. */
void pgconn_first_line(char *text, size_t size, const char *message);
/* For PQsetNoticeReceiver(): messages outside of a query. */
void pgconn_hear_notice(void *arg, const PGresult *notice);
/* Wait for `events` on the session's socket. ERR_TIMEOUT, ERR_CANCELLED; ERR_PROTOCOL: too much has come. */
CHECKED int pgconn_await(const struct pgconn *c, short events, const struct pgconn_limit *limit,
			 struct error *err);
/* ERR_PROTOCOL: more than an answer may have. */
CHECKED int pgconn_check_size(uint64_t bytes, struct error *err);
/* From here on up to PGCONN_ANSWER_MAX may come. */
void pgconn_expect_answer(struct pgconn *c);
/* The session is gone: why, as far as it is known. */
enum err pgconn_lost(const struct pgconn *c, struct error *err);
/* What a result says went wrong. */
enum err pgconn_refused(struct pgconn *c, const PGresult *result, struct error *err);
CHECKED int pgconn_send_query(struct pgconn *c, const char *sql, size_t n,
			      const char *const *params, struct error *err);

#endif
