/* SPDX-License-Identifier: Apache-2.0 */

/* The channel to the active copy. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "base/text.h"
#include "group/context_internal.h"

static const char *
name_of(const struct context *c)
{
	return c->order.active->name;
}

/* What is worth nothing goes at once, so that a repeated backup finds nothing of it. */
static void
put_away(struct context *c, enum err code)
{
	if (context_policy_may_return(code))
		c->silent = STEAL_PTR(c->session);
	else
		c->engine->session_close(STEAL_PTR(c->session),
					 clock_boot_ns() + c->order.group->heartbeat_timeout_ns);
}

static int
beat(void *arg, uint64_t deadline_ns, struct error *err)
{
	struct context *c = arg;
	uint64_t end;
	int rc = c->engine->session_beat(c->session, c->needed, deadline_ns, &end, err);

	if (rc < 0) {
		put_away(c, (enum err)rc);
		return rc;
	}
	(void)pthread_mutex_lock(&c->lock);
	c->end = MAX(c->end, end);
	(void)pthread_mutex_unlock(&c->lock);
	return OK;
}

static int
reopen(void *arg, uint64_t deadline_ns, struct error *err)
{
	struct context *c = arg;
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

static void
lost(void *arg, const struct error *why)
{
	struct context *c = arg;

	eventlog_add(c->order.events, EVENT_CONTEXT_LOST, c->order.job,
		     "group=%s active=%s error=%s", c->order.group->name, name_of(c), why->msg);
	context_note(c, "the backup context on %s was lost: %s; trying again", name_of(c),
		     why->msg);
}

static void
back(void *arg, uint64_t away_ns)
{
	struct context *c = arg;

	eventlog_add(c->order.events, EVENT_CONTEXT_REOPENED, c->order.job,
		     "group=%s active=%s away_ms=%" PRIu64, c->order.group->name, name_of(c),
		     away_ns / NS_PER_MS);
	context_note(c,
		     "the backup context on %s is open again after %" PRIu64 ".%" PRIu64
		     " s; its logs are still there",
		     name_of(c), away_ns / NS_PER_S, away_ns % NS_PER_S / (100 * NS_PER_MS));
}

static void
over(void *arg, const struct error *why, uint64_t away_ns)
{
	struct context *c = arg;

	context_over(c, c->order.active, why, away_ns);
}

static void
expired(void *arg, uint64_t silent_ns, const struct error *last, struct error *err)
{
	const struct context *c = arg;
	char what[128];

	(void)text_printf(what, sizeof(what), "the backup context on %s", name_of(c));
	context_expired(c, what, silent_ns, last, err);
}

static const struct context_link_ops active_ops = {
	.beat = beat,
	.reopen = reopen,
	.lost = lost,
	.back = back,
	.over = over,
	.expired = expired,
};

int
context_active_open(struct context *c, const struct log_range *range, struct error *err)
{
	const struct group *g = c->order.group;
	const struct engine_session_order order = {
		.holder = c->holder,
		.lease_ns = g->context_lease_ns,
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
				 name_of(c), range->timeline, c->mark.timeline);
	/* A checkpoint between the two: the logs before it are held by nothing. */
	c->needed = MAX(range->required, c->mark.pinned);
	c->end = range->end;
	return OK;
}

int
context_active_start(struct context *c, struct error *err)
{
	return context_link_start(&active_ops, c, c->order.group, &c->active, err);
}

void
context_active_close(struct context *c)
{
	const struct group *g = c->order.group;
	uint64_t deadline_ns;

	context_link_stop(STEAL_PTR(c->active));
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
