/* SPDX-License-Identifier: Apache-2.0 */

/* The copier's loop, its connection, and its end. */
#include "requester/log_copier.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "group/engine.h"
#include "postgresql/walrange.h"
#include "requester/log_copier_internal.h"

enum {
	STEP_MS = 200,
	AGAIN_FIRST_MS = 500, /* the first wait before the connection is tried again; it doubles */
	AGAIN_MAX_MS = 10000,
	BUSY_LIMIT_S = 10, /* another copier may just be ending */
	STOP_WAIT_S = 5,
	DROP_LIMIT_S = 5,
};

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

/* One that never streamed does not stay to wait for another one's end: whoever started it by mistake is to know. */
static void
note_busy(struct copier *c, const struct error *err)
{
	if (err->code != ERR_GROUP_BUSY) {
		c->busy_ns = 0;
		return;
	}
	if (c->busy_ns == 0)
		c->busy_ns = clock_boot_ns();
	if (!c->was_ready && clock_boot_ns() - c->busy_ns >= BUSY_LIMIT_S * NS_PER_S) {
		c->refused = true;
		c->refusal = *err;
	}
}

void
log_copier_lost(struct copier *c, const struct error *err)
{
	bool busy = err->code == ERR_GROUP_BUSY, was_busy = c->busy_ns != 0;

	remember_peer(c);
	note_busy(c, err);
	/* Once for each outage and cause, not for each try. */
	if (busy && !was_busy)
		log_copy_say(&c->copy, "%s; waiting until it ends", err->msg);
	else if (!busy && (c->lost_ns == 0 || strcmp(c->lost_why, err->msg) != 0))
		log_copy_say(&c->copy,
			     "the log copier cannot reach the active copy%s%s: %s; trying again",
			     c->peer[0] != '\0' ? " " : "", c->peer, err->msg);
	(void)text_printf(c->lost_why, sizeof(c->lost_why), "%s", err->msg);
	/* Where another one is at work nothing is wrong with the way to the server. */
	if (c->lost_ns == 0 && (!busy || c->was_ready)) {
		c->lost_ns = clock_boot_ns();
		eventlog_add(c->order->events, EVENT_LOG_COPIER_LOST, NULL,
			     "active=%s copy=%s/log-copier error=%s",
			     c->peer[0] != '\0' ? c->peer : "unknown", c->order->group->name,
			     err->msg);
	}
	c->again_wait_ms = c->again_wait_ms == 0
				   ? AGAIN_FIRST_MS
				   : MIN(c->again_wait_ms * 2, (uint64_t)AGAIN_MAX_MS);
	c->again_ns = clock_boot_ns() + c->again_wait_ms * NS_PER_MS;
}

/* For the copy, before it stores by itself: see log_copy_order. */
static int
settle(void *arg, struct error *err)
{
	struct copier *c = arg;

	/* Positions of before may be another timeline's. */
	c->marked = false;
	return c->storing.running ? log_copier_take_result(c, err) : OK;
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
	c->lost_ns = c->busy_ns = 0;
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
		log_copier_lost(c, &err);
	} else {
		c->said = false;
		if (c->due_ns == 0)
			log_copier_schedule(c);
	}
}

static void
round_of(struct copier *c)
{
	struct error err = ERROR_INIT;

	if (c->look_again) {
		/* Connecting says what it finds. */
		c->look_again = false;
		log_copy_disconnect(&c->copy);
		c->again_ns = 0;
	}
	if (is_full(c))
		nap(STEP_MS);
	else if (c->copy.source == NULL)
		connect_round(c);
	else if (log_copy_step(&c->copy, clock_boot_ns() + STEP_MS * NS_PER_MS, &err) < 0)
		log_copier_lost(c, &err);
	else if (c->copy.heard && !c->said)
		connection_made(c);
	if (log_copier_store_round(c, &err) < 0)
		log_copier_note_failure(c, &err);
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

	if (c->storing.running && log_copier_take_result(c, &err) < 0)
		log_copier_note_failure(c, &err);
	if (c->copy.planned) {
		last_logs(c);
		if (!log_copier_is_idle(c) && log_copier_begin_store(c, &err) == OK)
			(void)!log_copier_take_result(c, &err);
	}
	if (err.code != OK)
		log_copier_note_failure(c, &err);
	eventlog_add(c->order->events, EVENT_LOG_COPIER_STOPPED, NULL, "group=%s to=%s cause=%s",
		     c->order->group->name, walrange_format_lsn(c->copy.stored, to),
		     "it was told to");
	if (c->copy.stored != 0)
		log_copy_say(&c->copy, "stopped; the repository has the logs up to %s", to);
	else
		log_copy_say(&c->copy, "stopped; no logs were stored");
}

int
log_copier_run(const struct log_copier_order *order, struct error *err)
{
	struct copier c = {.order = order};
	uint8_t id[UUID_SIZE];

	(void)text_printf(c.application, sizeof(c.application), "holdfast log copier %s by %s",
			  order->group->name, order->holder);
	text_without_controls(c.application);
	if (crypto_random(id, sizeof(id), err) < 0)
		return err->code;
	uuid_text(id, c.id);
	c.copy_order = (struct log_copy_order){
		.repo = order->repo,
		.group = order->group,
		.state_dir = order->state_dir,
		.write = order->write,
		.events = order->events,
		.application = c.application,
		.copier = c.id,
		.holder = order->holder,
		.by_slot = true,
		.say = order->say,
		.say_arg = order->say_arg,
		.stop = order->stop,
		.settle = settle,
		.settle_arg = &c,
	};
	if (log_copy_open(&c.copy_order, &c.copy, err) < 0)
		return err->code;
	while (!stopping(&c) && !c.refused)
		round_of(&c);
	if (c.refused)
		*err = c.refusal;
	else
		finish(&c);
	log_copy_close(&c.copy);
	return c.refused ? (int)err->code : OK;
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
				   clock_boot_ns() + DROP_LIMIT_S * NS_PER_S, &one) < 0 &&
		    r == OK) {
			*err = one;
			r = one.code;
		}
	}
	return r;
}
