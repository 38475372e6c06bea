/* SPDX-License-Identifier: Apache-2.0 */

/* From the server into the spool: connecting, and streaming. */
#include "requester/log_copy.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/engine.h"
#include "group/status.h"
#include "requester/log_copy_internal.h"

enum { LOOK_LIMIT_S = 5 };

void
log_copy_say(const struct log_copy *c, const char *format, ...)
{
	char text[400];
	va_list ap;

	if (c->order->say == NULL)
		return;
	va_start(ap, format);
	(void)text_vprintf(text, sizeof(text), format, ap);
	va_end(ap);
	c->order->say(c->order->say_arg, text);
}

int
log_copy_open(const struct log_copy_order *order, struct log_copy *ret, struct error *err)
{
	struct log_copy c = {.order = order, .ops = order->group->engine->logs};

	if (c.ops == NULL)
		return error_set(err, ERR_BACKUP_TYPE, "logs of %s cannot be copied",
				 order->group->engine->name);
	if (log_spool_open(order->state_dir, order->group->name, c.ops, &c.spool, err) < 0)
		return err->code;
	(void)c.ops->slot_name(order->group, c.slot);
	/* Without the copier, what the group itself holds back is enough. */
	if (!order->by_slot && order->group->slot != NULL)
		(void)text_printf(c.slot, sizeof(c.slot), "%s", order->group->slot);
	*ret = c;
	return OK;
}

void
log_copy_disconnect(struct log_copy *c)
{
	if (c->source != NULL)
		c->ops->close(c->source);
	c->source = NULL;
}

void
log_copy_close(struct log_copy *c)
{
	if (c->ops == NULL)
		return;
	log_copy_disconnect(c);
	log_spool_close(&c->spool);
	c->ops = NULL;
}

/* Connecting. */

int
log_copy_find_active(struct log_copy *c, struct error *err)
{
	const struct group *g = c->order->group;
	struct group_view view = {0};
	int r = OK;

	if (group_look(g, clock_boot_ns() + LOOK_LIMIT_S * NS_PER_S, &view, err) < 0)
		return err->code;
	group_judge(&view);
	if (view.active >= view.n)
		r = group_no_active(&view, err);
	else
		c->active = view.members[view.active].copy;
	group_view_done(&view);
	return r;
}

static int
hold_logs(struct log_copy *c, struct error *err)
{
	struct log_slot slot;

	if (c->ops->slot_make(c->source, c->slot, log_copy_soon(), &slot, err) < 0)
		return err->code;
	c->slot_position = slot.position;
	c->slot_made = slot.made;
	c->slot_was_lost = slot.was_lost;
	if (slot.active && c->order->by_slot) {
		(void)error_set(err, ERR_GROUP_BUSY,
				"'%s' copies the logs of this group, for %" PRIu64
				" s now: it uses the slot '%s' on %s",
				slot.user, slot.user_s, c->slot, c->active->name);
		return error_hint(err, "one log copier for a group is enough: stop that one, or "
				       "let it be");
	}
	return OK;
}

static int
connect_to_active(struct log_copy *c, struct error *err)
{
	if (log_copy_find_active(c, err) < 0 ||
	    c->ops->open(c->order->group, c->active, c->order->application, log_copy_soon(),
			 &c->source, err) < 0 ||
	    hold_logs(c, err) < 0 || log_copy_plan(c, err) < 0)
		return err->code;
	log_copy_tell_of_slot(c);
	return log_copy_start(c, err);
}

int
log_copy_connect(struct log_copy *c, struct error *err)
{
	log_copy_disconnect(c);
	if (connect_to_active(c, err) < 0) {
		log_copy_disconnect(c);
		return err->code;
	}
	c->heard = false;
	c->heard_ns = c->asked_ns = clock_boot_ns();
	/* Whether it really streams shows when something comes. */
	if (c->ops->confirm(c->source, c->spool.written, 0, true, log_copy_soon(), err) < 0) {
		log_copy_disconnect(c);
		return err->code;
	}
	return OK;
}

/* Streaming. */

/* Only what is beyond the slot's own position may be said: a server moves a slot back, too. */
int
log_copy_confirm(struct log_copy *c, struct error *err)
{
	uint64_t durable = c->stored > c->slot_position ? c->stored : 0;

	if (!c->order->by_slot)
		durable = 0;
	if (c->ops->confirm(c->source, c->spool.written, durable, false, log_copy_soon(), err) <
	    0) {
		log_copy_disconnect(c);
		return err->code;
	}
	return OK;
}

static int
ask_if_quiet(struct log_copy *c, struct error *err)
{
	const struct group *g = c->order->group;
	uint64_t now = clock_boot_ns(), durable = c->stored > c->slot_position ? c->stored : 0;

	if (now - c->heard_ns > g->heartbeat_ns + g->heartbeat_timeout_ns)
		return error_set(err, ERR_DB_SESSION_LOST,
				 "%s has not been heard of for %" PRIu64 " ms", c->active->name,
				 (now - c->heard_ns) / NS_PER_MS);
	if (now - MAX(c->heard_ns, c->asked_ns) < g->heartbeat_ns)
		return OK;
	c->asked_ns = now;
	return c->ops->confirm(c->source, c->spool.written, c->order->by_slot ? durable : 0, true,
			       now + g->heartbeat_timeout_ns, err);
}

static int
take(struct log_copy *c, const struct log_source_piece *piece, struct error *err)
{
	switch (piece->kind) {
	case LOG_PIECE_NONE:
		return ask_if_quiet(c, err) < 0 ? (int)err->code : 0;
	case LOG_PIECE_ALIVE:
		c->heard = true;
		c->heard_ns = clock_boot_ns();
		return 0;
	case LOG_PIECE_DATA:
		c->heard = true;
		c->heard_ns = clock_boot_ns();
		c->received += piece->data.n;
		if (log_spool_write(&c->spool, piece->position, piece->data, err) < 0)
			return err->code;
		return 1;
	case LOG_PIECE_END:
		c->heard_ns = clock_boot_ns();
		if (piece->next_from > c->spool.written)
			return error_set(err, ERR_PROTOCOL,
					 "the server ends a timeline before it has sent all of it");
		if (log_copy_follow(c, piece->next_timeline, piece->next_from, err) < 0 ||
		    log_copy_start(c, err) < 0)
			return err->code;
		return 1;
	}
	return 0;
}

int
log_copy_step(struct log_copy *c, uint64_t deadline_ns, struct error *err)
{
	uint64_t beat_ns = clock_boot_ns() + c->order->group->heartbeat_ns;
	struct log_source_piece piece;
	int r = c->ops->read(c->source, MIN(deadline_ns, beat_ns), &piece, err);

	if (r == OK)
		r = take(c, &piece, err);
	/* A file that is not there is found out only when it is read. */
	if (r == ERR_LOGS_GONE)
		c->gone = true;
	if (r < 0)
		log_copy_disconnect(c);
	return r;
}

int
log_copy_mark(struct log_copy *c, struct log_mark *ret, struct error *err)
{
	uint64_t limit_ns = c->order->group->heartbeat_ns + c->order->group->heartbeat_timeout_ns;

	if (c->ops->mark(c->source, clock_boot_ns() + limit_ns, ret, err) < 0) {
		log_copy_disconnect(c);
		return err->code;
	}
	return OK;
}
