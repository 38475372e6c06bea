/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A session's waits and statements. libpq, never blocking: it is asked what it waits for, and poll(2) waits.
 *
 * Cancelling a statement is a connection of its own, in which libpq would wait for a server that
 * may be stuck: a child process does it, which an alarm ends.
 */
#include "postgresql/pgconn.h"

#include <inttypes.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/text.h"
#include "postgresql/pgconn_internal.h"

#define LATE_NS NS_PER_S

enum { CANCEL_MS = 3000, STOP_MS = 800, STOP_LOOK_MS = 100 };

void
pgconn_first_line(char *text, size_t size, const char *message)
{
	(void)text_printf(text, size, "%.*s", (int)MIN(strcspn(message, "\n"), (size_t)1000),
			  message);
}

/* The crash of another of the server's processes ends all sessions, with no more than a warning. */
static bool
ends_session(const PGresult *notice, const char *state)
{
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

	return strncmp(state, "57P", 3) == 0 ||
	       (severity != NULL &&
		(strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0));
}

/* Most are of no interest; the reason of a session's end is. */
void
pgconn_hear_notice(void *arg, const PGresult *notice)
{
	struct pgconn *c = arg;
	const char *state = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

	if (state == NULL || message == NULL || !ends_session(notice, state))
		return;
	(void)text_printf(c->last_state, sizeof(c->last_state), "%s", state);
	pgconn_first_line(c->last_words, sizeof(c->last_words), message);
}

enum err
pgconn_lost(const struct pgconn *c, struct error *err)
{
	char why[200];

	if (c->pq == NULL || c->left)
		return error_set(err, ERR_DB_SESSION_LOST, "there is no session any more");
	if (c->last_words[0] != 0)
		return error_set(err, ERR_DB_SESSION_LOST, "the server ended the session: %s",
				 c->last_words);
	pgconn_first_line(why, sizeof(why), PQerrorMessage(c->pq));
	return error_set(err, ERR_DB_SESSION_LOST, "the session was lost%s%s",
			 why[0] != 0 ? ": " : "", why);
}

/* libpq keeps whatever comes, however much; so the socket is asked how much that was. 0: not known, as on a
 * socket of this machine. */
static uint64_t
received_bytes(const struct pgconn *c)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof(info);

	if (getsockopt(PQsocket(c->pq), IPPROTO_TCP, TCP_INFO, &info, &n) < 0 ||
	    n < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
		return 0;
	return info.tcpi_bytes_received;
}

void
pgconn_expect_answer(struct pgconn *c)
{
	c->received_before = received_bytes(c);
}

int
pgconn_check_size(uint64_t bytes, struct error *err)
{
	if (bytes <= (uint64_t)PGCONN_ANSWER_MAX)
		return OK;
	return error_set(err, ERR_PROTOCOL,
			 "the server's answer does not end: more than %d MiB of it have come",
			 PGCONN_ANSWER_MAX >> 20);
}

static int
check_answer_size(const struct pgconn *c, struct error *err)
{
	uint64_t received = received_bytes(c);

	return pgconn_check_size(received - MIN(received, c->received_before), err);
}

/* Wait for `events` on the session's socket. What has come by the deadline is still taken, since it is we who may have
 * been late; but a server that always has something more to say does not put it off. */
int
pgconn_await(const struct pgconn *c, short events, const struct pgconn_limit *limit,
	     struct error *err)
{
	struct pollfd p[] = {
		{.fd = PQsocket(c->pq), .events = events},
		{.fd = limit->requester_fd, .events = 0},
	};

	for (;;) {
		int left_ms = clock_left_ms(limit->deadline_ns);
		int wait_ms = left_ms;

		if (limit->stop != NULL && atomic_load(limit->stop))
			return error_set(err, ERR_CANCELLED, "stopped on request");
		if (limit->stop != NULL && (left_ms < 0 || left_ms > STOP_LOOK_MS))
			wait_ms = STOP_LOOK_MS;
		int n = poll(p, ARRAY_SIZE(p), wait_ms);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, ERR_IO, "wait for the server");
		if (p[1].revents != 0)
			return error_set(err, ERR_CANCELLED, "the requester is gone");
		if (n == 0 && wait_ms != left_ms)
			continue;
		if (n == 0 || (left_ms == 0 && clock_boot_ns() - limit->deadline_ns > LATE_NS))
			return error_set(err, ERR_TIMEOUT, "the server did not answer in time");
		return check_answer_size(c, err);
	}
}

void
pgconn_close(struct pgconn *c)
{
	if (c == NULL)
		return;
	PQclear(c->first);
	PQfinish(c->pq);
	free(c);
}

void
pgconn_closep(struct pgconn **c)
{
	pgconn_close(*c);
}

PGconn *
pgconn_pq(struct pgconn *c)
{
	return c->pq;
}

int
pgconn_fd(const struct pgconn *c)
{
	return PQsocket(c->pq);
}

int
pgconn_server_version(const struct pgconn *c)
{
	return PQserverVersion(c->pq);
}

const char *
pgconn_sqlstate(const struct pgconn *c)
{
	return c->sqlstate;
}

bool
pgconn_is_waiting(const struct pgconn *c)
{
	return c->waiting;
}

/* Queries. */

static void
cancel(const struct pgconn *c, int limit_ms)
{
	const struct itimerval limit = {
		.it_value = {.tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000}};
	PGcancel *request = PQgetCancel(c->pq);
	char ignored[256];
	pid_t pid = request != NULL ? fork() : -1;

	if (pid == 0) {
		(void)signal(SIGALRM, SIG_DFL);
		(void)setitimer(ITIMER_REAL, &limit, NULL);
		(void)PQcancel(request, ignored, sizeof(ignored));
		_exit(0);
	}
	PQfreeCancel(request);
	/* The alarm bounds this. */
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Nobody waits for the statement any more: it must not go on, and what it says must not be taken
 * for the answer to another. */
static void
give_up(struct pgconn *c, int limit_ms)
{
	if (c->pq != NULL && c->waiting)
		cancel(c, limit_ms);
	PQclear(STEAL_PTR(c->first));
	PQfinish(STEAL_PTR(c->pq));
	c->waiting = false;
}

void
pgconn_give_up(struct pgconn *c)
{
	give_up(c, CANCEL_MS);
}

void
pgconn_stop(struct pgconn *c)
{
	give_up(c, STOP_MS);
}

/* What a result says went wrong. */
enum err
pgconn_refused(struct pgconn *c, const PGresult *result, struct error *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *server_hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	const char *hint = NULL;
	char text[400];

	if (state == NULL || message == NULL || PQstatus(c->pq) == CONNECTION_BAD) {
		/* The reason of a session's end comes as the answer to what was asked then. */
		if (state != NULL && message != NULL)
			pgconn_first_line(c->last_words, sizeof(c->last_words), message);
		return pgconn_lost(c, err);
	}
	(void)text_printf(c->sqlstate, sizeof(c->sqlstate), "%s", state);
	enum err code = sqlstate_code(state, &hint);
	pgconn_first_line(text, sizeof(text), message);
	(void)error_set(err, code, "%s", text);
	if (hint != NULL)
		(void)error_hint(err, "%s", hint);
	if (server_hint != NULL)
		(void)error_hint(err, "%s", server_hint);
	return code;
}

static bool
is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

int
pgconn_send_query(struct pgconn *c, const char *sql, size_t n, const char *const *params,
		  struct error *err)
{
	c->sqlstate[0] = 0;
	if (c->left)
		return pgconn_lost(c, err);
	/* A walsender understands nothing but simple queries. */
	int sent = c->replication
			   ? PQsendQuery(c->pq, sql)
			   : PQsendQueryParams(c->pq, sql, (int)n, NULL, params, NULL, NULL, 0);
	if (sent != 1)
		return pgconn_lost(c, err);
	c->waiting = true;
	pgconn_expect_answer(c);
	return OK;
}

/* None of our statements copies anything, and as long as libpq is in a copy it gives the same result again and
 * again: such a server is none. */
static bool
is_copy(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Take what has arrived. True once the statement has ended. */
static bool
take_results(struct pgconn *c)
{
	while (!PQisBusy(c->pq)) {
		PGresult *result = PQgetResult(c->pq);

		if (result == NULL) {
			c->waiting = false;
			return true;
		}
		if (is_copy(result)) {
			PQclear(result);
			pgconn_give_up(c);
			return true;
		}
		/* One statement has one result; a second one is that of the connection's end. */
		if (c->first == NULL)
			c->first = result;
		else
			PQclear(result);
	}
	return false;
}

/* Is something that we sent still on its way? Not on a socket of this machine, which has no such thing. */
static bool
is_unacked(const struct pgconn *c)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof(info);

	return getsockopt(PQsocket(c->pq), IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       info.tcpi_unacked > 0;
}

/* For `events`, of a statement that was sent at sent_ns. */
static int
await_answer(const struct pgconn *c, short events, const struct pgconn_limit *limit,
	     uint64_t sent_ns, struct error *err)
{
	struct pgconn_limit arrival = *limit;
	int rc;

	arrival.deadline_ns = sent_ns + limit->unacked_ns;
	if (limit->unacked_ns == 0 || arrival.deadline_ns >= limit->deadline_ns)
		return pgconn_await(c, events, limit, err);
	if (clock_boot_ns() < arrival.deadline_ns) {
		rc = pgconn_await(c, events, &arrival, err);
		if (rc != ERR_TIMEOUT)
			return rc;
	}
	if (is_unacked(c))
		return error_set(err, ERR_TIMEOUT,
				 "the network is silent: nothing was acknowledged for %" PRIu64
				 ".%" PRIu64 " s",
				 limit->unacked_ns / NS_PER_S,
				 limit->unacked_ns % NS_PER_S / (100 * NS_PER_MS));
	return pgconn_await(c, events, limit, err);
}

/* Drive the connection until the statement has ended. */
static int
await_end(struct pgconn *c, const struct pgconn_limit *limit, struct error *err)
{
	uint64_t sent_ns = clock_boot_ns();

	while (!take_results(c)) {
		int unsent = PQflush(c->pq);
		if (unsent < 0)
			return pgconn_lost(c, err);
		int rc = await_answer(c, unsent > 0 ? POLLIN | POLLOUT : POLLIN, limit, sent_ns,
				      err);
		if (rc == ERR_CANCELLED && limit->stop != NULL)
			pgconn_stop(c);
		else if (rc < 0 && limit->no_cancel)
			c->left = true;
		else if (rc < 0)
			pgconn_give_up(c);
		if (rc < 0)
			return rc;
		/* If that fails the results say so. */
		(void)PQconsumeInput(c->pq);
	}
	return OK;
}

/* The statement has ended: how? */
static int
open_result(struct pgconn *c, PGresult **ret_result, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *result = STEAL_PTR(c->first);

	if (result == NULL)
		return pgconn_lost(c, err);
	if (!is_good(result))
		return pgconn_refused(c, result, err);
	if (ret_result != NULL)
		*ret_result = STEAL_PTR(result);
	return OK;
}

int
pgconn_query(struct pgconn *c, const struct pgconn_limit *limit, const char *sql, size_t n,
	     const char *const *params, PGresult **ret_result, struct error *err)
{
	/* An answer that is still expected from pgconn_send() comes first. */
	int rc = c->waiting && !c->left ? await_end(c, limit, err) : OK;
	PQclear(STEAL_PTR(c->first));
	if (rc == OK)
		rc = pgconn_send_query(c, sql, n, params, err);
	if (rc == OK)
		rc = await_end(c, limit, err);
	return rc == OK ? open_result(c, ret_result, err) : rc;
}

int
pgconn_send(struct pgconn *c, const char *sql, size_t n, const char *const *params,
	    struct error *err)
{
	int rc = pgconn_send_query(c, sql, n, params, err);
	if (rc == OK && PQflush(c->pq) < 0)
		return pgconn_lost(c, err);
	return rc;
}

int
pgconn_take(struct pgconn *c, PGresult **ret_result, struct error *err)
{
	bool alive = PQconsumeInput(c->pq) == 1;

	if (check_answer_size(c, err) < 0) {
		pgconn_give_up(c);
		return err != NULL ? (int)err->code : ERR_PROTOCOL;
	}
	if (c->waiting && take_results(c)) {
		int rc = open_result(c, ret_result, err);
		return rc < 0 ? rc : 1;
	}
	/* Looks at what has come, so that notices are heard: the last words before the end. */
	(void)PQisBusy(c->pq);
	if (!alive || c->last_words[0] != 0 || PQstatus(c->pq) == CONNECTION_BAD ||
	    PQflush(c->pq) < 0)
		return pgconn_lost(c, err);
	return 0;
}
