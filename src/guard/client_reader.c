/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that hears the guard: gives answers to whoever waits for them, passes events on, asks a
 * silent guard whether it is there, and replaces a dead one.
 */
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "guard/client_internal.h"

#define RESTART_PAUSE_NS (200 * NS_PER_MS)
#define END_LIMIT_NS NS_PER_S /* between its socket's end and its own */

/* ---- what it says ---------------------------------------------------------------------------- */

static void
lose_calls(struct guard *g)
{
	for (struct guard_call *c = g->calls; c != NULL; c = c->next)
		c->lost = true;
	g->calls = NULL;
	(void)pthread_cond_broadcast(&g->changed);
}

static void
take_answer(struct guard *g, const struct wire_message *m)
{
	if (m->head.number == g->greeting) {
		g->phase = GUARD_READY;
		g->served = true;
		if (m->head.code != OK)
			(void)!wire_get_error(m, &g->failure);
	}
	for (struct guard_call **p = &g->calls; *p != NULL; p = &(*p)->next) {
		struct guard_call *c = *p;

		if (c->number != m->head.number)
			continue;
		*p = c->next;
		memcpy(c->answer, m, wire_size(&m->head));
		c->done = true;
		/* Seen by this thread before it sees the end of the guard, which is no loss. */
		g->stopping = g->stopping || c->last;
		break;
	}
	(void)pthread_cond_broadcast(&g->changed);
}

/* False if the guard is gone. */
static bool
take_messages(struct guard *g)
{
	struct wire_message m;
	bool closed = false;
	int fd = -1, rc;

	for (;;) {
		(void)pthread_mutex_lock(&g->mutex);
		rc = g->socket < 0 ? -1 : wire_receive(g->socket, &m, &fd, &closed, NULL);
		if (rc == 1) {
			g->heard_ns = clock_boot_ns();
			g->pinged_ns = 0;
			fd_close(&fd);
			if (m.head.answer == 1)
				take_answer(g, &m);
		}
		(void)pthread_mutex_unlock(&g->mutex);
		if (rc != 1)
			return rc == 0 && !closed;
		if (m.head.kind == WIRE_EVENT && g->event != NULL)
			g->event(&m.body.event, g->event_arg);
	}
}

/* ---- what it does not say -------------------------------------------------------------------- */

static uint64_t
ping_interval_ns(const struct guard *g, uint64_t now)
{
	if (now < g->armed_until_ns)
		return GUARD_PING_FROZEN_NS;
	return g->calls != NULL || g->phase == GUARD_STARTING ? GUARD_PING_NS : 0;
}

/* False if it is taken for dead. The lock is held. */
static bool
ping(struct guard *g, uint64_t now)
{
	uint64_t interval = ping_interval_ns(g, now);
	struct wire_message m;

	if (g->pinged_ns != 0)
		return now - g->pinged_ns < GUARD_SILENCE_NS;
	if (interval == 0 || now - g->heard_ns < interval)
		return true;
	g->pinged_ns = now;
	wire_init(&m, WIRE_PING, ++g->number, NULL);
	return wire_send(g->socket, &m, -1, false, NULL) >= 0;
}

static int
wait_ms(const struct guard *g, uint64_t now)
{
	uint64_t interval = ping_interval_ns(g, now);

	if (g->phase == GUARD_DOWN)
		return (int)(RESTART_PAUSE_NS / NS_PER_MS);
	return interval == 0 ? 10000 : (int)(interval / NS_PER_MS);
}

/* ---- another --------------------------------------------------------------------------------- */

static void
tell(struct guard *g, enum event_id id, const char *why)
{
	struct guard_event e;

	if (g->event == NULL)
		return;
	memset(&e, 0, sizeof(e));
	e.boot_ns = clock_boot_ns();
	e.wall_ns = clock_wall_ns();
	e.id = id;
	if (why != NULL)
		(void)snprintf(e.fields, sizeof(e.fields), "guard=%d error=%s", (int)g->pid, why);
	else
		(void)snprintf(e.fields, sizeof(e.fields), "guard=%d", (int)g->pid);
	g->event(&e, g->event_arg);
}

/* It has closed its socket: did it end by itself, as after SIGTERM? Only this thread replaces pidfd. */
static bool
ended_in_order(const struct guard *g)
{
	struct pollfd p = {.fd = g->pidfd, .events = POLLIN};
	siginfo_t info = {0};

	return poll(&p, 1, (int)(END_LIMIT_NS / NS_PER_MS)) > 0 &&
	       waitid(P_PIDFD, (id_t)g->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_code == CLD_EXITED && info.si_status == 0;
}

static void
restart(struct guard *g, bool alive)
{
	struct error err = ERROR_INIT;
	bool in_order = alive && ended_in_order(g);

	(void)pthread_mutex_lock(&g->mutex);
	bool leaving = g->leaving;
	(void)pthread_mutex_unlock(&g->mutex);
	if (!in_order)
		tell(g, EVENT_GUARD_LOST, alive ? "its process ended" : "it did not answer");
	else if (!leaving)
		tell(g, EVENT_GUARD_STOPPED, NULL);
	(void)pthread_mutex_lock(&g->mutex);
	/* Told to stop, it did what it could; another would do no better. */
	g->stopping = g->stopping || (in_order && g->leaving);
	guard_process_kill(g);
	lose_calls(g);
	if (!g->stopping) {
		g->restarts++;
		if (guard_process_start(g, &err) < 0) {
			g->phase = GUARD_DOWN;
			g->failure = err;
		}
	}
	(void)pthread_cond_broadcast(&g->changed);
	(void)pthread_mutex_unlock(&g->mutex);
}

static void
try_again(struct guard *g)
{
	struct error err = ERROR_INIT;

	(void)pthread_mutex_lock(&g->mutex);
	if (!g->stopping && guard_process_start(g, &err) == OK)
		g->restarts++;
	(void)pthread_cond_broadcast(&g->changed);
	(void)pthread_mutex_unlock(&g->mutex);
}

void *
guard_reader(void *arg)
{
	struct guard *g = arg;
	uint64_t restarted_ns = 0;

	for (;;) {
		(void)pthread_mutex_lock(&g->mutex);
		uint64_t now = clock_boot_ns();
		bool stopping = g->stopping, down = g->phase == GUARD_DOWN;
		bool alive = down || ping(g, now);
		struct pollfd p[] = {{.fd = g->socket, .events = POLLIN},
				     {.fd = g->pidfd, .events = POLLIN},
				     {.fd = g->wake, .events = POLLIN}};
		int timeout = wait_ms(g, now);
		guard_process_reap(g);
		(void)pthread_mutex_unlock(&g->mutex);
		if (stopping)
			return NULL;
		if (alive && poll(p, ARRAY_SIZE(p), timeout) < 0)
			continue;
		if (p[2].revents != 0) {
			uint64_t n;
			(void)!read(g->wake, &n, sizeof(n));
		}
		if (down) {
			try_again(g);
			continue;
		}
		/* What it said last counts, also if it has ended since. */
		bool open = take_messages(g);
		/* If it was us who stood still, the answer has been waiting. */
		(void)pthread_mutex_lock(&g->mutex);
		alive = alive || g->pinged_ns == 0;
		(void)pthread_mutex_unlock(&g->mutex);
		if (alive && open && p[1].revents == 0)
			continue;
		/* One that dies at its start must not be started without end. */
		now = clock_boot_ns();
		if (now - restarted_ns < RESTART_PAUSE_NS)
			(void)poll(NULL, 0, (int)(RESTART_PAUSE_NS / NS_PER_MS));
		restarted_ns = clock_boot_ns();
		(void)pthread_mutex_lock(&g->mutex);
		stopping = g->stopping;
		(void)pthread_mutex_unlock(&g->mutex);
		if (stopping)
			return NULL;
		restart(g, alive);
	}
}
