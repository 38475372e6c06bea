/* SPDX-License-Identifier: Apache-2.0 */

/* The channel to the active copy. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "base/text.h"
#include "group/context_internal.h"

/* A session that failed is put away; what is worth nothing goes at once, so that a repeated backup finds nothing of
 * it. */
static int
settled(struct context *c, int rc)
{
	if (rc == OK)
		return OK;
	if (context_policy_may_return((enum err)rc))
		c->silent = STEAL_PTR(c->session);
	else
		c->engine->session_close(STEAL_PTR(c->session),
					 clock_boot_ns() + c->order.group->heartbeat_timeout_ns);
	return rc;
}

static int
beat(void *side, uint64_t deadline_ns, struct error *err)
{
	struct context *c = context_of(side);
	uint64_t end;
	int rc = c->engine->session_beat(c->session, c->needed, deadline_ns, &end, err);

	if (rc < 0)
		return settled(c, rc);
	(void)pthread_mutex_lock(&c->lock);
	c->end = MAX(c->end, end);
	(void)pthread_mutex_unlock(&c->lock);
	return OK;
}

static int
reopen(void *side, uint64_t deadline_ns, struct error *err)
{
	struct context *c = context_of(side);
	const struct engine_session_order order = {
		.holder = c->holder,
		.lease_ns = c->order.group->context_lease_ns,
		.before = &c->mark,
		.needed = c->needed,
	};
	int rc = c->engine->session_open(c->order.group, c->order.active, &order, deadline_ns,
					 &c->session, err);

	if (rc < 0)
		return rc;
	c->mark = *c->engine->session_mark(c->session);
	c->engine->session_close(STEAL_PTR(c->silent), clock_boot_ns());
	return OK;
}

static int
fd(void *side)
{
	return context_of(side)->engine->session_fd(context_of(side)->session);
}

static int
hear(void *side, struct error *err)
{
	struct context *c = context_of(side);

	return settled(c, c->engine->session_hear(c->session, err));
}

static void
lost(void *side, const struct error *why)
{
	struct context *c = context_of(side);
	const char *name = c->active.copy->name;

	eventlog_add(c->order.events, EVENT_CONTEXT_LOST, c->order.job,
		     "group=%s active=%s error=%s", c->order.group->name, name, why->msg);
	context_note(c, "the backup context on %s was lost: %s; trying again", name, why->msg);
}

static void
back(void *side, uint64_t away_ns)
{
	struct context *c = context_of(side);
	const char *name = c->active.copy->name;
	char seconds[CONTEXT_SECONDS_MAX];

	eventlog_add(c->order.events, EVENT_CONTEXT_REOPENED, c->order.job,
		     "group=%s active=%s away_ms=%" PRIu64, c->order.group->name, name,
		     away_ns / NS_PER_MS);
	context_note(c, "the backup context on %s is open again after %s; its logs are still there",
		     name, context_seconds(away_ns, seconds));
}

static void
expired(void *side, uint64_t silent_ns, const struct error *last, struct error *err)
{
	const struct context *c = context_of(side);
	char what[128];

	(void)text_printf(what, sizeof(what), "the backup context on %s", c->active.copy->name);
	context_expired(c, what, silent_ns, last, err);
}

static const struct context_link_ops active_ops = {
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
context_active_open(struct context *c, const struct log_range *range, struct error *err)
{
	const struct group *g = c->order.group;
	const struct engine_session_order order = {
		.holder = c->holder,
		.lease_ns = g->context_lease_ns,
		.stop = c->order.stop,
	};
	int rc = c->engine->session_open(g, c->order.active, &order, context_open_deadline(g),
					 &c->session, err);

	if (rc < 0)
		return error_prefix(err, "open the backup context");
	c->mark = *c->engine->session_mark(c->session);
	if (c->mark.timeline != range->timeline)
		return error_set(err, ERR_GROUP_ROLE,
				 "%s went from timeline %" PRIu32 " to %" PRIu32
				 " since it named its logs",
				 c->active.copy->name, range->timeline, c->mark.timeline);
	/* A checkpoint between the two: the logs before it are held by nothing. */
	c->needed = MAX(range->required, c->mark.pinned);
	c->end = range->end;
	return OK;
}

int
context_active_start(struct context *c, struct error *err)
{
	return context_link_start(&active_ops, &c->active, c->order.group, &c->active.link, err);
}

void
context_active_close(struct context *c)
{
	const struct group *g = c->order.group;
	uint64_t deadline_ns;

	context_link_stop(STEAL_PTR(c->active.link));
	c->engine->session_close(STEAL_PTR(c->silent), clock_boot_ns());
	deadline_ns = clock_boot_ns() + g->heartbeat_timeout_ns;
	if (c->session != NULL)
		c->engine->session_close(STEAL_PTR(c->session), deadline_ns);
	/* What the server still takes for us: it would end it by itself, but later. */
	else if (c->mark.token[0] != 0) {
		int rc = c->engine->session_clear(g, c->order.active, &c->mark, deadline_ns, NULL);
		(void)rc;
	}
}
