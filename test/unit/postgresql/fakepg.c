/* SPDX-License-Identifier: Apache-2.0 */

/* The server's end of the protocol, as much as is needed. Source: PostgreSQL's documentation, "Frontend/Backend
 * Protocol". */
#include "postgresql/fakepg.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"

enum {
	MESSAGE_MAX = 65536,
	SESSIONS_MAX = 16, /* more are not let in */
	STARTUP_CANCEL = 80877102,
	STARTUP_SSL = 80877103,
	STARTUP_GSS = 80877104
};

struct session {
	struct fakepg *server;
	int fd;
	pthread_t thread;
};

struct fakepg {
	fakepg_fn *answer;
	void *arg;
	int listener;
	char port[8];
	pthread_t thread;
	atomic_uint n;
	size_t n_sessions;
	struct session sessions[SESSIONS_MAX];
};

static bool
put_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static bool
get_all(int fd, void *data, size_t n)
{
	return n == 0 || recv(fd, data, n, MSG_WAITALL) == (ssize_t)n;
}

static uint32_t
get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static void
put32(void *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static void
put16(void *p, unsigned v)
{
	uint16_t w = htons((uint16_t)v);

	memcpy(p, &w, sizeof(w));
}

bool
fakepg_send(int fd, char kind, const void *body, size_t n)
{
	char head[5] = {kind};

	put32(head + 1, (uint32_t)n + 4);
	return put_all(fd, head, sizeof(head)) && put_all(fd, body, n);
}

bool
fakepg_ready(int fd)
{
	return fakepg_send(fd, 'Z', "I", 1);
}

bool
fakepg_rows(int fd, unsigned columns, unsigned rows, const char *value)
{
	static const char complete[] = "SELECT 1";
	size_t length = strlen(value), n = 2;
	char *text = calloc(1, 2 + columns * (length + 32));
	bool ok;

	put16(text, columns);
	for (unsigned i = 0; i < columns; i++) {
		text[n] = 'c';
		put32(text + n + 8, 25); /* of type text */
		put16(text + n + 12, 0xffff);
		put32(text + n + 14, UINT32_MAX);
		n += 2 + 18;
	}
	ok = fakepg_send(fd, 'T', text, n);
	n = 2;
	for (unsigned i = 0; i < columns; i++) {
		put32(text + n, (uint32_t)length);
		memcpy(text + n + 4, value, length);
		n += 4 + length;
	}
	for (unsigned i = 0; ok && i < rows; i++)
		ok = fakepg_send(fd, 'D', text, n);
	free(text);
	return ok && fakepg_send(fd, 'C', complete, sizeof(complete));
}

bool
fakepg_notices(int fd, unsigned n, const char *text)
{
	static const char severity[] = "SNOTICE\0C00000\0M";
	size_t length = strlen(text), one = 5 + sizeof(severity) - 1 + length + 2;
	char *all = calloc(n, one), *p = all;
	bool ok;

	if (all == NULL)
		abort();
	for (unsigned i = 0; i < n; i++, p += one) {
		p[0] = 'N';
		put32(p + 1, (uint32_t)one - 1);
		memcpy(p + 5, severity, sizeof(severity) - 1);
		memcpy(p + 5 + sizeof(severity) - 1, text, length);
	}
	ok = put_all(fd, all, n * one);
	free(all);
	return ok;
}

/* False: it was no beginning of a session, or nobody is there any more. */
static bool
let_in(int fd)
{
	char head[8], rest[MESSAGE_MAX];

	for (;;) {
		if (!get_all(fd, head, sizeof(head)) || get32(head) < 8 ||
		    get32(head) - 8 > sizeof(rest) || !get_all(fd, rest, get32(head) - 8))
			return false;
		if (get32(head + 4) == STARTUP_CANCEL)
			return false;
		if (get32(head + 4) != STARTUP_SSL && get32(head + 4) != STARTUP_GSS)
			break;
		if (!put_all(fd, "N", 1))
			return false;
	}
	return fakepg_send(fd, 'R', "\0\0\0", 4) &&
	       fakepg_send(fd, 'S',
			   "server_version\0"
			   "15.0",
			   20) &&
	       fakepg_ready(fd);
}

static void
serve(struct fakepg *f, int fd)
{
	char head[5], body[MESSAGE_MAX], sql[MESSAGE_MAX] = "";

	if (!let_in(fd))
		return;
	for (;;) {
		if (!get_all(fd, head, sizeof(head)) || get32(head + 1) < 4 ||
		    get32(head + 1) - 4 > sizeof(body) || !get_all(fd, body, get32(head + 1) - 4) ||
		    head[0] == 'X')
			return;
		/* Parse: a name, then the statement. */
		if (head[0] == 'P')
			(void)snprintf(sql, sizeof(sql), "%s", body + strlen(body) + 1);
		else if (head[0] == 'Q')
			(void)snprintf(sql, sizeof(sql), "%s", body);
		if (head[0] == 'S' && !(fakepg_send(fd, '1', "", 0) && fakepg_send(fd, '2', "", 0)))
			return;
		if ((head[0] == 'S' || head[0] == 'Q') &&
		    !f->answer(f->arg, fd, sql, atomic_fetch_add(&f->n, 1)))
			return;
	}
}

static void *
session_main(void *arg)
{
	struct session *s = arg;

	serve(s->server, s->fd);
	(void)shutdown(s->fd, SHUT_RDWR);
	return NULL;
}

static void *
listen_main(void *arg)
{
	struct fakepg *f = arg;
	int fd;

	while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
		struct session *s = &f->sessions[f->n_sessions];

		if (f->n_sessions == SESSIONS_MAX) {
			(void)close(fd);
			continue;
		}
		*s = (struct session){.server = f, .fd = fd};
		if (pthread_create(&s->thread, NULL, session_main, s) != 0)
			abort();
		f->n_sessions++;
	}
	return NULL;
}

struct fakepg *
fakepg_new(fakepg_fn *answer, void *arg)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct fakepg *f = calloc(1, sizeof(*f));
	socklen_t n = sizeof(at);

	if (f == NULL)
		abort();
	*f = (struct fakepg){.answer = answer, .arg = arg};
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&at, n) < 0 ||
	    listen(f->listener, 8) < 0 || getsockname(f->listener, (struct sockaddr *)&at, &n) < 0)
		abort();
	(void)snprintf(f->port, sizeof(f->port), "%u", (unsigned)ntohs(at.sin_port));
	if (pthread_create(&f->thread, NULL, listen_main, f) != 0)
		abort();
	return f;
}

const char *
fakepg_port(const struct fakepg *f)
{
	return f->port;
}

void
fakepg_free(struct fakepg *f)
{
	(void)shutdown(f->listener, SHUT_RDWR);
	(void)pthread_join(f->thread, NULL);
	for (size_t i = 0; i < f->n_sessions; i++) {
		(void)shutdown(f->sessions[i].fd, SHUT_RDWR);
		(void)pthread_join(f->sessions[i].thread, NULL);
		(void)close(f->sessions[i].fd);
	}
	(void)close(f->listener);
	free(f);
}
