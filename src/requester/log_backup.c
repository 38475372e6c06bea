/* SPDX-License-Identifier: Apache-2.0 */

/* A LOG backup: ask where the active copy is, copy up to there, store it. Or have the copier do it. */
#include "requester/log_backup.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/text.h"
#include "group/engine.h"
#include "requester/log_copy.h"

enum {
	STEP_MS = 200,
	REACH_LIMIT_S = 600,
	COPIER_LIMIT_S = 180,
	ASK_AGAIN_S = 5,
	SLOT_LIMIT_S = 10
};

#define APPLICATION "holdfast log backup"

struct backup {
	const struct log_backup_order *order;
	struct log_copy_order copy_order;
	struct log_copy copy;
	struct log_mark mark;
	/* By the copier: of which log the mark is. */
	char identity[32];
	uint32_t timeline;
	uint64_t start_ns;
};

static void
backup_done(struct backup *b)
{
	log_copy_close(&b->copy);
}

static void
say(const struct backup *b, const char *what)
{
	if (b->order->say != NULL)
		b->order->say(b->order->say_arg, what);
}

static int
check_cancelled(const struct backup *b, struct error *err)
{
	if (b->order->cancelled != NULL && atomic_load(b->order->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	return OK;
}

/* Up to where the active copy is now. */
static int
reach(struct backup *b, struct error *err)
{
	uint64_t deadline_ns = clock_boot_ns() + REACH_LIMIT_S * NS_PER_S;

	if (log_copy_mark(&b->copy, &b->mark, err) < 0)
		return err->code;
	while (b->copy.spool.written < b->mark.end) {
		uint64_t before = b->copy.spool.written;

		if (check_cancelled(b, err) < 0 ||
		    log_copy_step(&b->copy, clock_boot_ns() + STEP_MS * NS_PER_MS, err) < 0)
			return err->code;
		/* As long as something comes it may take its time. */
		if (b->copy.spool.written > before)
			deadline_ns = clock_boot_ns() + REACH_LIMIT_S * NS_PER_S;
		else if (clock_boot_ns() >= deadline_ns)
			return error_set(err, ERR_TIMEOUT,
					 "the active copy sends no more of its log");
	}
	b->copy.covered_ns = MAX(b->copy.covered_ns, b->mark.time_ns);
	return OK;
}

static void
fill_result(const struct backup *b, const struct object_id *id, const struct log_point *logs,
	    struct log_backup_result *ret)
{
	*ret = (struct log_backup_result){.id = *id,
					  .logs = *logs,
					  .start_ns = b->start_ns,
					  .end_ns = clock_wall_ns(),
					  .bytes = b->copy.received,
					  .gap_from = b->copy.gap_from,
					  .gap_to = b->copy.gap_to};
	hex_encode(id->b, sizeof(id->b), ret->id_text);
	if (b->copy.active != NULL)
		(void)text_printf(ret->active, sizeof(ret->active), "%s", b->copy.active->name);
}

static int
copy_and_store(struct backup *b, struct log_backup_result *ret, struct error *err)
{
	CLEAN(log_copy_store_done) struct log_copy_store store = {0};

	say(b, "looking for the active copy");
	if (log_copy_connect(&b->copy, err) < 0)
		return err->code;
	say(b, "copying logs");
	if (reach(b, err) < 0)
		return err->code;
	say(b, "storing logs");
	if (log_copy_stage(&b->copy, true, &store, err) < 0 || check_cancelled(b, err) < 0 ||
	    log_copy_store(&store, err) < 0 || log_copy_stored(&b->copy, &store, err) < 0)
		return err->code;
	/* A group without a slot of its own has only this one, and nobody else moves it. */
	if (b->order->group->slot == NULL &&
	    b->copy.ops->slot_move(b->copy.source, b->copy.slot, store.logs.to,
				   clock_boot_ns() + SLOT_LIMIT_S * NS_PER_S, err) < 0)
		return err->code;
	fill_result(b, &store.stored.id, &store.logs, ret);
	ret->write = store.stored.write;
	return OK;
}

/* Through the copier. */

static int
ask_active(struct backup *b, struct error *err)
{
	const struct log_source_ops *ops = b->order->group->engine->logs;
	struct log_copy asking = {.order = &b->copy_order, .ops = ops};
	int r = log_copy_find_active(&asking, err);

	if (r == OK)
		r = ops->open(b->order->group, asking.active, APPLICATION,
			      clock_boot_ns() + 10 * NS_PER_S, &asking.source, err);
	if (r == OK) {
		const struct log_source_facts *facts = ops->facts(asking.source);

		(void)text_printf(b->identity, sizeof(b->identity), "%s", facts->identity);
		b->timeline = facts->timeline;
		r = log_copy_mark(&asking, &b->mark, err);
	}
	b->copy.active = asking.active;
	log_copy_disconnect(&asking);
	return r;
}

static int
look_for_it(struct backup *b, bool *ret_found, struct log_backup_result *ret, struct error *err)
{
	CLEAN(log_known_done) struct log_known_list known = {0};

	if (log_known_read(b->order->repo, b->order->group->name, &known, err) < 0)
		return err->code;
	for (size_t i = 0; i < known.n; i++) {
		const struct log_known *k = &known.points[i];

		/* An open one is replaced before long; one of a branch that was left may reach further. */
		if (!k->logs.closed || k->logs.timeline != b->timeline ||
		    strcmp(k->logs.identity, b->identity) != 0 || k->logs.to < b->mark.end ||
		    k->logs.to_time_ns < b->mark.time_ns || k->end_ns < b->start_ns)
			continue;
		fill_result(b, &k->id, &k->logs, ret);
		ret->by_copier = true;
		*ret_found = true;
		return OK;
	}
	return OK;
}

static int
by_copier(struct backup *b, struct log_backup_result *ret, struct error *err)
{
	uint64_t deadline_ns = clock_boot_ns() + COPIER_LIMIT_S * NS_PER_S, ask_ns = 0;
	const struct timespec nap = {.tv_nsec = STEP_MS * 1000000};
	bool found = false;

	say(b, "the log copier runs: waiting for what it stores");
	if (ask_active(b, err) < 0)
		return err->code;
	while (!found) {
		if (check_cancelled(b, err) < 0)
			return err->code;
		/* A store that was on its way does not have it yet. */
		if (clock_boot_ns() >= ask_ns) {
			if (log_spool_ask(b->order->state_dir, b->order->group->name, err) < 0)
				return err->code;
			ask_ns = clock_boot_ns() + ASK_AGAIN_S * NS_PER_S;
		}
		if (look_for_it(b, &found, ret, err) < 0)
			return err->code;
		if (!found && clock_boot_ns() >= deadline_ns)
			return error_set(err, ERR_TIMEOUT,
					 "the log copier has stored nothing for %d s",
					 COPIER_LIMIT_S);
		if (!found)
			(void)nanosleep(&nap, NULL);
	}
	return OK;
}

int
log_backup_run(const struct log_backup_order *order, struct log_backup_result *ret,
	       struct error *err)
{
	CLEAN(backup_done) struct backup b = {.order = order, .start_ns = clock_wall_ns()};
	int r;

	b.copy_order = (struct log_copy_order){
		.repo = order->repo,
		.group = order->group,
		.state_dir = order->state_dir,
		.write = order->write,
		.n_tags = order->n_tags,
		.tags = order->tags,
		.events = order->events,
		.job = order->job,
		.application = APPLICATION,
		.say = order->say,
		.say_arg = order->say_arg,
		.stop = order->cancelled,
	};
	r = log_copy_open(&b.copy_order, &b.copy, err);
	if (r == ERR_BUSY)
		return by_copier(&b, ret, err);
	if (r == OK)
		r = copy_and_store(&b, ret, err);
	return r < 0 ? (int)error_prefix(err, "logs of '%s'", order->group->name) : OK;
}
