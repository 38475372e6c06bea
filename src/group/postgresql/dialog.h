/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A session with a copy that lasts: opened so that the server ends it by itself when we fall silent,
 * asked with a deadline, and with errors that name the copy.
 */
#ifndef HF_GROUP_POSTGRESQL_DIALOG_H
#define HF_GROUP_POSTGRESQL_DIALOG_H

#include "group/group.h"
#include "postgresql/pgconn.h"

enum { DIALOG_APPLICATION_MAX = 64 }; /* with its zero: what the server keeps of it */

struct dialog {
	const struct group *group;
	const struct group_copy *copy;
	const _Atomic bool *stop; /* once it is true, whatever is asked is given up; NULL: never */
	struct pgconn *c;
};

struct dialog_order {
	const char *application; /* in pg_stat_activity */
	const char *hostaddr; /* the copy's address, if it is known; NULL or "" */
	const _Atomic bool *stop;
	uint64_t lease_ns; /* the server ends the session after so long without a statement */
};

CHECKED int dialog_open(struct dialog *d, const struct group *g, const struct group_copy *copy,
			const struct dialog_order *order, uint64_t deadline_ns, struct error *err);
/* One statement with n parameters; exactly one row of `fields` fields, else ERR_PROTOCOL. After ERR_TIMEOUT
 * and ERR_DB_SESSION_LOST there is no session any more. */
CHECKED int dialog_ask(struct dialog *d, const char *sql, size_t n, const char *const *params,
		       int fields, uint64_t deadline_ns, PGresult **ret, struct error *err);
/* The same, any number of rows. */
CHECKED int dialog_rows(struct dialog *d, const char *sql, size_t n, const char *const *params,
			int fields, uint64_t deadline_ns, PGresult **ret, struct error *err);
/* Between two statements: the descriptor that is ready when the server ends the session, or says something of its
 * own accord; and what to do then. ERR_DB_SESSION_LOST, with its last words; OK: it lives. Neither waits. */
int dialog_fd(const struct dialog *d);
CHECKED int dialog_hear(struct dialog *d, struct error *err);
/* Of the server; "" on a socket. */
const char *dialog_address(const struct dialog *d);
void dialog_close(struct dialog *d); /* safe on zeros */

#endif
