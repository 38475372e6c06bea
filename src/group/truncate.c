/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The decision: a mark for everybody who needs logs, and the least of them. Whatever is not known counts as
 * "needs all of them", so that a mistake here costs space and never logs.
 */
#include "group/truncate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "group/log_source.h"

/* ---- marks ----------------------------------------------------------------------------------- */

static struct truncate_mark *
add_mark(struct truncate_plan *p, enum truncate_who who, const char *name, uint64_t position,
	 bool binding)
{
	struct truncate_mark *m = &p->marks[MIN(p->n, (size_t)TRUNCATE_MARKS_MAX - 1)];

	if (p->n < TRUNCATE_MARKS_MAX)
		p->n++;
	*m = (struct truncate_mark){.who = who, .position = position, .binding = binding};
	(void)text_printf(m->name, sizeof(m->name), "%s", name);
	return m;
}

/* What is said to be stored and lies beyond the log's end is of another history than this one. */
static void
mark_stored(struct truncate_plan *p, enum truncate_who who, uint64_t position, bool binding,
	    const char *why, uint64_t generated)
{
	bool beyond = position > generated;
	struct truncate_mark *m = add_mark(p, who, "", beyond ? 0 : position, binding);

	(void)text_printf(m->why, sizeof(m->why), "%s%s", why,
			  beyond ? ", but that lies beyond the end of the active copy's log" : "");
}

static void
mark_repository(struct truncate_plan *p, const struct truncate_stored *s, uint64_t generated)
{
	if (s->base_binds || s->base != 0)
		mark_stored(p, TRUNCATE_REPOSITORY, s->base, s->base_binds, s->base_why, generated);
	if (s->logs_bind || s->logs != 0)
		mark_stored(p, TRUNCATE_LOGS, s->logs, s->logs_bind, s->logs_why, generated);
}

/* A passive copy needs what it has not copied, and what it has not replayed: should its own logs be lost it
 * gets them from the active copy again. */
static uint64_t
need_of(const struct copy_facts *f)
{
	if (f->copied == 0 || f->replayed == 0)
		return MAX(f->copied, f->replayed);
	return MIN(f->copied, f->replayed);
}

static bool
is_known(const struct group_member *m)
{
	return m->facts.failure == OK && m->facts.role == COPY_ROLE_PASSIVE &&
	       m->status != COPY_FAILED && need_of(&m->facts) != 0;
}

static void
mark_copy(struct truncate_plan *p, const struct group_member *c)
{
	bool known = is_known(c);
	struct truncate_mark *m = add_mark(p, TRUNCATE_COPY, c->copy->name,
					   known ? need_of(&c->facts) : 0, true);
	const char *why = c->why[0] != 0 ? c->why : c->facts.message;

	if (known && c->status == COPY_HEALTHY)
		return;
	(void)text_printf(m->why, sizeof(m->why), "%s%s%s", copy_status_name(c->status),
			  why[0] != 0 ? ": " : "", why);
}

static const struct copy_slot *
find_slot(const struct copy_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_slots; i++)
		if (!f->slots[i].temporary && strcmp(f->slots[i].name, name) == 0)
			return &f->slots[i];
	return NULL;
}

/* Whose slot it is, as far as it can be told. */
static void
describe_slot(const struct group_view *v, const struct copy_slot *s, char *text, size_t size)
{
	const struct engine *engine = v->group->engine;
	char copier[LOG_SLOT_NAME_MAX];

	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->members[i].facts.source_slot, s->name) == 0) {
			(void)text_printf(text, size, "that of copy %s", v->members[i].copy->name);
			return;
		}
	if (engine->logs != NULL && strcmp(engine->logs->slot_name(v->group, copier), s->name) == 0)
		(void)text_printf(text, size, "the log copier's");
	else
		(void)text_printf(text, size, "not the group's");
}

static void
mark_slots(struct truncate_plan *p, const struct group_view *v)
{
	const struct copy_facts *f = &v->members[v->active].facts;
	const char *own = v->group->slot;

	for (size_t i = 0; i < f->n_slots && i < ENGINE_SLOTS_MAX; i++) {
		const struct copy_slot *s = &f->slots[i];
		struct truncate_mark *m;
		char whose[96];

		if (own != NULL && !s->temporary && strcmp(s->name, own) == 0)
			continue;
		describe_slot(v, s, whose, sizeof(whose));
		m = add_mark(p, TRUNCATE_SLOT, s->name, s->position, false);
		(void)text_printf(m->why, sizeof(m->why), "%s%s: it keeps logs by itself", whose,
				  s->lost        ? ", and lost"
				  : s->temporary ? ", temporary"
						 : "");
	}
}

/* ---- the decision ------------------------------------------------------------------------------ */

static void
find_blocker(struct truncate_plan *p)
{
	p->blocker = SIZE_MAX;
	for (size_t i = 0; i < p->n; i++)
		if (p->marks[i].binding && (p->blocker == SIZE_MAX ||
					    p->marks[i].position < p->marks[p->blocker].position))
			p->blocker = i;
}

/* Whether the repository by itself would allow more than is let go of now. */
static bool
is_stored_beyond(const struct truncate_plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->marks[i].binding && p->marks[i].who != TRUNCATE_COPY &&
		    p->marks[i].position <= p->before)
			return false;
	return true;
}

static enum truncate_end
end_of(const struct truncate_plan *p, const struct group *g, const struct copy_slot *slot)
{
	uint64_t least = p->blocker == SIZE_MAX ? 0 : p->marks[p->blocker].position;

	if (g->slot == NULL)
		return TRUNCATE_NO_SLOT;
	if (slot != NULL && slot->active && !slot->lost)
		return TRUNCATE_BY_COPIER;
	if (least > p->before)
		return TRUNCATE_MOVES;
	return is_stored_beyond(p) ? TRUNCATE_BLOCKED : TRUNCATE_NOTHING_NEW;
}

int
truncate_decide(const struct group_view *v, const struct truncate_stored *stored,
		struct truncate_plan *ret, struct error *err)
{
	const struct copy_facts *active;
	const struct copy_slot *slot;

	if (v->active >= v->n)
		return group_no_active(v, err);
	active = &v->members[v->active].facts;
	slot = v->group->slot != NULL ? find_slot(active, v->group->slot) : NULL;
	*ret = (struct truncate_plan){.segment_bytes = active->segment_bytes};
	ret->lost = slot != NULL && slot->lost;
	ret->before = slot != NULL && !slot->lost ? slot->position : 0;
	mark_repository(ret, stored, active->generated);
	for (size_t i = 0; i < v->n; i++)
		if (i != v->active)
			mark_copy(ret, &v->members[i]);
	mark_slots(ret, v);
	find_blocker(ret);
	ret->end = end_of(ret, v->group, slot);
	ret->to = ret->end == TRUNCATE_MOVES ? ret->marks[ret->blocker].position : ret->before;
	return OK;
}

/* ---- in words ------------------------------------------------------------------------------------ */

static const char *
who_name(enum truncate_who who)
{
	switch (who) {
	case TRUNCATE_REPOSITORY:
		return "repository";
	case TRUNCATE_LOGS:
		return "log backups";
	case TRUNCATE_COPY:
		return "copy";
	case TRUNCATE_SLOT:
		return "slot";
	}
	return "unknown";
}

const char *
truncate_mark_name(const struct truncate_mark *m, char text[TRUNCATE_NAME_MAX])
{
	(void)snprintf(text, TRUNCATE_NAME_MAX, "%s%s%s", who_name(m->who),
		       m->name[0] != 0 ? " " : "", m->name);
	return text;
}

const char *
truncate_end_name(enum truncate_end e)
{
	switch (e) {
	case TRUNCATE_MOVES:
		return "moves";
	case TRUNCATE_NOTHING_NEW:
		return "nothing-new";
	case TRUNCATE_BLOCKED:
		return "blocked";
	case TRUNCATE_BY_COPIER:
		return "by-copier";
	case TRUNCATE_NO_SLOT:
		return "no-slot";
	case TRUNCATE_NEVER:
		return "never";
	}
	return "unknown";
}

/* "logs are kept from 0/3000000 on" */
static const char *
kept(const struct truncate_plan *p, const struct group *g, char *text, size_t size)
{
	char position[ENGINE_POSITION_MAX];

	if (p->before == 0)
		(void)text_printf(text, size, "there is no slot '%s' yet", g->slot);
	else
		(void)text_printf(text, size, "logs are kept from %s on",
				  g->engine->position_text(p->before, position));
	return text;
}

static const char *
because(const struct truncate_plan *p, char *text, size_t size)
{
	const struct truncate_mark *m;
	char name[TRUNCATE_NAME_MAX];

	if (p->blocker == SIZE_MAX)
		return "nobody says what may go";
	m = &p->marks[p->blocker];
	(void)text_printf(text, size, "%s%s%s%s", m->who == TRUNCATE_COPY ? "" : "the ",
			  truncate_mark_name(m, name), m->why[0] != 0 ? ": " : "", m->why);
	return text;
}

/* "logs before 0/7000028 may go: 2 log files; copy pg3 needs the rest" */
static void
moves(const struct truncate_plan *p, const struct group *g, bool moved, char *text, size_t size)
{
	const struct truncate_mark *m = &p->marks[p->blocker];
	char to[ENGINE_POSITION_MAX], name[TRUNCATE_NAME_MAX], files[48] = "", rest[128] = "";

	(void)g->engine->position_text(p->to, to);
	if (p->before != 0 && p->segment_bytes != 0) {
		uint64_t n = p->to / p->segment_bytes - p->before / p->segment_bytes;
		(void)snprintf(files, sizeof(files), ": %" PRIu64 " log file%s", n,
			       n == 1 ? "" : "s");
	}
	if (m->who == TRUNCATE_COPY)
		(void)snprintf(rest, sizeof(rest), "; %s needs the rest",
			       truncate_mark_name(m, name));
	(void)text_printf(text, size, "logs before %s %s%s%s%s", to,
			  moved ? "were let go of" : "may go", files, rest,
			  p->lost ? "; the slot had lost logs, and is made anew" : "");
}

const char *
truncate_sentence(const struct truncate_plan *p, const struct group *g, bool moved,
		  char text[TRUNCATE_SENTENCE_MAX])
{
	const size_t size = TRUNCATE_SENTENCE_MAX;
	char at[96], why[TRUNCATE_WHY_MAX + 100];

	switch (p->end) {
	case TRUNCATE_MOVES:
		moves(p, g, moved, text, size);
		break;
	case TRUNCATE_NOTHING_NEW:
		(void)text_printf(text, size, "nothing to let go of: %s; %s",
				  kept(p, g, at, sizeof(at)), because(p, why, sizeof(why)));
		break;
	case TRUNCATE_BLOCKED:
		(void)text_printf(text, size,
				  "nothing is let go of, as this needs the logs: %s; %s",
				  because(p, why, sizeof(why)), kept(p, g, at, sizeof(at)));
		break;
	case TRUNCATE_BY_COPIER:
		(void)text_printf(text, size,
				  "the log copier holds slot '%s', and moves it itself when logs "
				  "are stored",
				  g->slot);
		break;
	case TRUNCATE_NO_SLOT:
		(void)text_printf(text, size, "the group has no slot of its own (setting 'slot')");
		break;
	case TRUNCATE_NEVER:
		(void)text_printf(text, size, "a backup of this type never lets go of logs");
		break;
	}
	return text;
}

static json_t *
position_json(const struct group *g, uint64_t position)
{
	char text[ENGINE_POSITION_MAX];

	return position == 0 ? json_null() : json_string(g->engine->position_text(position, text));
}

json_t *
truncate_json(const struct truncate_plan *p, const struct group *g)
{
	CLEAN(json_done) json_t *marks = json_array();
	char text[TRUNCATE_SENTENCE_MAX];

	for (size_t i = 0; i < p->n; i++) {
		const struct truncate_mark *m = &p->marks[i];
		json_t *j = json_pack("{s:s, s:s, s:o, s:b, s:b, s:o}", "who", who_name(m->who),
				      "name", m->name, "needs_from", position_json(g, m->position),
				      "binding", (int)m->binding, "blocks", (int)(i == p->blocker),
				      "why", json_bytes(m->why, strlen(m->why)));
		if (json_array_append_new(marks, j) < 0)
			return NULL;
	}
	(void)truncate_sentence(p, g, false, text);
	return json_pack("{s:s, s:s*, s:o, s:o, s:b, s:O, s:o}", "end", truncate_end_name(p->end),
			 "slot", g->slot, "kept_from", position_json(g, p->before), "to",
			 position_json(g, p->to), "slot_lost", (int)p->lost, "marks", marks,
			 "sentence", json_bytes(text, strlen(text)));
}
