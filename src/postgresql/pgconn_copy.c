/* SPDX-License-Identifier: Apache-2.0 */

/*
 * COPY BOTH on a session that never blocks. The results of such a command come in a row: COPY BOTH, after
 * its end the command's own rows, then its completion.
 */
#include <poll.h>

#include "postgresql/pgconn_internal.h"

/* Until a result is here; NULL: the command has none left. */
static int
next_result(struct pgconn *c, const struct pgconn_limit *limit, PGresult **ret, struct error *err)
{
	for (;;) {
		int unsent = PQflush(c->pq);

		if (unsent < 0)
			return pgconn_lost(c, err);
		if (!PQisBusy(c->pq))
			break;
		if (pgconn_await(c, unsent > 0 ? POLLIN | POLLOUT : POLLIN, limit, err) < 0) {
			pgconn_give_up(c);
			return err->code;
		}
		/* If that fails the result says so. */
		(void)PQconsumeInput(c->pq);
	}
	*ret = PQgetResult(c->pq);
	return OK;
}

/* What is left of a command that did not become a COPY, or whose COPY is over. The first rows are kept. */
static int
rest(struct pgconn *c, const struct pgconn_limit *limit, PGresult *first, PGresult **ret_result,
     struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *rows = first, *result = NULL;

	for (;;) {
		if (next_result(c, limit, &result, err) < 0)
			return err->code;
		if (result == NULL)
			break;
		switch (PQresultStatus(result)) {
		case PGRES_TUPLES_OK:
			PQclear(rows);
			rows = STEAL_PTR(result);
			break;
		case PGRES_COMMAND_OK:
			PQclear(STEAL_PTR(result));
			break;
		default:
			return pgconn_refused(c, result, err);
		}
	}
	c->waiting = false;
	*ret_result = STEAL_PTR(rows);
	return OK;
}

int
pgconn_copy_start(struct pgconn *c, const struct pgconn_limit *limit, const char *sql,
		  PGresult **ret_result, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *result = NULL;

	if (pgconn_send_query(c, sql, 0, NULL, err) < 0 || next_result(c, limit, &result, err) < 0)
		return err->code;
	if (result == NULL)
		return pgconn_lost(c, err);
	switch (PQresultStatus(result)) {
	case PGRES_COPY_BOTH:
		return 1;
	case PGRES_TUPLES_OK:
		return rest(c, limit, STEAL_PTR(result), ret_result, err);
	case PGRES_COMMAND_OK:
		return rest(c, limit, NULL, ret_result, err);
	default: {
		CLEAN(pgconn_result_done) PGresult *ignored = NULL;
		struct error more = ERROR_INIT;
		enum err code = pgconn_refused(c, result, err);

		/* The session may be used again, if it lives. */
		(void)!rest(c, limit, NULL, &ignored, &more);
		return code;
	}
	}
}

int
pgconn_copy_read(struct pgconn *c, const struct pgconn_limit *limit, char **ret_message,
		 size_t *ret_n, struct error *err)
{
	pgconn_expect_answer(c);
	for (;;) {
		char *message = NULL;
		int n = PQgetCopyData(c->pq, &message, 1);

		if (n > 0) {
			/* One that comes quickly libpq reads to its end without a pause. */
			if (pgconn_check_size((uint64_t)n, err) < 0) {
				PQfreemem(message);
				return err->code;
			}
			*ret_message = message;
			*ret_n = (size_t)n;
			return PGCONN_COPY_MESSAGE;
		}
		if (n == -1)
			return PGCONN_COPY_ENDED;
		if (n < 0)
			return pgconn_lost(c, err);
		if (pgconn_await(c, POLLIN, limit, err) < 0)
			return err->code == ERR_TIMEOUT ? PGCONN_COPY_NOTHING : err->code;
		if (PQconsumeInput(c->pq) != 1)
			return pgconn_lost(c, err);
	}
}

static int
flush(struct pgconn *c, const struct pgconn_limit *limit, struct error *err)
{
	for (;;) {
		int unsent = PQflush(c->pq);

		if (unsent < 0)
			return pgconn_lost(c, err);
		if (unsent == 0)
			return OK;
		/* A server that sends much may want to be read before it reads. */
		if (pgconn_await(c, POLLIN | POLLOUT, limit, err) < 0)
			return err->code;
		if (PQconsumeInput(c->pq) != 1)
			return pgconn_lost(c, err);
	}
}

int
pgconn_copy_write(struct pgconn *c, const struct pgconn_limit *limit, const void *message, size_t n,
		  struct error *err)
{
	pgconn_expect_answer(c);
	for (;;) {
		int r = PQputCopyData(c->pq, message, (int)n);

		if (r < 0)
			return pgconn_lost(c, err);
		if (flush(c, limit, err) < 0)
			return err->code;
		if (r > 0)
			return OK;
	}
}

static int
say_end(struct pgconn *c, const struct pgconn_limit *limit, struct error *err)
{
	for (;;) {
		int r = PQputCopyEnd(c->pq, NULL);

		if (r < 0)
			return pgconn_lost(c, err);
		if (flush(c, limit, err) < 0)
			return err->code;
		if (r > 0)
			return OK;
	}
}

int
pgconn_copy_end(struct pgconn *c, const struct pgconn_limit *limit, PGresult **ret_result,
		struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *first = NULL;

	pgconn_expect_answer(c);
	/* The server's end leaves our direction open; its failure leaves neither. */
	if (next_result(c, limit, &first, err) < 0)
		return err->code;
	if (first == NULL)
		return pgconn_lost(c, err);
	if (PQresultStatus(first) != PGRES_COPY_IN)
		return pgconn_refused(c, first, err);
	if (say_end(c, limit, err) < 0)
		return err->code;
	return rest(c, limit, NULL, ret_result, err);
}
