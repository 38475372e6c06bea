/* SPDX-License-Identifier: Apache-2.0 */

/* Two rings of fixed size. */
#include "guard/daemon/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "guard/daemon/reach.h"

bool
say_has_room(const struct guardian *g)
{
	/* Half for answers that come later than their requests. */
	return g->answers_next - g->answers_first < GUARDIAN_ANSWERS_MAX / 2;
}

bool
say_has_work(const struct guardian *g)
{
	return !g->agent_lost && (g->answers_next != g->answers_first ||
				  g->events_next != g->events_first || g->events_lost > 0);
}

static struct wire_message *
new_answer(struct guardian *g, enum wire_kind kind, uint64_t number, const struct lease_key *key)
{
	/* Cannot happen: askers are fewer than the other half. The oldest would never be read. */
	if (g->answers_next - g->answers_first == GUARDIAN_ANSWERS_MAX)
		g->answers_first++;
	struct wire_message *m = &g->answers[g->answers_next++ % GUARDIAN_ANSWERS_MAX];
	wire_init(m, kind, number, key);
	m->head.answer = 1;
	return m;
}

void
say_answer(struct guardian *g, enum wire_kind kind, uint64_t number, const struct lease_key *key,
	   const void *body, size_t size)
{
	struct wire_message *m = new_answer(g, kind, number, key);

	if (size > 0)
		memcpy(&m->body, body, MIN(size, sizeof(m->body)));
}

void
say_error(struct guardian *g, enum wire_kind kind, uint64_t number, const struct error *e)
{
	wire_set_error(new_answer(g, kind, number, NULL), e);
}

void
say_to_asker(struct hold *h, const void *body, size_t size)
{
	if (h->asker.kind != 0)
		say_answer(h->g, h->asker.kind, h->asker.number, &h->key, body, size);
	h->asker.kind = 0;
}

void
say_error_to_asker(struct hold *h, const struct error *e)
{
	if (h->asker.kind != 0)
		say_error(h->g, h->asker.kind, h->asker.number, e);
	h->asker.kind = 0;
}

static struct guard_event *
new_event(struct guardian *g)
{
	if (g->events_next - g->events_first == GUARDIAN_EVENTS_MAX) {
		g->events_first++;
		g->events_lost++;
	}
	return &g->events[g->events_next++ % GUARDIAN_EVENTS_MAX];
}

void
say_event(struct guardian *g, const struct hold *h, enum event_id id, const char *format, ...)
{
	struct guard_event *e = new_event(g);
	va_list args;

	memset(e, 0, sizeof(*e));
	e->boot_ns = clock_boot_ns();
	e->wall_ns = clock_wall_ns();
	e->id = id;
	if (h != NULL) {
		e->key = h->key;
		memcpy(e->job, h->job, sizeof(e->job));
	}
	va_start(args, format);
	(void)text_vprintf(e->fields, sizeof(e->fields), format, args);
	va_end(args);
}

void
say_thaw_failed(struct guardian *g, const struct hold *h, const struct freezer *f)
{
	char device[64];

	if (f->fd >= 0) {
		say_event(g, h, EVENT_THAW_FAILED, "source=%s error=%s", f->path,
			  strerror(f->thaw_errno));
		return;
	}
	reach_device(f->device, device, sizeof(device));
	say_event(
		g, h, EVENT_THAW_FAILED,
		"source=%s error=not mounted any more, and out of reach by its device: %s; if it is "
		"frozen, 'mount %s DIR && fsfreeze -u DIR' thaws it",
		f->path, strerror(f->thaw_errno), device);
}

static bool
send_event(struct guardian *g, const struct guard_event *event)
{
	struct wire_message m;

	wire_init(&m, WIRE_EVENT, 0, NULL);
	m.body.event = *event;
	return wire_send(g->socket, &m, -1, false, NULL) == 1;
}

static bool
send_lost(struct guardian *g)
{
	struct guard_event e;

	memset(&e, 0, sizeof(e));
	e.boot_ns = clock_boot_ns();
	e.wall_ns = clock_wall_ns();
	e.id = EVENT_EVENTS_LOST;
	(void)snprintf(e.fields, sizeof(e.fields), "count=%" PRIu64, g->events_lost);
	return send_event(g, &e);
}

void
say_flush(struct guardian *g)
{
	while (!g->agent_lost && g->answers_first != g->answers_next) {
		if (wire_send(g->socket, &g->answers[g->answers_first % GUARDIAN_ANSWERS_MAX], -1,
			      false, NULL) != 1)
			return;
		g->answers_first++;
	}
	if (!g->agent_lost && g->events_lost > 0 && send_lost(g))
		g->events_lost = 0;
	while (!g->agent_lost && g->events_first != g->events_next) {
		if (!send_event(g, &g->events[g->events_first % GUARDIAN_EVENTS_MAX]))
			return;
		g->events_first++;
	}
}
