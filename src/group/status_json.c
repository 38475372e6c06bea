/* SPDX-License-Identifier: Apache-2.0 */

/* A view of a group for programs. What is not known is null. */
#include "group/status.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

static json_t *
number_or_null(uint64_t n, bool known)
{
	return known ? json_integer((json_int_t)n) : json_null();
}

static json_t *
time_or_null(uint64_t wall_ns)
{
	return number_or_null(wall_ns, wall_ns != 0);
}

static json_t *
position_or_null(const struct group_view *v, uint64_t position)
{
	char text[ENGINE_POSITION_MAX];

	return position != 0 ? json_string(v->group->engine->position_text(position, text))
			     : json_null();
}

static json_t *
contexts_json(const struct copy_facts *f)
{
	json_t *all = json_array();

	for (size_t i = 0; all != NULL && i < f->n_contexts; i++) {
		const struct copy_context *c = &f->contexts[i];

		if (json_array_append_new(all, json_pack("{s:o, s:o}", "holder",
							 json_bytes(c->holder, strlen(c->holder)),
							 "since_ns", time_or_null(c->since_ns))) <
		    0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static json_t *
slots_json(const struct group_view *v, const struct copy_facts *f)
{
	json_t *all = json_array();

	for (size_t i = 0; all != NULL && i < f->n_slots; i++) {
		const struct copy_slot *s = &f->slots[i];

		if (json_array_append_new(all, json_pack("{s:o, s:b, s:b, s:b, s:o}", "name",
							 json_bytes(s->name, strlen(s->name)),
							 "temporary", s->temporary, "active",
							 s->active, "lost", s->lost, "position",
							 position_or_null(v, s->position))) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

/* An active copy's own log is what it has generated; a passive one's what it copied. */
static json_t *
member_json(const struct group_view *v, const struct group_member *m)
{
	const struct copy_facts *f = &m->facts;
	bool ok = f->failure == OK;

	return json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, "
		"s:b, s:b, s:I, s:o, s:o, s:o}",
		"name", m->copy->name, "role", copy_role_name(f->role), "status",
		copy_status_name(m->status), "why", json_bytes(m->why, strlen(m->why)), "error",
		ok ? json_null() : json_string(error_name(f->failure)), "hint",
		f->hint[0] != '\0' ? json_bytes(f->hint, strlen(f->hint)) : json_null(), "version",
		ok ? json_bytes(f->version, strlen(f->version)) : json_null(), "timeline",
		number_or_null(f->timeline, ok), "copy_queue_bytes",
		number_or_null(m->copy_queue, m->copy_queue != UINT64_MAX), "replay_queue_bytes",
		number_or_null(m->replay_queue, m->replay_queue != UINT64_MAX), "last_generated",
		position_or_null(v, f->generated), "last_generated_ns",
		time_or_null(f->generated_time_ns), "last_copied", position_or_null(v, f->copied),
		"last_copied_ns", time_or_null(f->copied_time_ns), "last_replayed",
		position_or_null(v, f->replayed), "last_replayed_ns",
		time_or_null(f->replayed_time_ns), "receiving", f->receiving, "source",
		f->source[0] != '\0' ? json_bytes(f->source, strlen(f->source)) : json_null(),
		"replay_paused", f->replay_paused, "in_backup_mode", f->in_backup_mode, "asked_ms",
		(json_int_t)(f->asked_ns / NS_PER_MS), "agent",
		m->copy->agent != NULL ? json_bytes(m->copy->agent, strlen(m->copy->agent))
				       : json_null(),
		"contexts", contexts_json(f), "slots", slots_json(v, f));
}

json_t *
group_view_json(const struct group_view *v)
{
	CLEAN(json_done) json_t *members = json_array();
	const struct group_member *active = v->active != SIZE_MAX ? &v->members[v->active] : NULL;

	for (size_t i = 0; i < v->n; i++)
		if (json_array_append_new(members, member_json(v, &v->members[i])) < 0)
			return NULL;
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:O}", "type", "group_status",
			 "group", v->group->name, "engine", v->group->engine->name, "prefer",
			 group_prefer_name(v->group->prefer), "time_ns", (json_int_t)v->time_ns,
			 "active", active != NULL ? json_string(active->copy->name) : json_null(),
			 "why_no_active",
			 active == NULL ? json_string(v->why_no_active) : json_null(), "identity",
			 active != NULL ? json_string(active->facts.identity) : json_null(),
			 "copies", members);
}
