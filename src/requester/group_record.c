/* SPDX-License-Identifier: Apache-2.0 */

/* The group in a restore point. */
#include "requester/group_record.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "group/log_source.h"

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

static bool
has_name(const json_t *names, const char *wanted)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);

		if (text != NULL && strcmp(text, wanted) == 0)
			return true;
	}
	return false;
}

/* Each log by its name, as the server would name it: as many others are no range. */
static int
check_names(const struct group_facts *f, const json_t *names, uint64_t first, uint64_t last,
	    struct error *err)
{
	const struct log_source_ops *logs = f->group->engine->logs;
	uint64_t segment = f->range.segment_bytes;
	char name[LOG_FILE_NAME_MAX];

	/* Where it ends at the beginning of a log nothing of that one is needed. */
	for (uint64_t at = first - first % segment; at < MAX(last, first + 1); at += segment) {
		(void)logs->segment_name(f->range.timeline, at, segment, name);
		if (!has_name(names, name))
			return error_set(err, ERR_PROTOCOL,
					 "copy '%s' was backed up without the log %s, which it "
					 "needs",
					 f->copy->name, name);
	}
	return OK;
}

/* What it needs is in the active copy's log; an image has it in itself, as a server that lost its power does, and
 * gives no names. */
static int
check_range(const struct group_facts *f, const json_t *component, struct error *err)
{
	const char *from = json_string_value(json_object_get(component, "start_lsn"));
	const char *to = json_string_value(json_object_get(component, "stop_lsn"));
	const json_t *names = json_object_get(component, "wal");
	bool image = json_object_get(component, "redo_log") != NULL;
	const struct engine *e = f->group->engine;
	uint64_t first, last;
	char text[ENGINE_POSITION_MAX];

	if (from == NULL || to == NULL || !e->position_parse(from, &first) ||
	    !e->position_parse(to, &last) || last < first)
		return error_set(err, ERR_PROTOCOL,
				 "copy '%s' gives no range of its logs: from %.32s to %.32s",
				 f->copy->name, from != NULL ? from : "?", to != NULL ? to : "?");
	/* An image of the active copy ends where its server has written to, on disk or not. */
	if (last > f->context.end && !(image && f->role == COPY_ROLE_ACTIVE))
		return error_set(
			err, ERR_GROUP_ROLE,
			"copy '%s' has log up to %s, and the active copy '%s' only up to %s: "
			"they do not share it",
			f->copy->name, to, f->active->name, e->position_text(f->context.end, text));
	return image ? OK : check_names(f, names, first, last, err);
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
