/* SPDX-License-Identifier: Apache-2.0 */

/* Events from JSON, and back. */
#include "base/event_list.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

enum { EVENT_LIST_MAX = 100000 };

void
event_done(struct event *e)
{
	json_decref(e->fields);
	e->fields = NULL;
}

void
event_list_done(struct event_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		event_done(&list->items[i]);
	free(list->items);
	*list = (struct event_list){0};
}

int
event_list_add(struct event_list *list, struct event *e, struct error *err)
{
	/* Grows at powers of two, from 64. */
	if ((list->n & (list->n - 1)) == 0 && (list->n == 0 || list->n >= 64)) {
		size_t cap = list->n == 0 ? 64 : 2 * list->n;
		struct event *items = NULL;

		if (cap <= 2 * EVENT_LIST_MAX)
			items = reallocarray(list->items, cap, sizeof(*items));
		if (items == NULL) {
			event_done(e);
			return error_no_memory(err);
		}
		list->items = items;
	}
	list->items[list->n++] = *e;
	e->fields = NULL;
	return OK;
}

/* Insertion: the log is nearly in order, events that were held back are a few places off. */
void
event_list_sort(struct event_list *list)
{
	for (size_t i = 1; i < list->n; i++) {
		struct event e = list->items[i];
		size_t k = i;

		for (; k > 0 && list->items[k - 1].time_ns > e.time_ns; k--)
			list->items[k] = list->items[k - 1];
		list->items[k] = e;
	}
}

static int
copy_text(const json_t *j, const char *key, char *to, size_t size, struct error *err)
{
	const char *text;

	if (json_opt_str(j, key, "", &text, err) < 0)
		return err->code;
	(void)text_printf(to, size, "%s", text);
	return OK;
}

int
event_from_json(const json_t *j, struct event *ret, struct error *err)
{
	struct event e = {0};
	char level[16];
	uint64_t id;
	json_t *fields;

	if (json_get_u64(j, "time_ns", &e.time_ns, err) < 0 ||
	    json_get_u64(j, "id", &id, err) < 0 || json_opt_u64(j, "pid", 0, &e.pid, err) < 0 ||
	    json_get_obj(j, "fields", &fields, err) < 0 ||
	    copy_text(j, "name", e.name, sizeof(e.name), err) < 0 ||
	    copy_text(j, "program", e.program, sizeof(e.program), err) < 0 ||
	    copy_text(j, "job", e.job, sizeof(e.job), err) < 0 ||
	    copy_text(j, "set", e.set, sizeof(e.set), err) < 0 ||
	    copy_text(j, "level", level, sizeof(level), err) < 0)
		return err->code;
	if (id > UINT32_MAX)
		return error_set(err, ERR_PROTOCOL, "event number %" PRIu64 " is too high", id);
	e.id = (unsigned)id;
	e.level = event_level_find(level);
	if (e.level == 0)
		e.level = event_level(e.id);
	e.fields = json_incref(fields);
	*ret = e;
	return OK;
}

json_t *
event_to_json(const struct event *e)
{
	char time[32], ms[40];
	json_t *j;

	clock_format_utc(e->time_ns, time);
	time[strlen(time) - 1] = '\0';
	(void)text_printf(ms, sizeof(ms), "%s.%03uZ", time,
			  (unsigned)(e->time_ns % NS_PER_S / NS_PER_MS));
	j = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:I}", "time", ms, "time_ns",
		      (json_int_t)e->time_ns, "id", (json_int_t)e->id, "name", e->name, "level",
		      event_level_name(e->level), "program", e->program, "pid", (json_int_t)e->pid);
	if (j == NULL)
		return NULL;
	if ((e->job[0] != '\0' && json_object_set_new(j, "job", json_string(e->job)) < 0) ||
	    (e->set[0] != '\0' && json_object_set_new(j, "set", json_string(e->set)) < 0) ||
	    (event_text(e->id) != NULL &&
	     json_object_set_new(j, "text", json_string(event_text(e->id))) < 0) ||
	    json_object_set(j, "fields", e->fields) < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

const char *
event_field(const struct event *e, const char *name, char scratch[24])
{
	const json_t *value = json_object_get(e->fields, name);

	if (json_is_string(value))
		return json_string_value(value);
	scratch[0] = '\0';
	if (json_is_integer(value))
		(void)text_printf(scratch, 24, "%" PRId64, (int64_t)json_integer_value(value));
	return scratch;
}

uint64_t
event_number(const struct event *e, const char *name)
{
	const json_t *value = json_object_get(e->fields, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return 0;
	return (uint64_t)json_integer_value(value);
}

bool
event_has(const struct event *e, const char *name)
{
	return json_object_get(e->fields, name) != NULL;
}
