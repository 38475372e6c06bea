/* SPDX-License-Identifier: Apache-2.0 */

/* The eye on the passive copy: is it still one, and does its log copier work? */
#include <inttypes.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "base/text.h"
#include "group/context_internal.h"

static const char *
name_of(const struct context *c)
{
	return c->passive.copy->name;
}

/* Event 2153, with the communication error as far as the copy knows it. */
static void
tell_copier_lost(struct context *c, const struct watch_facts *f)
{
	char why[384], at[ENGINE_POSITION_MAX];
	const struct group_copy *a = c->order.active;
	const char *from = c->source[0] != 0 ? c->source : "the active copy";

	c->engine->position_text(f->received, at);
	if (f->receiving)
		(void)text_printf(why, sizeof(why),
				  "nothing was heard from %s for %" PRIu64
				  " s, though there is more; received up to %s",
				  from, f->silent_ns / NS_PER_S, at);
	else
		(void)text_printf(
			why, sizeof(why),
			"no connection to %s; received up to %s. The reason is in the log "
			"of the server of %s",
			from, at, name_of(c));
	(void)pthread_mutex_lock(&c->lock);
	c->copier_lost++;
	(void)pthread_mutex_unlock(&c->lock);
	eventlog_add(c->order.events, EVENT_LOG_COPIER_LOST, c->order.job,
		     "active=%s (%s:%s) copy=%s/%s error=%s", a->name,
		     a->host != NULL ? a->host : "", a->port != NULL ? a->port : "",
		     c->order.group->name, name_of(c), why);
	context_note(c, "the log copier of %s is disconnected from %s: %s", name_of(c), a->name,
		     why);
}

static void
tell_copier_back(struct context *c)
{
	uint64_t away_ns = clock_boot_ns() - c->seen.copier_lost_ns;

	eventlog_add(c->order.events, EVENT_LOG_COPIER_BACK, c->order.job,
		     "active=%s copy=%s/%s away_ms=%" PRIu64, c->order.active->name,
		     c->order.group->name, name_of(c), away_ns / NS_PER_MS);
	context_note(c, "the log copier of %s reaches %s again", name_of(c), c->order.active->name);
}

static int
judge(struct context *c, const struct watch_facts *f, struct error *err)
{
	uint32_t before = c->seen.timeline;

	if (f->source[0] != 0)
		(void)text_printf(c->source, sizeof(c->source), "%s", f->source);
	switch (context_policy_passive(&c->seen, f, context_end(c), clock_boot_ns())) {
	case PASSIVE_SAME:
		return OK;
	case PASSIVE_COPIER_LOST:
		tell_copier_lost(c, f);
		return OK;
	case PASSIVE_COPIER_BACK:
		tell_copier_back(c);
		return OK;
	case PASSIVE_PROMOTED:
		return error_set(err, ERR_GROUP_ROLE,
				 "%s is not a passive copy any more: it was promoted", name_of(c));
	case PASSIVE_RESTARTED:
		return error_set(err, ERR_GROUP_ROLE, "%s was restarted during the backup",
				 name_of(c));
	case PASSIVE_TIMELINE:
		return error_set(err, ERR_GROUP_ROLE,
				 "%s went from timeline %" PRIu32 " to %" PRIu32
				 ": another copy was promoted",
				 name_of(c), before, f->timeline);
	}
	return error_set(err, ERR_INTERNAL, "unknown news");
}

static void
blame(struct context *c)
{
	if (c->order.passive_at_fault != NULL)
		*c->order.passive_at_fault = true;
}

static int
settled(struct context *c, int rc)
{
	if (rc == OK)
		return OK;
	c->engine->watch_close(STEAL_PTR(c->watch));
	if (!context_policy_may_return((enum err)rc))
		blame(c);
	return rc;
}

static int
ask(struct context *c, uint64_t deadline_ns, const _Atomic bool *stop, struct error *err)
{
	struct watch_facts f;
	int rc = c->engine->watch_ask(c->watch, deadline_ns, stop, &f, err);

	if (rc == OK)
		rc = judge(c, &f, err);
	return settled(c, rc);
}

static int
beat(void *side, uint64_t deadline_ns, struct error *err)
{
	return ask(context_of(side), deadline_ns, NULL, err);
}

static int
open_watch(struct context *c, uint64_t deadline_ns, const _Atomic bool *stop, struct error *err)
{
	int rc = c->engine->watch_open(c->order.group, c->passive.copy, c->watch_address,
				       deadline_ns, stop, &c->watch, err);

	if (rc < 0)
		return rc;
	(void)text_printf(c->watch_address, sizeof(c->watch_address), "%s",
			  c->engine->watch_address(c->watch));
	return ask(c, deadline_ns, stop, err);
}

static int
reopen(void *side, uint64_t deadline_ns, struct error *err)
{
	return open_watch(context_of(side), deadline_ns, NULL, err);
}

static int
fd(void *side)
{
	return context_of(side)->engine->watch_fd(context_of(side)->watch);
}

static int
hear(void *side, struct error *err)
{
	struct context *c = context_of(side);

	return settled(c, c->engine->watch_hear(c->watch, err));
}

static void
lost(void *side, const struct error *why)
{
	context_note(context_of(side),
		     "the copy that is backed up does not answer: %s; trying again", why->msg);
}

static void
back(void *side, uint64_t away_ns)
{
	struct context *c = context_of(side);
	char seconds[CONTEXT_SECONDS_MAX];

	context_note(c, "%s answers again after %s, and is what it was", name_of(c),
		     context_seconds(away_ns, seconds));
}

static void
expired(void *side, uint64_t silent_ns, const struct error *last, struct error *err)
{
	struct context *c = context_of(side);

	blame(c);
	context_expired(c, name_of(c), silent_ns, last, err);
	(void)error_hint(err,
			 "look at the network between here and %s, and at its server; repeat "
			 "the backup",
			 name_of(c));
}

static const struct context_link_ops passive_ops = {
	.beat = beat,
	.reopen = reopen,
	.fd = fd,
	.hear = hear,
	.lost = lost,
	.back = back,
	.over = context_over,
	.expired = expired,
};

int
context_passive_open(struct context *c, const struct log_range *range, struct error *err)
{
	int rc;

	if (c->order.passive == c->order.active)
		return OK;
	c->seen.timeline = range->timeline;
	rc = open_watch(c, context_open_deadline(c->order.group), c->order.stop, err);
	if (rc == OK)
		return OK;
	if (rc != ERR_CANCELLED)
		blame(c);
	return error_prefix(err, "watch the copy that is backed up");
}

int
context_passive_start(struct context *c, struct error *err)
{
	if (c->watch == NULL)
		return OK;
	return context_link_start(&passive_ops, &c->passive, c->order.group, &c->passive.link, err);
}

void
context_passive_close(struct context *c)
{
	context_link_stop(STEAL_PTR(c->passive.link));
	c->engine->watch_close(STEAL_PTR(c->watch));
}
