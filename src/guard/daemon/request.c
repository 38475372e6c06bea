/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Decisions are the lease table's; what takes time is make.c's. Every request is answered exactly once,
 * here or by whoever it is handed to.
 */
#include "guard/daemon/request.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "guard/daemon/adopt.h"
#include "guard/daemon/make.h"
#include "guard/daemon/say.h"

static void
answer(struct guardian *g, const struct wire_message *m, const struct error *e)
{
	if (e->code != OK)
		say_error(g, m->head.kind, m->head.number, e);
	else
		say_answer(g, m->head.kind, m->head.number, &m->head.key, NULL, 0);
}

/* ---- the first ------------------------------------------------------------------------------- */

static void
hello(struct guardian *g, const struct wire_message *m, int fd)
{
	struct error e = ERROR_INIT;

	if (g->greeted || fd < 0) {
		fd_close(&fd);
		(void)error_set(&e, ERR_PROTOCOL, "a guard is greeted once, with a descriptor");
		answer(g, m, &e);
		return;
	}
	g->greeted = true;
	g->agent = fd;
	memcpy(g->state_dir, m->body.hello.state_dir, sizeof(g->state_dir));
	memcpy(g->token, m->body.hello.token, sizeof(g->token));
	g->settings = m->body.hello.settings;
	say_event(g, NULL, EVENT_GUARD_STARTED, "guard=%d", getpid());
	adopt_all(g);
	answer(g, m, &e);
}

/* ---- leases ---------------------------------------------------------------------------------- */

static void
begin(struct guardian *g, const struct wire_message *m)
{
	struct error e = ERROR_INIT;
	struct lease_key key;

	if (g->leaving)
		(void)error_set(&e, ERR_BUSY, "the guard is about to end");
	else if (g->making != NULL)
		(void)error_set(&e, ERR_BUSY, "another snapshot set is in progress");
	if (e.code != OK || lease_begin(&g->leases, m->head.key.set, m->body.begin.ttl_ns,
					clock_boot_ns(), &key, &e) < 0) {
		answer(g, m, &e);
		return;
	}
	struct hold *h = guardian_add(g, &key, m->body.begin.job);
	if (h == NULL) {
		(void)!lease_abort(&g->leases, &key, clock_boot_ns(), &e);
		lease_duty_done(&g->leases, &key, LEASE_DUTY_RELEASE);
		(void)error_no_memory(&e);
		answer(g, m, &e);
		return;
	}
	h->begun_wall_ns = clock_wall_ns();
	g->making = h;
	say_event(g, h, EVENT_SNAPSHOT_PREPARING, "ttl_s=%" PRIu64,
		  m->body.begin.ttl_ns / NS_PER_S);
	say_answer(g, m->head.kind, m->head.number, &key, NULL, 0);
}

static void
keep(struct guardian *g, const struct wire_message *m)
{
	struct error e = ERROR_INIT;

	if (lease_keep(&g->leases, &m->head.key, m->body.value, clock_boot_ns(), &e) == OK) {
		const struct lease *l = lease_find(&g->leases, &m->head.key);
		struct hold *h = guardian_find(g, &m->head.key);
		uint64_t known = h != NULL ? h->journaled_deadline_ns : 0;
		uint64_t moved = MAX(known, l->deadline_ns) - MIN(known, l->deadline_ns);

		if (h != NULL && h->journaled && moved > l->ttl_ns / 20)
			guardian_dirty(h);
	}
	answer(g, m, &e);
}

static void
finish(struct guardian *g, const struct wire_message *m)
{
	struct error e = ERROR_INIT;
	struct guard_verdict v;
	uint64_t now = clock_boot_ns();
	bool proven = false;

	if (lease_finish(&g->leases, &m->head.key, now, &proven, &e) < 0) {
		answer(g, m, &e);
		return;
	}
	const struct lease *l = lease_find(&g->leases, &m->head.key);
	memset(&v, 0, sizeof(v));
	v.proven = proven;
	v.frozen_ns = l->held_ns - l->frozen_ns;
	v.held_ns = now - l->held_ns;
	say_answer(g, m->head.kind, m->head.number, &m->head.key, &v, sizeof(v));
}

static void
release(struct guardian *g, const struct wire_message *m)
{
	struct error e = ERROR_INIT;
	bool found = false;

	for (size_t i = 0; i < g->n_holds; i++) {
		struct hold *h = g->holds[i];

		if (memcmp(h->key.set, m->head.key.set, sizeof(h->key.set)) != 0 || h->ending)
			continue;
		found = lease_end_one(&g->leases, &h->key, LEASE_BY_HAND, clock_boot_ns(), &e) ==
			OK;
	}
	if (!found)
		(void)error_set(&e, ERR_NOT_FOUND, "no such snapshot set is held");
	answer(g, m, &e);
}

/* ---- looking --------------------------------------------------------------------------------- */

static void
say_lease(struct guardian *g, const struct wire_message *m, const struct lease *l)
{
	const struct hold *h = guardian_find(g, &l->key);
	struct guard_lease body;

	memset(&body, 0, sizeof(body));
	body.lease = *l;
	if (h != NULL) {
		memcpy(body.job, h->job, sizeof(body.job));
		body.begun_wall_ns = h->begun_wall_ns;
		body.n_snapshots = (uint32_t)h->n_members;
	}
	for (uint64_t i = 0; h == NULL && i < MIN(g->n_tombstones, (uint64_t)GUARDIAN_ENDED_MAX);
	     i++) {
		const struct journal_lease *t = &g->tombstones[i];

		if (t->lease.key.epoch != l->key.epoch)
			continue;
		memcpy(body.job, t->job, sizeof(body.job));
		body.begun_wall_ns = t->begun_wall_ns;
	}
	say_answer(g, m->head.kind, m->head.number, &l->key, &body, sizeof(body));
}

static void
look(struct guardian *g, const struct wire_message *m)
{
	struct error e = ERROR_INIT;

	lease_tick(&g->leases, clock_boot_ns());
	const struct lease *l = lease_find(&g->leases, &m->head.key);
	for (size_t i = 0; m->head.kind == WIRE_NEXT && i < g->leases.n_open; i++) {
		l = &g->leases.open[i];
		if (l->key.epoch > m->head.key.epoch)
			break;
		l = NULL;
	}
	if (l != NULL) {
		say_lease(g, m, l);
		return;
	}
	(void)error_set(&e, ERR_NOT_FOUND, "no such snapshot set");
	answer(g, m, &e);
}

static void
member(struct guardian *g, const struct wire_message *m)
{
	const struct hold *h = guardian_find(g, &m->head.key);
	struct error e = ERROR_INIT;

	if (h != NULL && m->body.value < h->n_members) {
		say_answer(g, m->head.kind, m->head.number, &h->key, &h->members[m->body.value]->s,
			   sizeof(struct snapshot));
		return;
	}
	/* Who slept through the end of his lease is told so, and not that there never was anything. */
	if (lease_check(&g->leases, &m->head.key, clock_boot_ns(), &e) == OK)
		(void)error_set(&e, ERR_NOT_FOUND, "no such snapshot");
	answer(g, m, &e);
}

/* ---- steps of a set -------------------------------------------------------------------------- */

static void
writer(struct hold *h, const struct wire_message *m, int fd)
{
	struct error e = ERROR_INIT;

	if (fd < 0 || h->step != HOLD_OPEN || h->n_writers == GUARD_WRITERS_MAX)
		(void)error_set(&e, fd < 0 ? ERR_PROTOCOL : ERR_BAD_STATE,
				"this writer's process cannot be taken now");
	else
		h->writers[h->n_writers++] = STEAL_FD(fd);
	fd_close(&fd);
	answer(h->g, m, &e);
}

/* For what a hold does step by step: who asked, unless somebody waits already. */
static void
step(struct guardian *g, const struct wire_message *m, int fd)
{
	struct error e = ERROR_INIT;
	struct hold *h = guardian_find(g, &m->head.key);
	const struct lease *l = lease_find(&g->leases, &m->head.key);

	/* What has ended says how; what is unknown, that. */
	if (l == NULL || l->state == LEASE_ENDED || h == NULL) {
		if (lease_thaw(&g->leases, &m->head.key, false, clock_boot_ns(), &e) == OK)
			(void)error_set(&e, ERR_INTERNAL, "a lease without a hold");
	} else if (m->head.kind != WIRE_WRITER && h->asker.kind != 0) {
		(void)error_set(&e, ERR_BAD_STATE, "the last step is not done yet");
	}
	if (h == NULL || e.code != OK) {
		fd_close(&fd);
		answer(g, m, &e);
		return;
	}
	if (m->head.kind == WIRE_WRITER) {
		writer(h, m, fd);
		return;
	}
	fd_close(&fd);
	h->asker.kind = m->head.kind;
	h->asker.number = m->head.number;
	switch (m->head.kind) {
	case WIRE_ADD:
		make_add(h, &m->body.add);
		break;
	case WIRE_FREEZE:
		make_arm(h, m->body.value);
		break;
	case WIRE_SNAPSHOT:
		make_moment(h);
		break;
	case WIRE_THAWED:
		make_held(h);
		break;
	default:
		make_exposed(h);
	}
}

/* ---- the end --------------------------------------------------------------------------------- */

void
request_settle(struct guardian *g)
{
	struct error e = ERROR_INIT;
	size_t left = 0;

	if (g->n_settlers == 0 || g->leases.n_duties > 0 || g->journal.waiting > 0)
		return;
	for (size_t i = 0; i < g->n_settlers; i++) {
		struct wire_message m;

		wire_init(&m, g->settlers[i].stop ? WIRE_STOP : WIRE_SETTLE, g->settlers[i].number,
			  NULL);
		answer(g, &m, &e);
	}
	g->n_settlers = left;
}

static void
settle(struct guardian *g, const struct wire_message *m)
{
	struct error e = ERROR_INIT;

	if (g->n_settlers == GUARDIAN_SETTLERS_MAX) {
		(void)error_set(&e, ERR_BUSY, "too many wait already");
		answer(g, m, &e);
		return;
	}
	g->settlers[g->n_settlers++] = (struct settler){
		.number = m->head.number,
		.stop = m->head.kind == WIRE_STOP,
	};
	if (m->head.kind != WIRE_STOP)
		return;
	lease_end_all(&g->leases, LEASE_ABORTED, clock_boot_ns());
	g->leaving = true;
	g->leaving_since_ns = clock_boot_ns();
}

void
request_take(struct guardian *g, const struct wire_message *m, int fd)
{
	struct error e = ERROR_INIT;

	if (!g->greeted && m->head.kind != WIRE_HELLO)
		_exit(2);
	switch (m->head.kind) {
	case WIRE_HELLO:
		hello(g, m, fd);
		return;
	case WIRE_ADD:
	case WIRE_WRITER:
	case WIRE_FREEZE:
	case WIRE_SNAPSHOT:
	case WIRE_THAWED:
	case WIRE_EXPOSE:
		step(g, m, fd);
		return;
	default:
		fd_close(&fd);
	}
	switch (m->head.kind) {
	case WIRE_PING:
		answer(g, m, &e);
		break;
	case WIRE_BEGIN:
		begin(g, m);
		break;
	case WIRE_KEEP:
		keep(g, m);
		break;
	case WIRE_FINISH:
		finish(g, m);
		break;
	case WIRE_ABORT:
		(void)!lease_abort(&g->leases, &m->head.key, clock_boot_ns(), &e);
		answer(g, m, &e);
		break;
	case WIRE_LOOK:
	case WIRE_NEXT:
		look(g, m);
		break;
	case WIRE_MEMBER:
		member(g, m);
		break;
	case WIRE_RELEASE:
		release(g, m);
		break;
	default: /* SETTLE, STOP */
		settle(g, m);
	}
}
