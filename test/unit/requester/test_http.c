/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The HTTP client against a server that misbehaves on command. It serves one connection after the other,
 * and answers each with what the test has put into a list; the real one is src/agent's.
 */
#include "requester/http.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/clock.h"

#define OK_JSON "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

/* What to do with one request. */
struct act {
	const char *send; /* NULL: nothing */
	bool hang; /* then stay silent until the test is over; else close, unless... */
	bool keep; /* ... there is another act for the same connection */
};

struct scene {
	char folder[64], path[80];
	int listener;
	unsigned port; /* of a TLS server; 0: a unix socket */
	struct tls_identity *theirs, *ours;
	bool know_client, know_server;
	const struct act *acts;
	size_t n_acts, next;
	_Atomic unsigned connections;
	pthread_mutex_t lock;
	char request[4096]; /* the last one, as far as one read gave it */
	pthread_t thread;
	struct http_place place;
	struct http *http;
	struct buf reply;
	struct error err;
};

static bool
admit_client(void *arg, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE])
{
	const struct scene *s = arg;

	return s->know_client &&
	       memcmp(fingerprint, tls_identity_fingerprint(s->ours), TLS_FINGERPRINT_SIZE) == 0;
}

static bool
admit_server(void *arg, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE])
{
	const struct scene *s = arg;

	return s->know_server &&
	       memcmp(fingerprint, tls_identity_fingerprint(s->theirs), TLS_FINGERPRINT_SIZE) == 0;
}

/* Until the client goes away. */
static void
hang(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
}

static void
serve_tls(struct scene *s, int fd)
{
	CLEAN(tls_context_freep) struct tls_context *context = NULL;
	CLEAN(tls_closep) struct tls_conn *conn = NULL;
	CLEAN(buf_done) struct buf line = BUF_INIT(4096);
	struct error err = ERROR_INIT;

	if (tls_context_new(s->theirs, TLS_SERVER, admit_client, s, &context, &err) < 0 ||
	    tls_open(context, fd, clock_boot_ns() + 10 * NS_PER_S, &conn, &err) < 0) {
		/* Closed with something unread the client would lose the alert as well. */
		hang(fd);
		return;
	}
	do {
		line.n = 0;
		if (tls_read_line(conn, &line, &err) < 0)
			return;
	} while (line.n > 1);
	const char *text = s->acts[s->next++].send;
	(void)!tls_write(conn, SLICE(text, strlen(text)), &err);
}

static void
serve(struct scene *s, int fd)
{
	for (bool more = true; more;) {
		const struct act *act = &s->acts[s->next];
		char request[sizeof(s->request)];
		ssize_t n = recv(fd, request, sizeof(request) - 1, 0);

		if (n <= 0)
			return;
		(void)pthread_mutex_lock(&s->lock);
		memcpy(s->request, request, (size_t)n);
		s->request[n] = '\0';
		(void)pthread_mutex_unlock(&s->lock);
		s->next++;
		if (act->send != NULL)
			(void)!send(fd, act->send, strlen(act->send), MSG_NOSIGNAL);
		if (act->hang)
			hang(fd);
		more = act->keep && s->next < s->n_acts;
	}
}

static void *
server_main(void *arg)
{
	struct scene *s = arg;

	while (s->next < s->n_acts) {
		CLEAN(fd_close) int fd = accept(s->listener, NULL, NULL);

		if (fd < 0)
			break;
		atomic_fetch_add(&s->connections, 1);
		if (s->port != 0)
			serve_tls(s, fd);
		else
			serve(s, fd);
	}
	return NULL;
}

static void
listen_unix(struct scene *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, s->path, strlen(s->path) + 1);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	s->place = (struct http_place){.unix_path = s->path};
}

static void
listen_tls(struct scene *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
	s->port = ntohs(a.sin_port);
	assert_int_equal(tls_identity_make("server", &s->theirs, &s->err), OK);
	assert_int_equal(tls_identity_make("client", &s->ours, &s->err), OK);
	s->know_client = s->know_server = true;
	s->place = (struct http_place){.host = "127.0.0.1",
				       .port = s->port,
				       .identity = s->ours,
				       .admit = admit_server,
				       .admit_arg = s};
}

static int
setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	(void)snprintf(s->folder, sizeof(s->folder), "/tmp/holdfast-http-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	(void)snprintf(s->path, sizeof(s->path), "%s/s", s->folder);
	s->listener = -1;
	s->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	s->reply = BUF_INIT(1000);
	*state = s;
	return 0;
}

static void
begin(struct scene *s, const struct act *acts, size_t n, bool tls)
{
	if (tls)
		listen_tls(s);
	else
		listen_unix(s);
	s->acts = acts;
	s->n_acts = n;
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
	assert_int_equal(http_open(&s->place, &s->http, &s->err), OK);
}

static int
teardown(void **state)
{
	struct scene *s = *state;

	http_close(s->http);
	if (s->listener >= 0) {
		(void)shutdown(s->listener, SHUT_RDWR);
		assert_int_equal(pthread_join(s->thread, NULL), 0);
		(void)close(s->listener);
	}
	tls_identity_free(s->theirs);
	tls_identity_free(s->ours);
	buf_done(&s->reply);
	(void)unlink(s->path);
	(void)rmdir(s->folder);
	free(s);
	return 0;
}

/* The status, or the error. */
static int
post(struct scene *s, uint64_t silence_ms, uint64_t deadline_ms)
{
	const struct http_request request = {
		.path = "/v1/Hello",
		.body = SLICE("{\"a\":1}", 7),
		.deadline_ns = deadline_ms == 0 ? UINT64_MAX
						: clock_boot_ns() + deadline_ms * NS_PER_MS,
		.silence_ns = silence_ms * NS_PER_MS,
		.reply_max = 1000,
	};
	unsigned status = 0;
	int rc = http_post(s->http, &request, &status, &s->reply, &s->err);

	return rc < 0 ? rc : (int)status;
}

static void
expect_reply(const struct scene *s, const char *text)
{
	assert_int_equal(s->reply.n, strlen(text));
	assert_memory_equal(s->reply.p, text, s->reply.n);
}

/* Was it in the last request? */
static bool
asked(struct scene *s, const char *text)
{
	(void)pthread_mutex_lock(&s->lock);
	bool found = strstr(s->request, text) != NULL;
	(void)pthread_mutex_unlock(&s->lock);
	return found;
}

static void
one_connection_for_many(void **state)
{
	static const struct act acts[] = {
		{OK_JSON, false, true},
		{"HTTP/1.1 410 Gone\r\nContent-Length: 3\r\n\r\nabc", false, true},
		{OK_JSON, false, false},
		{OK_JSON, false, false},
	};
	struct scene *s = *state;

	begin(s, acts, ARRAY_SIZE(acts), false);
	assert_int_equal(post(s, 5000, 0), 200);
	expect_reply(s, "{}");
	assert_true(asked(s, "POST /v1/Hello HTTP/1.1\r\n"));
	assert_true(asked(s, "Content-Type: application/json\r\n"));
	assert_false(asked(s, "Expect"));
	assert_true(asked(s, "\r\n\r\n{\"a\":1}"));
	assert_int_equal(post(s, 5000, 0), 410);
	expect_reply(s, "abc");
	assert_int_equal(post(s, 5000, 0), 200);
	assert_int_equal(s->connections, 1);
	/* Closed meanwhile: a new one, without a word. */
	assert_int_equal(post(s, 5000, 0), 200);
	assert_int_equal(s->connections, 2);
}

static void
nobody_there(void **state)
{
	struct scene *s = *state;

	s->place = (struct http_place){.unix_path = s->path};
	assert_int_equal(http_open(&s->place, &s->http, &s->err), OK);
	assert_int_equal(post(s, 5000, 0), ERR_AGENT_LOST);
	assert_non_null(strstr(s->err.msg, s->path));
}

static void
broken_replies(void **state)
{
	static const struct act acts[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", false, false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", false, false},
		{"HTTP/1.1 200", false, false},
		{NULL, false, false},
	};
	struct scene *s = *state;

	begin(s, acts, ARRAY_SIZE(acts), false);
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
		assert_int_equal(post(s, 5000, 0), ERR_AGENT_LOST);
}

static void
silence_and_deadlines(void **state)
{
	static const struct act acts[] = {
		{NULL, true, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", true, false},
		{NULL, true, false},
	};
	struct scene *s = *state;
	uint64_t start = clock_boot_ns();

	begin(s, acts, ARRAY_SIZE(acts), false);
	assert_int_equal(post(s, 60, 0), ERR_AGENT_LOST);
	assert_non_null(strstr(s->err.msg, "nothing was heard"));
	assert_int_equal(post(s, 60, 0), ERR_AGENT_LOST);
	/* The deadline is met, not the silence, which would take as long as that. */
	assert_int_equal(post(s, 30000, 60), ERR_TIMEOUT);
	assert_true(clock_boot_ns() - start < 30 * NS_PER_S);
}

static void
too_much(void **state)
{
	static char large[2100] = "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n";
	static const struct act acts[] = {{large, false, false}};
	struct scene *s = *state;

	memset(large + strlen(large), 'x', 2000);
	begin(s, acts, 1, false);
	assert_int_equal(post(s, 5000, 0), ERR_LIMIT);
}

struct lines {
	char text[200];
	size_t fail_at, n;
};

static int
see_line(void *arg, struct slice line, struct error *err)
{
	struct lines *l = arg;

	(void)snprintf(l->text + strlen(l->text), sizeof(l->text) - strlen(l->text), "[%.*s]",
		       (int)line.n, (const char *)line.p);
	return ++l->n == l->fail_at ? error_set(err, ERR_BUSY, "enough") : OK;
}

static int
listen_lines(struct scene *s, struct lines *l)
{
	const struct http_request request = {
		.path = "/v1/MoveData",
		.deadline_ns = UINT64_MAX,
		.silence_ns = 5 * NS_PER_S,
		.reply_max = 1000,
		.line = see_line,
		.line_arg = l,
	};
	unsigned status = 0;
	int rc = http_post(s->http, &request, &status, &s->reply, &s->err);

	return rc < 0 ? rc : (int)status;
}

static void
line_by_line(void **state)
{
	static const struct act acts[] = {
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "3\r\none\r\n7\r\n\ntwo\n\nt\r\n5\r\nhree\n\r\n0\r\n\r\n",
		 false, false},
		{"HTTP/1.1 404 No\r\nContent-Length: 6\r\n\r\na\nb\nc\n", false, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na\nb\nc\n", false, false},
	};
	struct scene *s = *state;
	struct lines good = {0}, bad = {0}, fail = {.fail_at = 2};

	begin(s, acts, ARRAY_SIZE(acts), false);
	assert_int_equal(listen_lines(s, &good), 200);
	assert_string_equal(good.text, "[one][two][][three]");
	assert_int_equal(listen_lines(s, &bad), 404);
	assert_string_equal(bad.text, "");
	expect_reply(s, "a\nb\nc\n");
	assert_int_equal(listen_lines(s, &fail), ERR_BUSY);
	assert_string_equal(fail.text, "[a][b]");
}

static void *
cancel_main(void *arg)
{
	struct scene *s = arg;

	while (atomic_load(&s->connections) == 0)
		(void)sched_yield();
	http_cancel(s->http);
	return NULL;
}

static void
cancelled_at_once(void **state)
{
	static const struct act acts[] = {{NULL, true, false}};
	struct scene *s = *state;
	uint64_t start = clock_boot_ns();
	pthread_t thread;

	begin(s, acts, 1, false);
	assert_int_equal(pthread_create(&thread, NULL, cancel_main, s), 0);
	assert_int_equal(post(s, 0, 0), ERR_CANCELLED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(clock_boot_ns() - start < 5 * NS_PER_S);
	assert_int_equal(post(s, 0, 0), ERR_CANCELLED);
}

static int
stop_at_once(void *arg, struct error *err)
{
	(void)arg;
	return error_set(err, ERR_DB_SESSION_LOST, "lost");
}

static void
asked_meanwhile(void **state)
{
	static const struct act acts[] = {{NULL, true, false}};
	struct scene *s = *state;
	const struct http_request request = {
		.path = "/", .deadline_ns = UINT64_MAX, .reply_max = 10, .check = stop_at_once};
	unsigned status;

	begin(s, acts, 1, false);
	assert_int_equal(http_post(s->http, &request, &status, &s->reply, &s->err),
			 ERR_DB_SESSION_LOST);
}

static void
tls_both_known(void **state)
{
	static const struct act acts[] = {{OK_JSON, false, false}};
	struct scene *s = *state;

	begin(s, acts, 1, true);
	assert_int_equal(post(s, 5000, 0), 200);
	expect_reply(s, "{}");
}

static void
tls_wrong_server(void **state)
{
	static const struct act acts[] = {{OK_JSON, false, false}};
	struct scene *s = *state;

	begin(s, acts, 1, true);
	s->know_server = false;
	assert_int_equal(post(s, 5000, 0), ERR_AGENT_TRUST);
	assert_int_equal(s->next, 0);
}

static void
tls_wrong_client(void **state)
{
	static const struct act acts[] = {{OK_JSON, false, false}};
	struct scene *s = *state;

	begin(s, acts, 1, true);
	s->know_client = false;
	assert_int_equal(post(s, 5000, 0), ERR_AGENT_TRUST);
	assert_non_null(strstr(s->err.hint, "enroll"));
	assert_int_equal(s->next, 0);
}

int
main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		SCENE(one_connection_for_many), SCENE(nobody_there),     SCENE(broken_replies),
		SCENE(silence_and_deadlines),   SCENE(too_much),         SCENE(line_by_line),
		SCENE(cancelled_at_once),       SCENE(asked_meanwhile),  SCENE(tls_both_known),
		SCENE(tls_wrong_server),        SCENE(tls_wrong_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
