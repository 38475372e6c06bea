/* SPDX-License-Identifier: Apache-2.0 */

/* When the log copier stores, and the thread that does it while the log goes on. */
#include <string.h>

#include "base/clock.h"
#include "group/engine.h"
#include "group/status.h"
#include "postgresql/walrange.h"
#include "requester/log_copier_internal.h"
#include "requester/truncation.h"

enum {
	MARK_WAIT_S = 10, /* for the log to reach a mark */
	KEEP_LIMIT_S = 5,
	LOOK_LIMIT_S = 5,
};

/* The other copies keep what the repository does not have: a promotion must not lose it. One that cannot be
 * reached has its turn at the next store. */
static void
keep_on_passive(const struct storing *s, uint64_t position)
{
	const struct copier *c = s->copier;
	const struct group *g = c->order->group;

	for (size_t i = 0; i < g->n && !stopping(c); i++) {
		struct error ignored = ERROR_INIT;

		if (&g->copies[i] != s->active)
			(void)!c->copy.ops->slot_keep(g, &g->copies[i], c->copy.slot, position,
						      clock_boot_ns() + KEEP_LIMIT_S * NS_PER_S,
						      &ignored);
	}
}

/* The group's own slot follows what is verified; ours, which only sees to it that nothing is missed, what is
 * stored. What hinders it is an event, and told by 'holdfast group truncate --explain'. */
static void
truncate_group(const struct storing *s)
{
	const struct log_copier_order *o = s->copier->order;
	const struct truncation_order order = {.repo = o->repo,
					       .group = o->group,
					       .point = &s->store.stored.id,
					       .events = o->events,
					       .cancelled = o->stop};
	struct error ignored = ERROR_INIT;
	struct truncation ret;

	if (o->group->slot != NULL && !stopping(s->copier))
		(void)!truncation_run(&order, &ret, &ignored);
}

/* Does another copy take itself for the active one? As long as ours answers, nothing else would show it. */
static bool
has_moved(const struct storing *s)
{
	struct group_view view = {0};
	struct error ignored = ERROR_INIT;
	bool moved = false;

	if (group_look(s->copier->order->group, clock_boot_ns() + LOOK_LIMIT_S * NS_PER_S, &view,
		       &ignored) < 0)
		return false;
	for (size_t i = 0; i < view.n; i++)
		if (view.members[i].facts.failure == OK &&
		    view.members[i].facts.role == COPY_ROLE_ACTIVE &&
		    view.members[i].copy != s->active)
			moved = true;
	group_view_done(&view);
	return moved;
}

static void *
store_thread(void *arg)
{
	struct storing *s = arg;

	s->r = log_copy_store(&s->store, &s->err);
	if (s->r == OK && s->copier->order->slots_on_passive)
		keep_on_passive(s, s->store.logs.to);
	if (s->r == OK && s->store.logs.closed)
		truncate_group(s);
	s->moved = !stopping(s->copier) && has_moved(s);
	atomic_store(&s->done, true);
	return NULL;
}

void
log_copier_schedule(struct copier *c)
{
	c->due_ns = clock_boot_ns() + c->order->interval_ns;
	c->waiting = false;
}

/* So many log files that the range is to be closed; or so much that the spool must not wait for more. */
static bool
has_enough(const struct copier *c, uint64_t to)
{
	const struct log_point *r = &c->copy.spool.range;

	return (to - r->from) / r->segment_bytes >= c->order->point_files ||
	       to - r->from >= c->order->spool_max / 2;
}

static bool
is_long_enough(const struct copier *c)
{
	const struct log_point *r = &c->copy.spool.range;
	uint64_t age = clock_wall_ns() - c->copy.spool.opened_ns;

	return has_enough(c, r->to) || (age >= c->order->point_ns && age < UINT64_MAX / 2);
}

static int
stage(struct copier *c, struct error *err)
{
	struct storing *s = &c->storing;

	*s = (struct storing){.copier = c, .active = c->copy.active};
	/* How long the range is, is known once it is on disk. */
	if (log_spool_sync(&c->copy.spool, err) < 0 ||
	    log_copy_stage(&c->copy, c->asked || is_long_enough(c), &s->store, err) < 0)
		return err->code;
	return OK;
}

int
log_copier_begin_store(struct copier *c, struct error *err)
{
	struct storing *s = &c->storing;
	int r;

	log_copier_schedule(c);
	if (stage(c, err) < 0)
		return err->code;
	c->asked = false;
	r = pthread_create(&s->thread, NULL, store_thread, s);
	if (r != 0) {
		errno = r;
		log_copy_store_done(&s->store);
		return error_sys(err, ERR_NO_MEMORY, "start a thread");
	}
	s->running = true;
	return OK;
}

/* A store that failed is tried again at the next interval; the logs stay in the spool, and on the server. */
void
log_copier_note_failure(struct copier *c, const struct error *err)
{
	if (!c->store_failed)
		log_copy_say(&c->copy, "logs cannot be stored now: %s; trying again", err->msg);
	c->store_failed = true;
}

int
log_copier_take_result(struct copier *c, struct error *err)
{
	struct storing *s = &c->storing;
	char to[WALRANGE_LSN_LEN + 1];
	struct error lost = ERROR_INIT;
	int r = OK;

	(void)pthread_join(s->thread, NULL);
	s->running = false;
	if (s->r < 0) {
		log_copier_note_failure(c, &s->err);
		/* Another copier was at it: plan anew, from what the repository has now. */
		if (s->r == ERR_GROUP_BUSY)
			c->look_again = true;
	} else {
		if (c->store_failed)
			log_copy_say(&c->copy, "logs are stored again, up to %s",
				     walrange_format_lsn(s->store.logs.to, to));
		c->store_failed = false;
		r = log_copy_stored(&c->copy, &s->store, err);
	}
	log_copy_store_done(&s->store);
	c->look_again = c->look_again || (s->moved && s->active == c->copy.active);
	if (r == OK && s->r == OK && c->copy.source != NULL &&
	    log_copy_confirm(&c->copy, &lost) < 0)
		log_copier_lost(c, &lost);
	return r;
}

/* Is there a reason to store now? */
static bool
is_due(struct copier *c)
{
	bool enough = c->copy.planned && has_enough(c, c->copy.spool.written);

	c->asked = log_spool_asked(&c->copy.spool) || c->asked;
	return c->asked || clock_boot_ns() >= c->due_ns || (enough && !c->store_failed);
}

/* Nothing new has come, and no time has passed that would be known to be covered. */
bool
log_copier_is_idle(const struct copier *c)
{
	return !log_copy_has_more(&c->copy) &&
	       (c->copy.covered_ns <= c->copy.stored_ns || !log_copy_is_whole(&c->copy));
}

/* Everything that was committed when the store was due is to be in it: has the log come so far? If it takes long
 * the mark stays for the next store, so that the time that is covered goes on however far behind we are. */
static bool
has_reached_mark(struct copier *c)
{
	struct error err = ERROR_INIT;

	if (c->copy.source == NULL)
		return true;
	if (!c->marked) {
		if (log_copy_mark(&c->copy, &c->mark, &err) < 0) {
			log_copier_lost(c, &err);
			return true;
		}
		c->marked = true;
	}
	if (c->copy.spool.written < c->mark.end)
		return false;
	c->copy.covered_ns = MAX(c->copy.covered_ns, c->mark.time_ns);
	c->marked = false;
	return true;
}

int
log_copier_store_round(struct copier *c, struct error *err)
{
	struct storing *s = &c->storing;

	if (s->running)
		return atomic_load(&s->done) ? log_copier_take_result(c, err) : OK;
	if (!c->copy.planned || (!c->waiting && !is_due(c)))
		return OK;
	if (!c->waiting) {
		c->waiting = true;
		c->wait_until_ns = clock_boot_ns() + MARK_WAIT_S * NS_PER_S;
	}
	if (!has_reached_mark(c) && clock_boot_ns() < c->wait_until_ns)
		return OK;
	if (log_copier_is_idle(c)) {
		log_copier_schedule(c);
		return OK;
	}
	return log_copier_begin_store(c, err);
}
