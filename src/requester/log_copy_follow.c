/* SPDX-License-Identifier: Apache-2.0 */

/* Where to go on after a connection was made: the plan, promotions, forks, and logs that are gone. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "group/engine.h"
#include "postgresql/walrange.h"
#include "requester/log_copy_internal.h"

enum { HISTORY_MAX = 64 << 10 };

/* A promotion, or logs that are gone, end the range: what there is of it is stored as it is, and `next` begins. */
static int
end_range(struct log_copy *c, const struct log_point *next, bool keep, struct error *err)
{
	CLEAN(log_copy_store_done) struct log_copy_store s = {0};

	if (c->order->settle != NULL && c->order->settle(c->order->settle_arg, err) < 0)
		return err->code;
	if (c->spool.written > c->spool.range.from &&
	    (log_copy_stage(c, true, &s, err) < 0 || log_copy_store(&s, err) < 0))
		return err->code;
	if (s.stage.dir[0] != '\0')
		log_copy_note(c, &s);
	c->has_open = false;
	c->stored = 0;
	return log_spool_begin(&c->spool, next, clock_wall_ns(), keep, err);
}

/* Planning, once it is known what the server is. */

static int
remove_superfluous(struct log_copy *c, const struct log_known_list *known,
		   const struct log_known *newest, struct error *err)
{
	for (size_t i = 0; i < known->n; i++)
		if (log_known_superfluous(&known->points[i], newest) &&
		    point_remove(c->order->repo, &known->points[i].id, err) < 0)
			return err->code;
	return OK;
}

/* The timeline that `position` is on: the server's own, or one that it came from. */
static int
timeline_at(struct log_copy *c, uint64_t position, uint32_t *ret, struct error *err)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(HISTORY_MAX);
	uint32_t own = c->ops->facts(c->source)->timeline;

	*ret = own;
	if (own <= 1)
		return OK;
	if (c->ops->history(c->source, own, log_copy_soon(), &file, err) < 0)
		return err->code;
	for (uint32_t t = 1; t < own; t++) {
		uint64_t end;
		int r = c->ops->history_end(own, buf_slice(&file), t, &end, err);

		if (r < 0)
			return r;
		if (r == 1 && end > position) {
			*ret = t;
			return OK;
		}
	}
	return OK;
}

static int
begin_planned(struct log_copy *c, struct log_plan *plan, struct error *err)
{
	if (plan->kind == LOG_PLAN_CONTINUE) {
		c->spool.range = plan->range;
		return OK;
	}
	if (plan->kind == LOG_PLAN_FRESH) {
		if (timeline_at(c, plan->range.from, &plan->range.timeline, err) < 0)
			return err->code;
		plan->range.history[0].timeline = plan->range.timeline;
	}
	return log_spool_begin(&c->spool, &plan->range, clock_wall_ns(), false, err);
}

static int
make_plan(struct log_copy *c, struct error *err)
{
	CLEAN(log_known_done) struct log_known_list known = {0};
	const struct log_point *spool = c->spool.has_range ? &c->spool.range : NULL;
	uint32_t timeline;
	struct log_plan plan;

	if (log_known_read(c->order->repo, c->order->group->name, &known, err) < 0)
		return err->code;
	log_plan_make(&known, spool, c->order->group->engine->name, c->ops->facts(c->source),
		      c->slot_position, &plan);
	if (plan.newest != NULL && remove_superfluous(c, &known, plan.newest, err) < 0)
		return err->code;
	if (begin_planned(c, &plan, err) < 0)
		return err->code;
	timeline = c->spool.range.timeline;
	c->has_open = plan.replaces;
	c->has_tree = plan.newest != NULL;
	c->stored = c->stored_ns = 0;
	c->was_copied = plan.newest != NULL && plan.newest->copier[0] != '\0' &&
			plan.newest->logs.timeline == c->ops->facts(c->source)->timeline;
	if (c->order->copier != NULL) {
		const struct log_known *other = log_known_of_others(
			&known, c->ops->facts(c->source)->identity, c->order->copier);

		c->others_ns = other != NULL ? other->end_ns : 0;
	}
	if (plan.newest != NULL) {
		c->open_id = plan.newest->id;
		c->tree = plan.newest->tree;
	}
	/* What the repository has on another timeline says nothing of this one. */
	if (plan.newest != NULL && plan.newest->logs.timeline == timeline) {
		c->stored = plan.newest->logs.to;
		c->stored_ns = plan.newest->logs.to_time_ns;
	}
	if (!c->planned || plan.kind != LOG_PLAN_CONTINUE)
		c->covered_ns = c->spool.range.to_time_ns;
	c->planned = true;
	return OK;
}

/* Anew with each connection: another copier may have been at it meanwhile. As long as the repository is away the
 * last plan holds. */
int
log_copy_plan(struct log_copy *c, struct error *err)
{
	const struct log_source_facts *facts = c->ops->facts(c->source);
	bool same = c->planned && strcmp(facts->identity, c->spool.range.identity) == 0 &&
		    facts->segment_bytes == c->spool.range.segment_bytes;
	int r = OK;

	if (c->order->settle != NULL)
		r = c->order->settle(c->order->settle_arg, err);
	if (r == OK)
		r = make_plan(c, err);
	if (r < 0 && same && (r == ERR_STORE_READ || r == ERR_NO_REPOSITORY)) {
		*err = ERROR_INIT;
		return OK;
	}
	return r;
}

void
log_copy_tell_of_slot(const struct log_copy *c)
{
	const char *why = c->slot_was_lost ? "the server had invalidated it"
					   : "it was not there any more";

	/* One that was never there, as on a copy that was promoted, is none that was lost. */
	if (!c->order->by_slot || !c->slot_made || (!c->slot_was_lost && !c->was_copied))
		return;
	log_copy_say(c, "the slot '%s' on %s had to be made anew: %s", c->slot, c->active->name,
		     why);
	eventlog_add(c->order->events, EVENT_LOG_SLOT_LOST, c->order->job,
		     "group=%s active=%s slot=%s cause=%s", c->order->group->name, c->active->name,
		     c->slot, why);
}

/* Timelines. */

static int
fetch_history(struct log_copy *c, uint32_t timeline, struct buf *file, struct error *err)
{
	if (c->ops->history(c->source, timeline, log_copy_soon(), file, err) < 0)
		return err->code;
	return log_spool_put_history(&c->spool, timeline, buf_slice(file), err);
}

static int
of_another_history(struct error *err)
{
	return error_hint(err, "give the group another name, or make a full backup into another "
			       "repository");
}

/* Two copies that were promoted without knowing of each other give their timelines the same number. What the new one
 * has is not what follows ours, even where the positions would fit. */
static int
check_history(struct log_copy *c, uint32_t timeline, struct error *err)
{
	CLEAN(buf_done) struct buf own = BUF_INIT(HISTORY_MAX), theirs = BUF_INIT(HISTORY_MAX);
	char name[LOG_FILE_NAME_MAX];

	if (!log_spool_has_history(&c->spool, timeline))
		return fetch_history(c, timeline, &own, err);
	(void)c->ops->history_name(timeline, name);
	if (fs_read_file(c->spool.dirfd, name, &own, err) < 0 ||
	    c->ops->history(c->source, timeline, log_copy_soon(), &theirs, err) < 0)
		return err->code;
	if (own.n == theirs.n && memcmp(own.p, theirs.p, own.n) == 0)
		return OK;
	(void)error_set(err, ERR_BACKUP_TYPE,
			"timeline %" PRIu32 " of %s is not the one of that number that the logs in "
			"the repository are of: two copies were promoted beside each other",
			timeline, c->active->name);
	return of_another_history(err);
}

/* On with timeline `next`, which forked off from ours at `fork`. */
int
log_copy_follow(struct log_copy *c, uint32_t next, uint64_t fork, struct error *err)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(HISTORY_MAX);
	char at[WALRANGE_LSN_LEN + 1];
	struct log_point range;

	if (next <= c->spool.range.timeline)
		return error_set(err, ERR_PROTOCOL,
				 "the server goes on with timeline %" PRIu32 " after %" PRIu32,
				 next, c->spool.range.timeline);
	if (fetch_history(c, next, &file, err) < 0)
		return err->code;
	c->spool.range.to_time_ns = c->covered_ns;
	range = log_plan_switch(&c->spool.range, next, fork);
	if (end_range(c, &range, true, err) < 0)
		return error_prefix(err, "follow to timeline %" PRIu32, next);
	/* Another server's clock: times of before say nothing of what comes. */
	c->covered_ns = c->stored_ns = 0;
	walrange_format_lsn(fork, at);
	log_copy_say(c, "the active copy %s is on timeline %" PRIu32 " since %s: following",
		     c->active->name, next, at);
	eventlog_add(c->order->events, EVENT_LOGS_FOLLOWED, c->order->job,
		     "group=%s active=%s timeline=%" PRIu32 " from=%s", c->order->group->name,
		     c->active->name, next, at);
	return OK;
}

/* The logs that follow ours are not to be had: from here on it is another chain. */
static int
gap(struct log_copy *c, struct error *err)
{
	const struct log_source_facts *facts = c->ops->facts(c->source);
	char from[WALRANGE_LSN_LEN + 1], to[WALRANGE_LSN_LEN + 1];
	uint64_t at = MAX(c->slot_position, (uint64_t)1);
	struct log_point range = c->spool.range;

	/* What the slot holds; where that is what we have just been refused, from now on. */
	if (at <= c->spool.written)
		at = facts->end;
	c->gap_from = c->spool.written;
	range.from = range.to = log_file_start(at, range.segment_bytes);
	range.from_time_ns = range.to_time_ns = 0;
	range.closed = false;
	if (timeline_at(c, range.from, &range.timeline, err) < 0)
		return err->code;
	range.n_history = 1;
	range.history[0] = (struct log_history){.timeline = range.timeline, .from = range.from};
	c->spool.range.to_time_ns = c->covered_ns;
	if (end_range(c, &range, false, err) < 0)
		return err->code;
	c->covered_ns = 0;
	c->gap_to = range.from;
	walrange_format_lsn(c->gap_from, from);
	walrange_format_lsn(c->gap_to, to);
	log_copy_say(c, "logs are missing from %s to %s: make a full backup", from, to);
	eventlog_add(c->order->events, EVENT_LOGS_GAP, c->order->job, "group=%s from=%s to=%s",
		     c->order->group->name, from, to);
	return OK;
}

/* A copy that was left behind by a promotion, or restored from an old backup. */
static enum err
is_behind(struct log_copy *c, struct error *err)
{
	(void)error_set(err, ERR_BACKUP_TYPE,
			"%s is behind the logs in the repository: it is on timeline %" PRIu32
			", they are on %" PRIu32,
			c->active->name, c->ops->facts(c->source)->timeline,
			c->spool.range.timeline);
	return error_hint(err,
			  "if it was promoted by mistake, stop it; if the database was restored, "
			  "give the group another name, or make a full backup into another "
			  "repository");
}

/* The server does not know our place. Was its timeline forked off before it? */
static int
forked(struct log_copy *c, struct error *err)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(HISTORY_MAX);
	uint32_t ours = c->spool.range.timeline, own = c->ops->facts(c->source)->timeline;
	struct error refused = *err;
	uint64_t fork, ignored;
	uint32_t next = own;
	int r;

	if (own < ours)
		return is_behind(c, err);
	if (own == ours) {
		(void)error_set(err, ERR_BACKUP_TYPE,
				"%s is behind the logs in the repository, as if it had been "
				"restored: %s",
				c->active->name, refused.msg);
		return of_another_history(err);
	}
	if (c->ops->history(c->source, own, log_copy_soon(), &file, err) < 0)
		return err->code;
	r = c->ops->history_end(own, buf_slice(&file), ours, &fork, err);
	if (r < 0)
		return r;
	if (r == 0)
		return gap(c, err);
	for (uint32_t t = own - 1; t > ours; t--)
		if (c->ops->history_end(own, buf_slice(&file), t, &ignored, err) == 1)
			next = t;
	return log_copy_follow(c, next, fork, err);
}

int
log_copy_start(struct log_copy *c, struct error *err)
{
	const struct log_point *r = &c->spool.range;
	const char *slot = c->order->by_slot ? c->slot : NULL;

	/* Twice at most: after a gap or a fork it begins at a place that is there. */
	for (int try = 0;; try++) {
		if (c->ops->facts(c->source)->timeline < r->timeline)
			return is_behind(c, err);
		if (r->timeline > 1 && check_history(c, r->timeline, err) < 0)
			return err->code;
		if (c->ops->start(c->source, slot, r->timeline, c->spool.written, log_copy_soon(),
				  err) == OK)
			return OK;
		if (try == 2)
			return err->code;
		if (err->code == ERR_LOGS_GONE) {
			if (gap(c, err) < 0)
				return err->code;
		} else if (err->code == ERR_GROUP_ROLE) {
			if (forked(c, err) < 0)
				return err->code;
		} else {
			return err->code;
		}
	}
}
