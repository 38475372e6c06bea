/* SPDX-License-Identifier: Apache-2.0 */

/*
 * leases SOCKET LEASES TTL SECONDS [CONNECTIONS]: hold many leases on one agent and keep them all alive.
 *
 * Prepares LEASES jobs, then sends KeepSnapshotEx for each every TTL/10 seconds, evenly spread, over a
 * few connections that stay open, from this one thread; and prints how long the answers took, counted
 * from when each was due, not from when it was sent: what a requester that is late would feel is in it.
 * A lease is lost when any answer is not 200. Run agent and this each on a core of its own:
 *
 *	taskset -c 0 holdfast agent --listen unix:/tmp/s --option agent.max_jobs=20000 --quiet &
 *	taskset -c 1 build/bench/leases /tmp/s 10000 60 60
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, REPLY_MAX = 4096, NS = 1000000000 };

struct conn {
	int fd;
	bool busy;
	uint64_t due_ns; /* of the request under way */
	char reply[REPLY_MAX];
	size_t n;
};

static struct sockaddr_un agent = {.sun_family = AF_UNIX};
static struct conn conns[CONNECTIONS_MAX];
static unsigned n_conns = 16;
static uint32_t *taken_us; /* every answer's time */
static size_t n_taken, n_lost, taken_max;

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void
fail(const char *what)
{
	(void)fprintf(stderr, "leases: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
dial(struct conn *c)
{
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&agent, sizeof(agent)) < 0)
		fail("connect");
}

static void
request(struct conn *c, const char *function, const char *body)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
			 "POST /v1/%s HTTP/1.1\r\nHost: agent\r\nContent-Length: %zu\r\n\r\n%s",
			 function, strlen(body), body);

	if (write(c->fd, text, (size_t)n) != n)
		fail("write");
	c->busy = true;
	c->n = 0;
}

/* Reads what is there. True: the reply is complete. */
static bool
receive(struct conn *c, bool *ret_ok)
{
	const char *body, *length;
	ssize_t n = read(c->fd, c->reply + c->n, sizeof(c->reply) - 1 - c->n);

	if (n <= 0)
		fail("the agent hung up");
	c->n += (size_t)n;
	c->reply[c->n] = '\0';
	body = strstr(c->reply, "\r\n\r\n");
	length = strstr(c->reply, "Content-Length: ");
	if (body == NULL || length == NULL ||
	    c->n < (size_t)(body + 4 - c->reply) + strtoul(length + 16, NULL, 10))
		return false;
	*ret_ok = strncmp(c->reply, "HTTP/1.1 200 ", 13) == 0;
	c->busy = false;
	return true;
}

static void
job_name(size_t i, char text[40])
{
	(void)snprintf(text, 40, "{%08x-0000-4000-8000-%012x}", (unsigned)i * 2654435761U,
		       (unsigned)i);
}

static void
prepare(size_t leases, unsigned ttl)
{
	uint64_t began = now_ns();

	for (size_t i = 0; i < leases; i++) {
		char job[40], body[256];
		bool ok = false;

		job_name(i, job);
		(void)snprintf(
			body, sizeof(body),
			"{\"JobId\":\"%s\",\"Paths\":[\"/etc/hostname\"],\"Provider\":\"direct\","
			"\"TTL\":%u}",
			job, 10 * ttl);
		request(&conns[0], "PrepareSnapshot", body);
		while (!receive(&conns[0], &ok))
			;
		if (!ok) {
			(void)fprintf(stderr, "leases: %s\n", conns[0].reply);
			exit(1);
		}
	}
	(void)printf("prepared %zu leases in %.1f s\n", leases, (double)(now_ns() - began) / NS);
}

static void
answered(struct conn *c, bool ok)
{
	if (!ok && n_lost++ == 0)
		(void)fprintf(stderr, "leases: %s\n", c->reply);
	if (n_taken < taken_max)
		taken_us[n_taken++] = (uint32_t)((now_ns() - c->due_ns) / 1000);
}

/* Wait for answers until the time, or until a connection is free. */
static void
collect(uint64_t until_ns, bool for_one)
{
	struct pollfd fds[CONNECTIONS_MAX];

	for (;;) {
		uint64_t now = now_ns();
		unsigned busy = 0;

		for (unsigned i = 0; i < n_conns; i++) {
			fds[i] = (struct pollfd){.fd = conns[i].busy ? conns[i].fd : -1,
						 .events = POLLIN};
			busy += conns[i].busy;
		}
		if (for_one ? busy < n_conns : now >= until_ns)
			return;
		const struct timespec left = {.tv_sec = (time_t)((until_ns - now) / NS),
					      .tv_nsec = (long)((until_ns - now) % NS)};
		if (ppoll(fds, n_conns, for_one ? NULL : &left, NULL) <= 0)
			continue;
		for (unsigned i = 0; i < n_conns; i++) {
			bool ok;

			if ((fds[i].revents & (POLLIN | POLLHUP)) != 0 && receive(&conns[i], &ok))
				answered(&conns[i], ok);
		}
	}
}

static void
keep(size_t leases, unsigned ttl, unsigned seconds)
{
	const uint64_t step_ns = (uint64_t)ttl * NS / 10 / leases;
	uint64_t due = now_ns(), end = due + (uint64_t)seconds * NS;

	for (size_t i = 0; due < end; i = (i + 1) % leases, due += step_ns) {
		struct conn *c = NULL;
		char job[40], body[128];

		if (due > now_ns())
			collect(due, false);
		collect(0, true);
		for (unsigned k = 0; c == NULL; k++)
			if (!conns[k].busy)
				c = &conns[k];
		job_name(i, job);
		(void)snprintf(body, sizeof(body), "{\"JobId\":\"%s\",\"TTL\":%u}", job, ttl);
		c->due_ns = due;
		request(c, "KeepSnapshotEx", body);
	}
	collect(now_ns() + NS, false);
}

static int
by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int
main(int argc, char *argv[])
{
	size_t leases;
	unsigned ttl, seconds;

	if (argc < 5) {
		(void)fprintf(stderr, "usage: leases SOCKET LEASES TTL SECONDS [CONNECTIONS]\n");
		return 2;
	}
	(void)snprintf(agent.sun_path, sizeof(agent.sun_path), "%s", argv[1]);
	leases = strtoul(argv[2], NULL, 10);
	ttl = (unsigned)strtoul(argv[3], NULL, 10);
	seconds = (unsigned)strtoul(argv[4], NULL, 10);
	if (argc > 5)
		n_conns = (unsigned)strtoul(argv[5], NULL, 10);
	if (leases == 0 || ttl == 0 || n_conns == 0 || n_conns > CONNECTIONS_MAX)
		return 2;
	taken_max = (size_t)seconds * 10 * leases / ttl + leases;
	taken_us = calloc(taken_max, sizeof(*taken_us));
	if (taken_us == NULL)
		fail("memory");
	dial(&conns[0]);
	prepare(leases, ttl);
	/* Only now: a connection has ten seconds for its first request. */
	for (unsigned i = 1; i < n_conns; i++)
		dial(&conns[i]);
	keep(leases, ttl, seconds);
	qsort(taken_us, n_taken, sizeof(*taken_us), by_value);
	if (n_taken == 0)
		return 1;
	(void)printf(
		"%zu keep-alives in %u s (%zu leases, one every %.1f s each): p50 %.3f ms, p99 %.3f ms, "
		"max %.3f ms, lost %zu\n",
		n_taken, seconds, leases, ttl / 10.0, taken_us[n_taken / 2] / 1e3,
		taken_us[n_taken * 99 / 100] / 1e3, taken_us[n_taken - 1] / 1e3, n_lost);
	return n_lost != 0;
}
