/* SPDX-License-Identifier: Apache-2.0 */

/* From the spool into the repository. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "postgresql/walrange.h"
#include "requester/log_copy.h"

/* Less than up to the fork is nothing of the new timeline. */
bool
log_copy_is_whole(const struct log_copy *c)
{
	const struct log_point *r = &c->spool.range;

	return c->spool.has_range && c->spool.written >= r->history[r->n_history - 1].from;
}

bool
log_copy_has_more(const struct log_copy *c)
{
	return log_copy_is_whole(c) && c->spool.written > c->spool.range.from &&
	       c->spool.written > c->stored;
}

int
log_copy_stage(struct log_copy *c, bool close, struct log_copy_store *ret, struct error *err)
{
	struct log_spool *spool = &c->spool;

	spool->range.to_time_ns = c->covered_ns;
	if (log_spool_sync(spool, err) < 0 || log_spool_stage(spool, &ret->stage, err) < 0)
		return err->code;
	ret->ops = c->ops;
	ret->logs = spool->range;
	ret->logs.closed = close;
	ret->start_ns = spool->opened_ns;
	ret->replaces = c->open_id;
	ret->tree = c->tree;
	ret->others_ns = c->others_ns;
	c->progress = (struct progress){0};
	ret->order = (struct log_store_order){
		.repo = c->order->repo,
		.group = c->order->group->name,
		.stage = &ret->stage,
		.logs = &ret->logs,
		.start_ns = ret->start_ns,
		.write = c->order->write,
		.n_tags = c->order->n_tags,
		.tags = c->order->tags,
		.progress = &c->progress,
		.copier = c->order->copier,
		.holder = c->order->holder,
		.replaces = c->has_open ? &ret->replaces : NULL,
		.previous = c->has_tree ? &ret->tree : NULL,
	};
	return OK;
}

/* Whoever lost its slot for a while, or streams from another copy that takes itself for the active one, does not know
 * of the other otherwise: each would go on with a chain of its own. */
static int
check_alone(const struct log_copy_store *s, struct error *err)
{
	CLEAN(log_known_done) struct log_known_list known = {0};
	const struct log_known *other;
	struct error ignored = ERROR_INIT;
	char at[32];

	if (s->order.copier == NULL)
		return OK;
	/* What cannot be read is for verify to tell, and no reason to let logs go. */
	if (log_known_read(s->order.repo, s->order.group, &known, &ignored) < 0)
		return OK;
	other = log_known_of_others(&known, s->logs.identity, s->order.copier);
	if (other == NULL || other->end_ns <= s->others_ns)
		return OK;
	(void)error_set(err, ERR_GROUP_BUSY,
			"another log copier, on '%s', stored logs of this group at %s, of timeline "
			"%" PRIu32,
			other->holder, clock_format_utc(other->end_ns, at), other->logs.timeline);
	return error_hint(err, "one log copier for a group is enough: stop one of them");
}

int
log_copy_store(struct log_copy_store *s, struct error *err)
{
	if (check_alone(s, err) < 0)
		return err->code;
	/* An open one is replaced before long. */
	if (s->logs.closed)
		log_names_find(&s->stage, s->ops, &s->logs, &s->names);
	s->order.names = &s->names;
	return log_store(&s->order, &s->stored, err);
}

void
log_copy_note(struct log_copy *c, const struct log_copy_store *s)
{
	char from[WALRANGE_LSN_LEN + 1], to[WALRANGE_LSN_LEN + 1];
	char id[2 * OBJECT_ID_SIZE + 1];

	walrange_format_lsn(s->logs.from, from);
	walrange_format_lsn(s->logs.to, to);
	eventlog_add(c->order->events, EVENT_LOGS_STORED, c->order->job,
		     "group=%s point=%s from=%s to=%s", c->order->group->name,
		     hex_encode(s->stored.id.b, sizeof(s->stored.id.b), id), from, to);
	c->stored = s->logs.to;
	c->has_tree = true;
	c->tree = s->stored.tree;
	c->has_open = !s->logs.closed;
	c->open_id = s->stored.id;
	c->stored_ns = s->logs.to_time_ns;
}

int
log_copy_stored(struct log_copy *c, const struct log_copy_store *s, struct error *err)
{
	struct log_point next;

	log_copy_note(c, s);
	if (!s->logs.closed)
		return OK;
	next = log_plan_next(&s->logs);
	return log_spool_begin(&c->spool, &next, clock_wall_ns(), true, err);
}

void
log_copy_store_done(struct log_copy_store *s)
{
	log_stage_done(&s->stage);
	log_names_done(&s->names);
}
