/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hold that is ending belongs to this file; jobs of make.c that are still out come back, and are only
 * waited for.
 */
#include "guard/daemon/undo.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/clock.h"
#include "guard/daemon/record.h"
#include "guard/daemon/say.h"

#define RETRY_FIRST_NS (100 * NS_PER_MS)
#define RETRY_LAST_NS (10 * NS_PER_S)

/* ---- the end --------------------------------------------------------------------------------- */

static void
tell_end(struct hold *h, const struct lease *l)
{
	struct guardian *g = h->g;
	uint64_t silent = (l->ended_ns - MIN(l->renewed_ns, l->ended_ns)) / NS_PER_MS;

	switch (l->end) {
	case LEASE_EXPIRED:
		say_event(g, h, EVENT_SNAPSHOT_TIMEOUT, "ttl_s=%" PRIu64 " last_keep_ms=%" PRIu64,
			  l->ttl_ns / NS_PER_S, silent);
		break;
	case LEASE_FREEZE_CAP:
		say_event(g, h, EVENT_FREEZE_LIMIT, "limit_ms=%" PRIu64, h->cap_ns / NS_PER_MS);
		break;
	case LEASE_FINISHED:
		say_event(g, h, EVENT_SNAPSHOT_FINISHED, "proven=%s", l->proven ? "yes" : "no");
		break;
	case LEASE_BY_HAND:
		say_event(g, h, EVENT_SNAPSHOT_BY_HAND, "user=");
		break;
	default:
		say_event(g, h, EVENT_SNAPSHOT_ABORTED, "cause=%s", lease_end_name(l->end));
	}
}

static void
kill_writers(struct hold *h, const struct lease *l)
{
	bool in_order = l->end == LEASE_ABORTED || l->end == LEASE_FINISHED;

	for (size_t i = 0; !in_order && i < h->n_writers; i++) {
		if (h->writers[i] < 0 || pidfd_send_signal(h->writers[i], SIGKILL, NULL, 0) < 0)
			continue;
		say_event(h->g, h, EVENT_WRITER_KILLED, "cause=%s", lease_end_name(l->end));
	}
	for (size_t i = 0; i < h->n_writers; i++)
		fd_close(&h->writers[i]);
	h->n_writers = 0;
}

/* Whoever waits for a step of this set is told what has become of it. */
static void
answer_asker(struct hold *h)
{
	struct error e = ERROR_INIT;

	if (lease_thaw(&h->g->leases, &h->key, false, clock_boot_ns(), &e) == ERR_LEASE_ENDED)
		say_error_to_asker(h, &e);
}

static void
begin_ending(struct hold *h, const struct lease *l)
{
	if ((l->duties & LEASE_DUTY_THAW) != 0) {
		for (size_t i = h->n_freezers; i > 0; i--)
			freezer_thaw(h->freezers[i - 1]);
		kill_writers(h, l);
	} else if (l->end == LEASE_AGENT_LOST) {
		kill_writers(h, l);
	}
	h->g->n_exposing -= h->step == HOLD_EXPOSING;
	h->ending = true;
	guardian_dirty(h);
	tell_end(h, l);
	answer_asker(h);
}

/* ---- thawed ---------------------------------------------------------------------------------- */

static void
tell_thaws(struct hold *h, const struct lease *l)
{
	uint64_t thawed_ns = 0;

	for (size_t i = 0; i < h->n_freezers; i++) {
		struct freezer *f = h->freezers[i];
		enum freezer_state state = freezer_state(f);

		if (state == FREEZER_THAWED)
			thawed_ns = MAX(thawed_ns, f->thawed_ns);
		if (state == FREEZER_THAW_FAILED)
			say_thaw_failed(h->g, h, f);
	}
	if (thawed_ns > 0)
		say_event(h->g, h, EVENT_THAWED_BY_GUARD, "frozen_ms=%" PRIu64,
			  (thawed_ns - MIN(l->frozen_ns, thawed_ns)) / NS_PER_MS);
}

/* True once nothing of the set is frozen. */
static bool
thawed(struct hold *h, const struct lease *l)
{
	for (size_t i = 0; i < h->n_freezers; i++) {
		if (!freezer_settled(h->freezers[i]))
			return false;
	}
	if ((l->duties & LEASE_DUTY_THAW) != 0) {
		tell_thaws(h, l);
		lease_duty_done(&h->g->leases, &h->key, LEASE_DUTY_THAW);
	}
	if (h->g->making == h)
		h->g->making = NULL;
	if (h->n_freezers == 0)
		return true;
	if (guardian_frozen(h->g)) /* by another: its journal must wait */
		return true;
	h->freezers_dirty = true;
	if (h->journaled)
		record_hold(h, NULL);
	for (size_t i = 0; i < h->n_freezers; i++)
		freezer_close(h->freezers[i]);
	h->n_freezers = 0;
	return true;
}

/* ---- removed --------------------------------------------------------------------------------- */

static void
removed(struct job *job, void *arg)
{
	struct member *m = CONTAINER_OF(job, struct member, job);
	struct hold *h = m->hold;
	uint64_t wait = RETRY_FIRST_NS << MIN(m->tries, 10U);

	(void)arg;
	if (m->rc == OK) {
		m->stage = JOURNAL_GONE;
		m->dirty = true;
		guardian_dirty(h);
		return;
	}
	if (m->tries % 16 == 0)
		say_event(h->g, h, EVENT_SNAPSHOT_RELEASE_FAILED, "provider=%s place=%s error=%s",
			  m->s.provider, m->s.place, m->err.msg);
	m->tries++;
	m->retry_ns = clock_boot_ns() + MIN(wait, RETRY_LAST_NS);
}

static void
run_remove(struct job *job)
{
	struct member *m = CONTAINER_OF(job, struct member, job);

	m->err = ERROR_INIT;
	m->rc = m->ops->remove(&m->work, m->settings, &m->err);
}

static bool
jobs_are_out(const struct hold *h)
{
	bool out = h->arm.busy || h->writing > 0;

	for (size_t i = 0; i < h->n_members; i++)
		out = out || h->members[i]->job.busy;
	return out;
}

static void
finish(struct hold *h, const struct lease *l)
{
	struct guardian *g = h->g;
	struct lease memory = *l;

	if (h->n_members > 0 && h->journaled)
		say_event(g, h, EVENT_SNAPSHOT_RELEASED, "cause=%s", lease_end_name(l->end));
	lease_duty_done(&g->leases, &h->key, LEASE_DUTY_RELEASE);
	record_tombstone(h, &memory);
	guardian_remove(g, h);
}

/* The last one first. True if the hold is gone. */
static bool
remove_next(struct hold *h, const struct lease *l)
{
	size_t n = h->n_members;

	if (jobs_are_out(h) || guardian_frozen(h->g))
		return false;
	while (n > 0 && h->members[n - 1]->stage == JOURNAL_GONE)
		n--;
	if (n == 0) {
		finish(h, l);
		return true;
	}
	struct member *m = h->members[n - 1];
	if (m->retry_ns > clock_boot_ns())
		return false;
	m->work = m->s;
	m->job.run = run_remove;
	m->job.done = removed;
	jobs_post(&h->g->keepers, &m->job);
	return false;
}

/* ---- all of them ----------------------------------------------------------------------------- */

void
undo_go_on(struct guardian *g)
{
	/* Thaws and kills first, for all. */
	for (size_t i = 0; g->leases.n_duties > 0 && i < g->n_holds; i++) {
		const struct lease *l = lease_find(&g->leases, &g->holds[i]->key);

		if (l != NULL && l->state == LEASE_ENDED && !g->holds[i]->ending)
			begin_ending(g->holds[i], l);
	}
	for (size_t i = 0; g->leases.n_duties > 0 && i < g->n_holds;) {
		struct hold *h = g->holds[i];
		const struct lease *l = h->ending ? lease_find(&g->leases, &h->key) : NULL;

		if (l == NULL || !thawed(h, l) || !remove_next(h, l))
			i++;
	}
}

uint64_t
undo_next_ns(const struct guardian *g)
{
	uint64_t next = UINT64_MAX, now = clock_boot_ns();

	for (size_t i = 0; g->leases.n_duties > 0 && i < g->n_holds; i++) {
		const struct hold *h = g->holds[i];

		for (size_t n = 0; h->ending && n < h->n_members; n++) {
			/* What is due already waits for something else. */
			if (h->members[n]->retry_ns > now)
				next = MIN(next, h->members[n]->retry_ns);
		}
	}
	return next;
}
