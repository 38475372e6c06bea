/* SPDX-License-Identifier: Apache-2.0 */

/* The two links of a backup context as one thing. */
#include "group/context.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "base/text.h"
#include "group/context_internal.h"

/* Of the first opening: nothing runs yet that would be worth more haste. */
#define OPEN_NS (10 * NS_PER_S)

uint64_t
context_open_deadline(const struct group *g)
{
	return clock_boot_ns() + MAX(OPEN_NS, 4 * g->heartbeat_timeout_ns);
}

void
context_note(struct context *c, const char *format, ...)
{
	char text[512];
	va_list ap;

	if (c->order.note == NULL)
		return;
	va_start(ap, format);
	(void)text_vprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_without_controls(text);
	c->order.note(c->order.note_arg, text);
}

uint64_t
context_end(struct context *c)
{
	uint64_t end;

	(void)pthread_mutex_lock(&c->lock);
	end = c->end;
	(void)pthread_mutex_unlock(&c->lock);
	return end;
}

struct context *
context_of(void *side)
{
	return ((struct context_side *)side)->context;
}

const char *
context_seconds(uint64_t ns, char text[CONTEXT_SECONDS_MAX])
{
	(void)snprintf(text, CONTEXT_SECONDS_MAX, "%" PRIu64 ".%" PRIu64 " s", ns / NS_PER_S,
		       ns % NS_PER_S / (100 * NS_PER_MS));
	return text;
}

void
context_over(void *side, const struct error *why, uint64_t away_ns)
{
	const struct context_side *s = side;
	struct context *c = context_of(side);

	if (why->code == ERR_GROUP_ROLE)
		eventlog_add(c->order.events, EVENT_COPY_ROLE_CHANGED, c->order.job,
			     "group=%s copy=%s role=%s error=%s", c->order.group->name,
			     s->copy->name, s == &c->active ? "active" : "passive", why->msg);
	eventlog_add(c->order.events, EVENT_CONTEXT_GIVEN_UP, c->order.job,
		     "group=%s active=%s away_ms=%" PRIu64 " code=%s error=%s",
		     c->order.group->name, c->order.active->name, away_ns / NS_PER_MS,
		     error_name(why->code), why->msg);
	context_note(c, "the backup context is lost for good: %s", why->msg);
}

void
context_expired(const struct context *c, const char *what, uint64_t silent_ns,
		const struct error *last, struct error *err)
{
	char seconds[CONTEXT_SECONDS_MAX];

	(void)error_set(err, ERR_CONTEXT_LOST,
			"%s gave no sign of life for %s (context_lease is %" PRIu64 " s)%s%s", what,
			context_seconds(silent_ns, seconds),
			c->order.group->context_lease_ns / NS_PER_S, last->code != OK ? ": " : "",
			last->code != OK ? last->msg : "");
}

static void
context_free(struct context *c)
{
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

static int
open_both(struct context *c, const struct log_range *range, struct error *err)
{
	int rc = context_active_open(c, range, err);

	if (rc == OK)
		rc = context_passive_open(c, range, err);
	if (rc == OK)
		rc = context_active_start(c, err);
	return rc == OK ? context_passive_start(c, err) : rc;
}

int
context_open(const struct context_order *order, const struct log_range *range, struct context **ret,
	     struct error *err)
{
	struct context *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return error_no_memory(err);
	(void)pthread_mutex_init(&c->lock, NULL);
	c->order = *order;
	c->engine = order->group->engine;
	c->active = (struct context_side){.context = c, .copy = order->active};
	c->passive = (struct context_side){.context = c, .copy = order->passive};
	(void)text_printf(c->holder, sizeof(c->holder), "%s by %s", order->passive->name,
			  order->holder);
	c->opened_ns = clock_boot_ns();
	rc = open_both(c, range, err);
	if (rc < 0) {
		context_passive_close(c);
		context_active_close(c);
		context_free(c);
		return rc;
	}
	eventlog_add(order->events, EVENT_CONTEXT_OPENED, order->job, "group=%s active=%s copy=%s",
		     order->group->name, order->active->name, order->passive->name);
	*ret = c;
	return OK;
}

int
context_check(struct context *c, struct error *err)
{
	int rc = context_link_check(c->active.link, err);

	return rc == OK && c->passive.link != NULL ? context_link_check(c->passive.link, err) : rc;
}

int
context_prove(struct context *c, uint64_t deadline_ns, struct error *err)
{
	uint64_t active = context_link_ask(c->active.link), passive = 0;
	int rc;

	if (c->passive.link != NULL)
		passive = context_link_ask(c->passive.link);
	rc = context_link_await(c->active.link, active, deadline_ns, err);
	if (rc < 0)
		return error_prefix(err, "backup context");
	if (c->passive.link != NULL)
		rc = context_link_await(c->passive.link, passive, deadline_ns, err);
	return rc < 0 ? (int)error_prefix(err, "the copy that is backed up") : OK;
}

/* One that is away is asked all the time. */
static void
look(const struct context_side *s, uint64_t deadline_ns)
{
	struct context_link_state state;
	int rc;

	context_link_state(s->link, &state);
	if (!state.held)
		return;
	rc = context_link_await(s->link, context_link_ask(s->link), deadline_ns, NULL);
	(void)rc; /* no answer is no news */
}

int
context_look(struct context *c, uint64_t deadline_ns, struct error *err)
{
	look(&c->active, deadline_ns);
	if (c->passive.link != NULL)
		look(&c->passive, deadline_ns);
	return context_check(c, err);
}

void
context_state(struct context *c, struct context_state *ret)
{
	struct context_link_state active;

	context_link_state(c->active.link, &active);
	*ret = (struct context_state){
		.connected = active.held,
		.opened_ns = c->opened_ns,
		.last_beat_ns = active.sign_ns,
		.reopened = active.reopened,
	};
	(void)pthread_mutex_lock(&c->lock);
	ret->copier_lost = c->copier_lost;
	ret->needed = c->needed;
	ret->end = c->end;
	(void)pthread_mutex_unlock(&c->lock);
}

void
context_close(struct context *c)
{
	if (c == NULL)
		return;
	context_passive_close(c);
	context_active_close(c);
	eventlog_add(c->order.events, EVENT_CONTEXT_CLOSED, c->order.job, "group=%s active=%s",
		     c->order.group->name, c->order.active->name);
	context_free(c);
}

void
context_closep(struct context **c)
{
	context_close(*c);
}
