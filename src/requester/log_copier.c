/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The copier's loop. What it has to remember between two rounds is struct copier; the store that runs beside
 * it is struct storing, which its thread has for itself until it sets `done`.
 */
#include "requester/log_copier.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/engine.h"
#include "postgresql/walrange.h"
#include "requester/log_copy.h"
#include "requester/truncation.h"

enum {
	STEP_MS = 200,
	AGAIN_FIRST_MS = 500, /* the first wait before the connection is tried again; it doubles */
	AGAIN_MAX_MS = 10000,
	MARK_WAIT_S = 10, /* for the log to reach a mark */
	STOP_WAIT_S = 5,
	KEEP_LIMIT_S = 5,
};

struct storing {
	pthread_t thread;
	bool running; /* the thread is to be joined */
	_Atomic bool done;
	struct log_copy_store store;
	const struct copier *copier;
	const struct group_copy *active; /* the others get slots */
	int r;
	struct error err;
};

struct copier {
	const struct log_copier_order *order;
	struct log_copy_order copy_order;
	struct log_copy copy;
	char application[100];
	char peer[200]; /* the active copy, for events: it outlives the connection */
	struct storing storing;
	uint64_t due_ns; /* when to store next; boot clock */
	bool marked; /* waiting for the log to reach `mark` */
	struct log_mark mark;
	uint64_t mark_until_ns;
	uint64_t lost_ns; /* since when there is no connection; 0: there is one */
	char lost_why[sizeof(((struct error *)NULL)->msg)];
	bool said; /* that it streams: once for each connection, when something came by it */
	bool was_ready;
	bool store_failed; /* and it was said */
	bool full; /* likewise: the spool is */
	uint64_t again_ns, again_wait_ms; /* when to connect again */
};

static bool
stopping(const struct copier *c)
{
	return atomic_load(c->order->stop);
}

static void
nap(uint64_t ms)
{
	const struct timespec t = {.tv_sec = (time_t)(ms / 1000),
				   .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

/* The connection. */

static void
remember_peer(struct copier *c)
{
	const struct group_copy *a = c->copy.active;

	if (a != NULL)
		(void)text_printf(c->peer, sizeof(c->peer), "%s (%s:%s)", a->name,
				  a->host != NULL ? a->host : "localhost",
				  a->port != NULL ? a->port : "5432");
}

static void
connection_lost(struct copier *c, const struct error *err)
{
	remember_peer(c);
	/* Once for each outage and cause, not for each try. */
	if (c->lost_ns == 0 || strcmp(c->lost_why, err->msg) != 0)
		log_copy_say(&c->copy,
			     "the log copier cannot reach the active copy %s: %s; trying again",
			     c->peer, err->msg);
	(void)text_printf(c->lost_why, sizeof(c->lost_why), "%s", err->msg);
	if (c->lost_ns == 0) {
		c->lost_ns = clock_boot_ns();
		eventlog_add(c->order->events, EVENT_LOG_COPIER_LOST, NULL,
			     "active=%s copy=%s/log-copier error=%s", c->peer,
			     c->order->group->name, err->msg);
	}
	c->again_wait_ms = c->again_wait_ms == 0
				   ? AGAIN_FIRST_MS
				   : MIN(c->again_wait_ms * 2, (uint64_t)AGAIN_MAX_MS);
	c->again_ns = clock_boot_ns() + c->again_wait_ms * NS_PER_MS;
}

/* Storing, beside the stream. */

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

static void *
store_thread(void *arg)
{
	struct storing *s = arg;

	s->r = log_copy_store(&s->store, &s->err);
	if (s->r == OK && s->copier->order->slots_on_passive)
		keep_on_passive(s, s->store.logs.to);
	if (s->r == OK && s->store.logs.closed)
		truncate_group(s);
	atomic_store(&s->done, true);
	return NULL;
}

static void
schedule(struct copier *c)
{
	c->due_ns = clock_boot_ns() + c->order->interval_ns;
	c->marked = false;
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
	    log_copy_stage(&c->copy, is_long_enough(c), &s->store, err) < 0)
		return err->code;
	return OK;
}

static int
begin_store(struct copier *c, struct error *err)
{
	struct storing *s = &c->storing;
	int r;

	schedule(c);
	if (stage(c, err) < 0)
		return err->code;
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
static void
note_failure(struct copier *c, const struct error *err)
{
	if (!c->store_failed)
		log_copy_say(&c->copy, "logs cannot be stored now: %s; trying again", err->msg);
	c->store_failed = true;
}

static int
take_result(struct copier *c, struct error *err)
{
	struct storing *s = &c->storing;
	char to[WALRANGE_LSN_LEN + 1];
	struct error lost = ERROR_INIT;
	int r = OK;

	(void)pthread_join(s->thread, NULL);
	s->running = false;
	if (s->r < 0) {
		note_failure(c, &s->err);
	} else {
		if (c->store_failed)
			log_copy_say(&c->copy, "logs are stored again, up to %s",
				     walrange_format_lsn(s->store.logs.to, to));
		c->store_failed = false;
		r = log_copy_stored(&c->copy, &s->store, err);
	}
	log_copy_store_done(&s->store);
	if (r == OK && s->r == OK && c->copy.source != NULL &&
	    log_copy_confirm(&c->copy, &lost) < 0)
		connection_lost(c, &lost);
	return r;
}

/* For the copy, before it stores by itself: see log_copy_order. */
static int
settle(void *arg, struct error *err)
{
	struct copier *c = arg;

	c->marked = false;
	return c->storing.running ? take_result(c, err) : OK;
}

/* Is there a reason to store now? */
static bool
is_due(struct copier *c)
{
	bool enough = c->copy.planned && has_enough(c, c->copy.spool.written);

	return log_spool_asked(&c->copy.spool) || clock_boot_ns() >= c->due_ns ||
	       (enough && !c->store_failed);
}

/* Nothing new has come, and no time has passed that would be known to be covered. */
static bool
is_idle(const struct copier *c)
{
	return !log_copy_has_more(&c->copy) &&
	       (c->copy.covered_ns <= c->copy.stored_ns || !log_copy_is_whole(&c->copy));
}

/* Everything that was committed when the store was due is to be in it: wait for the log to come so far. */
static bool
has_reached_mark(struct copier *c)
{
	struct error err = ERROR_INIT;

	if (c->copy.source == NULL)
		return true;
	if (!c->marked) {
		if (log_copy_mark(&c->copy, &c->mark, &err) < 0) {
			connection_lost(c, &err);
			return true;
		}
		c->marked = true;
		c->mark_until_ns = clock_boot_ns() + MARK_WAIT_S * NS_PER_S;
	}
	if (c->copy.spool.written >= c->mark.end) {
		c->copy.covered_ns = MAX(c->copy.covered_ns, c->mark.time_ns);
		return true;
	}
	return clock_boot_ns() >= c->mark_until_ns;
}

static int
store_round(struct copier *c, struct error *err)
{
	struct storing *s = &c->storing;

	if (s->running)
		return atomic_load(&s->done) ? take_result(c, err) : OK;
	if (!c->copy.planned || (!c->marked && !is_due(c)) || !has_reached_mark(c))
		return OK;
	if (is_idle(c)) {
		schedule(c);
		return OK;
	}
	return begin_store(c, err);
}

static void
connection_made(struct copier *c)
{
	char at[WALRANGE_LSN_LEN + 1];

	remember_peer(c);
	walrange_format_lsn(c->copy.spool.written, at);
	if (!c->was_ready) {
		eventlog_add(c->order->events, EVENT_LOG_COPIER_STARTED, NULL,
			     "group=%s active=%s from=%s", c->order->group->name,
			     c->copy.active->name, at);
	} else if (c->lost_ns != 0) {
		eventlog_add(c->order->events, EVENT_LOG_COPIER_BACK, NULL,
			     "active=%s copy=%s/log-copier away_ms=%" PRIu64, c->peer,
			     c->order->group->name, (clock_boot_ns() - c->lost_ns) / NS_PER_MS);
	}
	log_copy_say(&c->copy, "copying the logs of %s from %s, timeline %" PRIu32 ", at %s",
		     c->order->group->name, c->peer, c->copy.spool.range.timeline, at);
	c->said = true;
	c->lost_ns = 0;
	c->again_wait_ms = 0;
	if (!c->was_ready && c->order->ready != NULL)
		c->order->ready(c->order->ready_arg);
	c->was_ready = true;
}

/* More than the spool may hold: the server keeps it until the repository has what is here. */
static bool
is_full(struct copier *c)
{
	const struct log_spool *s = &c->copy.spool;
	bool full = c->copy.planned && s->written - s->range.from >= c->order->spool_max;

	if (full && !c->full) {
		log_copy_say(&c->copy,
			     "the spool is full: receiving no more until the repository has "
			     "what is in it");
		log_copy_disconnect(&c->copy);
	}
	c->full = full;
	return full;
}

static void
connect_round(struct copier *c)
{
	struct error err = ERROR_INIT;

	if (clock_boot_ns() < c->again_ns) {
		nap(STEP_MS);
	} else if (log_copy_connect(&c->copy, &err) < 0) {
		connection_lost(c, &err);
	} else {
		c->said = false;
		if (c->due_ns == 0)
			schedule(c);
	}
}

static void
round_of(struct copier *c)
{
	struct error err = ERROR_INIT;

	if (is_full(c))
		nap(STEP_MS);
	else if (c->copy.source == NULL)
		connect_round(c);
	else if (log_copy_step(&c->copy, clock_boot_ns() + STEP_MS * NS_PER_MS, &err) < 0)
		connection_lost(c, &err);
	else if (c->copy.heard && !c->said)
		connection_made(c);
	if (store_round(c, &err) < 0)
		note_failure(c, &err);
}

/* The end. */

/* What has been committed until now is to be in the last restore point, if the server is there to say it. */
static void
last_logs(struct copier *c)
{
	uint64_t deadline_ns = clock_boot_ns() + STOP_WAIT_S * NS_PER_S;
	struct error ignored = ERROR_INIT;

	if (c->copy.source == NULL || log_copy_mark(&c->copy, &c->mark, &ignored) < 0)
		return;
	while (c->copy.source != NULL && c->copy.spool.written < c->mark.end &&
	       clock_boot_ns() < deadline_ns)
		if (log_copy_step(&c->copy, clock_boot_ns() + STEP_MS * NS_PER_MS, &ignored) < 0)
			return;
	if (c->copy.spool.written >= c->mark.end)
		c->copy.covered_ns = MAX(c->copy.covered_ns, c->mark.time_ns);
}

static void
finish(struct copier *c)
{
	struct error err = ERROR_INIT;
	char to[WALRANGE_LSN_LEN + 1];

	if (c->storing.running && take_result(c, &err) < 0)
		note_failure(c, &err);
	if (c->copy.planned) {
		last_logs(c);
		if (!is_idle(c) && begin_store(c, &err) == OK)
			(void)!take_result(c, &err);
	}
	if (err.code != OK)
		note_failure(c, &err);
	eventlog_add(c->order->events, EVENT_LOG_COPIER_STOPPED, NULL, "group=%s to=%s cause=%s",
		     c->order->group->name, walrange_format_lsn(c->copy.stored, to),
		     "it was told to");
	log_copy_say(&c->copy, "stopped; the repository has the logs up to %s", to);
}

int
log_copier_run(const struct log_copier_order *order, struct error *err)
{
	struct copier c = {.order = order};

	(void)text_printf(c.application, sizeof(c.application), "holdfast log copier %s by %s",
			  order->group->name, order->holder);
	text_without_controls(c.application);
	c.copy_order = (struct log_copy_order){
		.repo = order->repo,
		.group = order->group,
		.state_dir = order->state_dir,
		.write = order->write,
		.events = order->events,
		.application = c.application,
		.by_slot = true,
		.say = order->say,
		.say_arg = order->say_arg,
		.stop = order->stop,
		.settle = settle,
		.settle_arg = &c,
	};
	if (log_copy_open(&c.copy_order, &c.copy, err) < 0)
		return err->code;
	while (!stopping(&c))
		round_of(&c);
	finish(&c);
	log_copy_close(&c.copy);
	return OK;
}

int
log_copier_drop_slots(const struct group *group, struct error *err)
{
	const struct log_source_ops *ops = group->engine->logs;
	char name[LOG_SLOT_NAME_MAX];
	int r = OK;

	if (ops == NULL)
		return error_set(err, ERR_BACKUP_TYPE, "logs of %s cannot be copied",
				 group->engine->name);
	(void)ops->slot_name(group, name);
	for (size_t i = 0; i < group->n; i++) {
		struct error one = ERROR_INIT;

		if (ops->slot_drop(group, &group->copies[i], name,
				   clock_boot_ns() + KEEP_LIMIT_S * NS_PER_S, &one) < 0 &&
		    r == OK) {
			*err = one;
			r = one.code;
		}
	}
	return r;
}
