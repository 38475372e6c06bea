/* SPDX-License-Identifier: Apache-2.0 */

/* The group in a restore point. */
#include "requester/group_record.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

enum { LOG_NAME_LENGTH = 24 }; /* of a log; files of a timeline's history are named otherwise */

static const json_t *
component_of(const struct group_facts *f, const json_t *roots)
{
	const json_t *root;
	size_t i;

	json_array_foreach(roots, i, root)
	{
		const char *writer = json_string_value(json_object_get(root, "writer"));

		if (writer != NULL && strcmp(writer, f->group->engine->writer) == 0)
			return json_object_get(root, "component");
	}
	return NULL;
}

static int
check_identity(const struct group_facts *f, const json_t *component, struct error *err)
{
	const char *own = json_string_value(json_object_get(component, "system_identifier"));

	if (own != NULL && strcmp(own, f->identity) == 0)
		return OK;
	(void)error_set(
		err, ERR_CONFIG,
		"the agent of '%s' backed up another database than that of group '%s': %.32s, "
		"not %s",
		f->copy->name, f->group->name, own != NULL ? own : "an unnamed one", f->identity);
	return error_hint(
		err,
		"let [writer.%s] in the configuration of that agent name the same server as "
		"[group.%s.copy.%s] here",
		f->group->engine->writer, f->group->name, f->copy->name);
}

static int
check_role(const struct group_facts *f, const json_t *component, struct error *err)
{
	const char *role = json_string_value(json_object_get(component, "role"));
	const char *wanted = f->role == COPY_ROLE_ACTIVE ? "primary" : "standby";
	json_int_t timeline = json_integer_value(json_object_get(component, "timeline"));

	/* A writer that does not say so is believed: the context has looked at it, too. */
	if (role != NULL && strcmp(role, wanted) != 0)
		return error_set(err, ERR_GROUP_ROLE, "copy '%s' was backed up as a %s, not a %s",
				 f->copy->name, role, wanted);
	if (timeline != 0 && timeline != (json_int_t)f->range.timeline)
		return error_set(err, ERR_GROUP_ROLE,
				 "copy '%s' was backed up on timeline %" JSON_INTEGER_FORMAT
				 ", the logs of '%s' are of timeline %" PRIu32,
				 f->copy->name, timeline, f->active->name, f->range.timeline);
	return OK;
}

static uint64_t
count_logs(const json_t *names)
{
	const json_t *name;
	uint64_t n = 0;
	size_t i;

	json_array_foreach(names, i, name)
	{
		if (json_string_length(name) == LOG_NAME_LENGTH)
			n++;
	}
	return n;
}

/* An image has none: it carries its own logs, as a server that lost its power does. */
static int
check_range(const struct group_facts *f, const json_t *component, struct error *err)
{
	const char *from = json_string_value(json_object_get(component, "start_lsn"));
	const char *to = json_string_value(json_object_get(component, "stop_lsn"));
	const json_t *names = json_object_get(component, "wal");
	const struct engine *e = f->group->engine;
	uint64_t segment = f->range.segment_bytes, first, last, wanted, have;
	char text[ENGINE_POSITION_MAX];

	if (from == NULL || to == NULL || !json_is_array(names) || segment == 0)
		return OK;
	if (!e->position_parse(from, &first) || !e->position_parse(to, &last) || last < first)
		return error_set(err, ERR_PROTOCOL,
				 "copy '%s' gives no range of its logs: from %.32s to %.32s",
				 f->copy->name, from, to);
	if (last > f->context.end)
		return error_set(
			err, ERR_GROUP_ROLE,
			"copy '%s' has log up to %s, and the active copy '%s' only up to %s: "
			"they do not share it",
			f->copy->name, to, f->active->name, e->position_text(f->context.end, text));
	/* Where it ends at the beginning of a log nothing of that one is needed. */
	wanted = (last > first ? last - 1 : last) / segment - first / segment + 1;
	have = count_logs(names);
	if (have < wanted)
		return error_set(err, ERR_PROTOCOL,
				 "copy '%s': from %s to %s are %" PRIu64 " logs, and only %" PRIu64
				 " were backed up",
				 f->copy->name, from, to, wanted, have);
	return OK;
}

int
group_record_check(const struct group_facts *f, const json_t *roots, struct error *err)
{
	const json_t *component = component_of(f, roots);

	if (component == NULL)
		return error_set(err, ERR_PROTOCOL, "the agent of '%s' backed up no database",
				 f->copy->name);
	if (check_identity(f, component, err) < 0 || check_role(f, component, err) < 0)
		return err->code;
	return check_range(f, component, err);
}

static json_t *
position(const struct group_facts *f, uint64_t p)
{
	char text[ENGINE_POSITION_MAX];

	return json_string(f->group->engine->position_text(p, text));
}

int
group_record_add(const struct group_facts *f, json_t *record, struct error *err)
{
	const struct log_range *r = &f->range;
	const struct context_state *c = &f->context;
	json_t *range = json_pack("{s:o, s:o, s:o, s:I, s:I}", "oldest", position(f, r->oldest),
				  "required", position(f, r->required), "end", position(f, c->end),
				  "files", (json_int_t)r->n_files, "took_ms",
				  (json_int_t)(r->took_ns / NS_PER_MS));
	json_t *context = json_pack("{s:i, s:I, s:i}", "reopened", (int)c->reopened, "held_ms",
				    (json_int_t)((f->now_ns - c->opened_ns) / NS_PER_MS),
				    "copier_lost", (int)c->copier_lost);
	json_t *group = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:s}", "name", f->group->name,
		"copy", f->copy->name, "role", copy_role_name(f->role), "active", f->active->name,
		"engine", f->group->engine->name, "identity", f->identity, "timeline",
		(json_int_t)r->timeline, "range", range, "context", context, "choice", f->why);

	if (group == NULL || json_object_set_new(record, "group", group) < 0)
		return error_no_memory(err);
	return OK;
}
