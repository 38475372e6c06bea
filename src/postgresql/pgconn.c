/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libpq, never blocking: it is asked what it waits for, and poll(2) waits. The one exception is the
 * look-up of a host's name at the start, which the requester's deadline for the event covers.
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
#include <sys/wait.h>

#include "base/clock.h"
#include "base/text.h"
#include "postgresql/pgconn_internal.h"

#define LATE_NS NS_PER_S

enum { CANCEL_LIMIT_S = 3, KEEPALIVE_TIME_S = 10, DEAD_AFTER_S = 30 };

static const char *
section_of(const struct pgconn *c)
{
	return c->section != NULL ? c->section : "writer.postgresql";
}

/* One line, without libpq's final newline. */
static void
first_line(char *text, size_t size, const char *message)
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

/* Messages outside of a query. Most are of no interest; the reason of a session's end is. */
static void
hear_notice(void *arg, const PGresult *notice)
{
	struct pgconn *c = arg;
	const char *state = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

	if (state == NULL || message == NULL || !ends_session(notice, state))
		return;
	(void)text_printf(c->last_state, sizeof(c->last_state), "%s", state);
	first_line(c->last_words, sizeof(c->last_words), message);
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
	first_line(why, sizeof(why), PQerrorMessage(c->pq));
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

static int
check_answer_size(const struct pgconn *c, struct error *err)
{
	uint64_t received = received_bytes(c);

	if (received <= c->received_before ||
	    received - c->received_before <= (uint64_t)PGCONN_ANSWER_MAX)
		return OK;
	return error_set(err, ERR_PROTOCOL,
			 "the server's answer does not end: more than %d MiB of it have come",
			 PGCONN_ANSWER_MAX >> 20);
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
		int n = poll(p, ARRAY_SIZE(p), left_ms);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, ERR_IO, "wait for the server");
		if (p[1].revents != 0)
			return error_set(err, ERR_CANCELLED, "the requester is gone");
		if (n == 0 || (left_ms == 0 && clock_boot_ns() - limit->deadline_ns > LATE_NS))
			return error_set(err, ERR_TIMEOUT, "the server did not answer in time");
		return check_answer_size(c, err);
	}
}

/* Connecting. */

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
		first_line(text, sizeof(text), sentence);
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
		first_line(text, sizeof(text), message);
		(void)error_set(err, ERR_DB_CONNECT, "%s", text);
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
	(void)PQsetNoticeReceiver(c->pq, hear_notice, c);
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
cancel(const struct pgconn *c)
{
	PGcancel *request = PQgetCancel(c->pq);
	char ignored[256];
	pid_t pid = request != NULL ? fork() : -1;

	if (pid == 0) {
		(void)signal(SIGALRM, SIG_DFL);
		(void)alarm(CANCEL_LIMIT_S);
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
void
pgconn_give_up(struct pgconn *c)
{
	if (c->pq != NULL && c->waiting)
		cancel(c);
	PQclear(STEAL_PTR(c->first));
	PQfinish(STEAL_PTR(c->pq));
	c->waiting = false;
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
			first_line(c->last_words, sizeof(c->last_words), message);
		return pgconn_lost(c, err);
	}
	(void)text_printf(c->sqlstate, sizeof(c->sqlstate), "%s", state);
	enum err code = sqlstate_code(state, &hint);
	first_line(text, sizeof(text), message);
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
		if (rc < 0 && limit->no_cancel)
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
