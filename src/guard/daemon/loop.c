/* SPDX-License-Identifier: Apache-2.0 */

/* One poll for everything; the timer is on the boot clock, and absolute. */
#include "guard/daemon/loop.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "guard/daemon/make.h"
#include "guard/daemon/record.h"
#include "guard/daemon/request.h"
#include "guard/daemon/say.h"
#include "guard/daemon/undo.h"

enum { KEEPERS = 4, SPACE_JOBS_MAX = 4 };

/* ---- set up ---------------------------------------------------------------------------------- */

static int
read_boot_id(struct guardian *g, struct error *err)
{
	CLEAN(fd_close) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, g->boot, sizeof(g->boot) - 1) : -1;

	if (n <= 0)
		return error_sys(err, ERR_IO, "read the boot id");
	g->boot[strcspn(g->boot, "\n")] = '\0';
	return OK;
}

static int
open_signals(struct guardian *g, struct error *err)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	g->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	g->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (g->signals < 0 || g->timer < 0)
		return error_sys(err, ERR_IO, "create a descriptor for time and signals");
	return OK;
}

int
loop_init(struct guardian *g, int socket, struct error *err)
{
	struct lease *open = calloc(GUARDIAN_LEASES_MAX, sizeof(*open));
	struct lease *ended = calloc(GUARDIAN_ENDED_MAX, sizeof(*ended));

	g->holds = calloc(GUARDIAN_LEASES_MAX, sizeof(g->holds[0]));
	if (open == NULL || ended == NULL || g->holds == NULL) {
		free(open);
		free(ended);
		return error_no_memory(err);
	}
	lease_table_init(&g->leases, open, GUARDIAN_LEASES_MAX, ended, GUARDIAN_ENDED_MAX);
	g->socket = socket;
	g->agent = g->journal.dir = g->journal.fd = -1;
	(void)snprintf(g->journal.name, sizeof(g->journal.name), "%016" PRIx64 "-%d.journal",
		       clock_wall_ns(), getpid());
	if (read_boot_id(g, err) < 0 || open_signals(g, err) < 0 ||
	    jobs_done_init(&g->done, err) < 0 || jobs_crew_start(&g->maker, 1, &g->done, err) < 0 ||
	    jobs_crew_start(&g->keepers, KEEPERS, &g->done, err) < 0 ||
	    jobs_crew_start(&g->scribe, 1, &g->done, err) < 0)
		return err->code;
	return OK;
}

/* ---- space ----------------------------------------------------------------------------------- */

static void
run_space(struct job *job)
{
	struct member *m = CONTAINER_OF(job, struct member, job);

	m->err = ERROR_INIT;
	m->rc = m->ops->space(&m->work, m->settings, &m->free_bytes, &m->total_bytes, &m->err);
}

static void
space_done(struct job *job, void *arg)
{
	struct member *m = CONTAINER_OF(job, struct member, job);
	struct guardian *g = arg;
	struct hold *h = m->hold;
	uint64_t floor = g->settings.min_free.bytes;
	struct error e = ERROR_INIT;

	m->checking_space = false;
	if (m->rc < 0 || h->ending)
		return;
	floor = MAX(floor, m->total_bytes / 100 * g->settings.min_free.percent);
	if (m->free_bytes >= floor)
		return;
	say_event(g, h, EVENT_SPACE_RELEASED,
		  "source=%s free_bytes=%" PRIu64 " floor_bytes=%" PRIu64, m->s.source,
		  m->free_bytes, floor);
	(void)!lease_end_one(&g->leases, &h->key, LEASE_NO_SPACE, clock_boot_ns(), &e);
}

static void
check_space(struct guardian *g, uint64_t now)
{
	bool wanted = g->settings.min_free.bytes > 0 || g->settings.min_free.percent > 0;

	if (now < g->next_space_ns || guardian_frozen(g))
		return;
	g->next_space_ns = now + GUARDIAN_SPACE_INTERVAL_NS;
	for (size_t i = 0; wanted && i < g->n_holds; i++) {
		struct hold *h = g->holds[i];

		for (size_t n = 0; h->step == HOLD_HELD && !h->ending && n < h->n_members; n++) {
			struct member *m = h->members[n];

			if (m->job.busy || strcmp(m->ops->name, "direct") == 0)
				continue;
			m->checking_space = true;
			m->work = m->s;
			m->job.run = run_space;
			m->job.done = space_done;
			jobs_post(&g->keepers, &m->job);
		}
	}
}

/* ---- what is heard --------------------------------------------------------------------------- */

static void
lose_agent(struct guardian *g)
{
	if (g->agent_lost)
		return;
	g->agent_lost = true;
	if (g->n_holds > 0)
		say_event(g, g->making, EVENT_AGENT_LOST, "cause=its process ended");
	if (!g->leaving)
		g->leaving_since_ns = clock_boot_ns();
	g->leaving = true;
	lease_end_all(&g->leases, LEASE_AGENT_LOST, clock_boot_ns());
}

static void
take_requests(struct guardian *g)
{
	struct wire_message m;
	struct error e = ERROR_INIT;
	bool closed = false;
	int fd = -1;

	while (say_has_room(g)) {
		int rc = wire_receive(g->socket, &m, &fd, &closed, &e);

		if (rc < 0 || closed)
			lose_agent(g);
		if (rc <= 0)
			return;
		/* What is due comes before what is asked. */
		lease_tick(&g->leases, clock_boot_ns());
		request_take(g, &m, fd);
	}
}

static void
take_signals(struct guardian *g)
{
	struct signalfd_siginfo info;

	while (read(g->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGTERM || guardian_frozen(g))
			continue;
		lease_end_all(&g->leases, LEASE_BY_HAND, clock_boot_ns());
		if (!g->leaving)
			g->leaving_since_ns = clock_boot_ns();
		g->leaving = true;
	}
}

static void
take_done(struct guardian *g)
{
	for (struct job *j = jobs_done_take(&g->done), *next; j != NULL; j = next) {
		next = j->next;
		j->done(j, g);
	}
}

static void
close_orphans(struct guardian *g)
{
	for (size_t i = 0; i < GUARDIAN_FREEZERS_MAX; i++) {
		struct freezer *f = &g->freezers[i];

		if (!f->orphan || !freezer_settled(f))
			continue;
		if (freezer_state(f) == FREEZER_THAWED)
			say_event(g, NULL, EVENT_THAWED_BY_GUARD, "source=%s", f->path);
		else if (freezer_state(f) == FREEZER_THAW_FAILED)
			say_thaw_failed(g, NULL, f);
		f->orphan = false;
		freezer_close(f);
	}
}

/* Everything that may have become possible. */
static void
go_on(struct guardian *g)
{
	uint64_t now = clock_boot_ns();

	lease_tick(&g->leases, now);
	undo_go_on(g);
	if (g->making != NULL)
		make_go_on(g->making);
	for (size_t i = 0; g->n_exposing > 0 && i < g->n_holds; i++) {
		if (g->holds[i]->step == HOLD_EXPOSING)
			make_go_on(g->holds[i]);
	}
	close_orphans(g);
	check_space(g, now);
	if (!guardian_frozen(g)) {
		record_taken_over(g);
		if (now >= g->flush_ns || g->leaving)
			record_dirty(g);
	}
	request_settle(g);
	say_flush(g);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void
set_timer(struct guardian *g)
{
	uint64_t at = MIN(g->leases.soonest_ns, undo_next_ns(g));
	uint64_t linger = g->leaving_since_ns + GUARDIAN_LINGER_NS;
	bool frozen = guardian_frozen(g); /* a thaw wakes us, and then there is time for these: */

	if (g->n_holds > 0 && !frozen)
		at = MIN(at, g->next_space_ns);
	if (g->dirty && !frozen)
		at = MIN(at,
			 MAX(g->flush_ns, g->journal.broken ? g->journal.retry_ns : UINT64_C(0)));
	if (g->journal.broken && !frozen)
		at = MIN(at, g->journal.retry_ns);
	if (g->leaving && clock_boot_ns() < linger)
		at = MIN(at, linger);
	struct itimerspec spec = {.it_value = {.tv_sec = 0}};
	if (at != UINT64_MAX) {
		at = MAX(at, UINT64_C(1)); /* 0 would disarm it */
		spec.it_value.tv_sec = (time_t)(at / NS_PER_S);
		spec.it_value.tv_nsec = (long)(at % NS_PER_S);
	}
	(void)timerfd_settime(g->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static bool
is_over(struct guardian *g)
{
	if (!g->leaving || say_has_work(g))
		return false;
	if (clock_boot_ns() >= g->leaving_since_ns + GUARDIAN_LINGER_NS && !guardian_frozen(g))
		return true;
	return g->leases.n_duties == 0 && g->n_holds == 0 && record_idle(g) && !guardian_frozen(g);
}

enum { P_SOCKET, P_AGENT, P_TIMER, P_SIGNALS, P_DONE, P_WRITERS };

static void
wait_once(struct guardian *g)
{
	struct pollfd p[P_WRITERS + GUARD_WRITERS_MAX] = {
		[P_SOCKET] = {.fd = g->agent_lost ? -1 : g->socket,
			      .events = (short)((say_has_room(g) ? POLLIN : 0) |
						(say_has_work(g) ? POLLOUT : 0))},
		[P_AGENT] = {.fd = g->agent_lost ? -1 : g->agent, .events = POLLIN},
		[P_TIMER] = {.fd = g->timer, .events = POLLIN},
		[P_SIGNALS] = {.fd = g->signals, .events = POLLIN},
		[P_DONE] = {.fd = g->done.fd, .events = POLLIN},
	};
	struct hold *making = g->making;
	size_t n = making != NULL ? making->n_writers : 0;
	uint64_t ticks;

	for (size_t i = 0; i < n; i++)
		p[P_WRITERS + i] = (struct pollfd){.fd = making->writers[i], .events = POLLIN};
	if (poll(p, P_WRITERS + n, -1) < 0)
		return;
	(void)!read(g->timer, &ticks, sizeof(ticks));
	for (size_t i = 0; i < n; i++) {
		if (p[P_WRITERS + i].revents != 0)
			make_writer_ended(making, i);
	}
	if (p[P_DONE].revents != 0)
		take_done(g);
	/* Before what it has sent: a dead agent's wishes do not count. */
	if (p[P_AGENT].revents != 0 || (p[P_SOCKET].revents & (POLLERR | POLLNVAL)) != 0)
		lose_agent(g);
	if (!g->agent_lost && (p[P_SOCKET].revents & (POLLIN | POLLHUP)) != 0)
		take_requests(g);
	if (p[P_SIGNALS].revents != 0)
		take_signals(g);
}

void
loop_run(struct guardian *g)
{
	for (;;) {
		go_on(g);
		if (is_over(g))
			return;
		set_timer(g);
		wait_once(g);
	}
}
