/* SPDX-License-Identifier: Apache-2.0 */

/*
 * No race with a set that is just being prepared: its guard writes it down, durably, before the provider makes
 * the mark. So marks are listed first, and journals read then.
 */
#include "cli/leftmarks.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "guard/holds.h"
#include "provider/provider.h"

struct marked {
	size_t n;
	struct snapshot *items;
};

static void
marked_done(struct marked *m)
{
	free(m->items);
}

static int
note(const struct snapshot *s, void *arg, struct error *err)
{
	struct marked *m = arg;
	struct snapshot *items = reallocarray(m->items, m->n + 1, sizeof(*items));

	if (items == NULL)
		return error_no_memory(err);
	m->items = items;
	m->items[m->n++] = *s;
	return OK;
}

static bool
is_journaled(const struct holds *holds, const struct snapshot *s)
{
	for (size_t i = 0; i < holds->n; i++) {
		if (memcmp(holds->items[i].lease.lease.key.set, s->set, sizeof(s->set)) == 0)
			return true;
	}
	return false;
}

static bool
any_damaged(const struct holds *holds)
{
	for (size_t i = 0; i < holds->n; i++) {
		if (holds->items[i].damaged)
			return true;
	}
	return false;
}

static void
remove_one(const struct snapshot *s, const struct provider_settings *settings,
	   guard_event_fn *event, void *arg)
{
	const struct provider_ops *ops = provider_find_by_name(s->provider);
	struct guard_event e = {.boot_ns = clock_boot_ns(), .wall_ns = clock_wall_ns()};
	struct error err = ERROR_INIT;

	if (ops == NULL)
		return;
	memcpy(e.key.set, s->set, sizeof(e.key.set));
	e.key.epoch = 1; /* some: there is a set */
	e.id = EVENT_LEFTOVER_RELEASED;
	(void)text_printf(e.fields, sizeof(e.fields), "provider=%s place=%s", s->provider,
			  s->place);
	if (ops->remove(s, settings, &err) < 0) {
		e.id = EVENT_SNAPSHOT_RELEASE_FAILED;
		(void)text_printf(e.fields, sizeof(e.fields), "provider=%s place=%s error=%s",
				  s->provider, s->place, err.msg);
	}
	event(&e, arg);
}

int
leftmarks_remove(const char *state_dir, const struct provider_settings *settings,
		 guard_event_fn *event, void *arg, struct error *err)
{
	CLEAN(marked_done) struct marked marked = {0};
	CLEAN(holds_done) struct holds holds = {0};
	const struct provider_ops *ops;

	for (size_t i = 0; (ops = provider_at(i)) != NULL; i++) {
		if (ops->find(settings, note, &marked, err) < 0)
			return err->code;
	}
	if (marked.n == 0)
		return OK;
	if (holds_read(state_dir, &holds, err) < 0)
		return err->code;
	for (size_t i = 0; i < marked.n && !any_damaged(&holds); i++) {
		if (!is_journaled(&holds, &marked.items[i]))
			remove_one(&marked.items[i], settings, event, arg);
	}
	return OK;
}
