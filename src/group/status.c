/* SPDX-License-Identifier: Apache-2.0 */

/* From what the copies said to what it means. Pure. */
#include "group/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"

void
group_view_done(struct group_view *v)
{
	free(v->members);
	*v = (struct group_view){.active = SIZE_MAX};
}

static bool
answered(const struct group_member *m)
{
	return m->facts.failure == OK;
}

/* The active copy. */

/* Two databases in one group is a mistake in the configuration; the same one active twice means that a
 * former active copy still runs after another was promoted. Both are for people to decide. */
static void
say_several(struct group_view *v, size_t a, size_t b)
{
	const struct group_member *first = &v->members[a], *second = &v->members[b];

	v->mixed = strcmp(first->facts.identity, second->facts.identity) != 0;
	if (v->mixed)
		(void)text_printf(v->why_no_active, sizeof(v->why_no_active),
				  "%s and %s are active copies of different databases (%s, %s)",
				  first->copy->name, second->copy->name, first->facts.identity,
				  second->facts.identity);
	else
		(void)text_printf(v->why_no_active, sizeof(v->why_no_active),
				  "both %s (timeline %" PRIu32 ") and %s (timeline %" PRIu32
				  ") are active",
				  first->copy->name, first->facts.timeline, second->copy->name,
				  second->facts.timeline);
}

static void
find_active(struct group_view *v)
{
	size_t silent = 0;

	v->active = SIZE_MAX;
	v->mixed = false;
	v->why_no_active[0] = '\0';
	for (size_t i = 0; i < v->n; i++) {
		if (!answered(&v->members[i]))
			silent++;
		if (!answered(&v->members[i]) || v->members[i].facts.role != COPY_ROLE_ACTIVE)
			continue;
		if (v->active != SIZE_MAX) {
			say_several(v, v->active, i);
			v->active = SIZE_MAX;
			return;
		}
		v->active = i;
	}
	if (v->active != SIZE_MAX)
		return;
	if (silent == v->n)
		(void)text_printf(v->why_no_active, sizeof(v->why_no_active),
				  "no copy could be asked");
	else if (silent > 0)
		(void)text_printf(v->why_no_active, sizeof(v->why_no_active),
				  "none of the copies that could be asked is active");
	else
		(void)text_printf(v->why_no_active, sizeof(v->why_no_active),
				  "none of the copies is active");
}

/* The database that the group is a group of: the active copy's, else that of the first who answers. */
static const char *
group_identity(const struct group_view *v)
{
	if (v->active != SIZE_MAX)
		return v->members[v->active].facts.identity;
	for (size_t i = 0; i < v->n; i++)
		if (answered(&v->members[i]))
			return v->members[i].facts.identity;
	return "";
}

/* Queues. */

/* The copies are asked at about the same moment, not at the same: less than nothing is nothing. */
static uint64_t
behind(uint64_t ahead, uint64_t position)
{
	return ahead > position ? ahead - position : 0;
}

static void
count_queues(const struct group_view *v, struct group_member *m)
{
	m->copy_queue = m->replay_queue = UINT64_MAX;
	if (!answered(m))
		return;
	if (m->facts.role == COPY_ROLE_ACTIVE) {
		m->copy_queue = m->replay_queue = 0;
		return;
	}
	if (m->facts.copied == 0)
		return;
	m->replay_queue = behind(m->facts.copied, m->facts.replayed);
	if (v->active != SIZE_MAX)
		m->copy_queue = behind(v->members[v->active].facts.generated, m->facts.copied);
}

static bool
is_far(uint64_t queue, uint64_t most)
{
	return queue != UINT64_MAX && queue > most;
}

/* Status. */

static void judge(struct group_member *m, enum copy_status status, const char *format, ...)
	PRINTF_LIKE(3, 4);

static void
judge(struct group_member *m, enum copy_status status, const char *format, ...)
{
	va_list ap;

	m->status = status;
	va_start(ap, format);
	(void)text_vprintf(m->why, sizeof(m->why), format, ap);
	va_end(ap);
}

/* Who refuses us answers, so its server is not down; but of the copy we know nothing. */
static enum copy_status
status_of_failure(const struct copy_facts *f)
{
	if (f->starting)
		return COPY_INITIALIZING;
	switch (f->failure) {
	case ERR_DB_CONNECT:
	case ERR_DB_SESSION_LOST:
	case ERR_TIMEOUT:
	case ERR_IO:
		return COPY_SERVICE_DOWN;
	default:
		return COPY_FAILED;
	}
}

static const struct copy_slot *
find_slot(const struct copy_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_slots; i++)
		if (strcmp(f->slots[i].name, name) == 0)
			return &f->slots[i];
	return NULL;
}

/* What no waiting mends. False if there is nothing of that kind. */
static bool
judge_failed(const struct group_view *v, struct group_member *m)
{
	const struct copy_facts *active = v->active != SIZE_MAX ? &v->members[v->active].facts
								: NULL;
	const struct copy_facts *f = &m->facts;
	const struct copy_slot *slot;

	if (strcmp(f->identity, group_identity(v)) != 0)
		judge(m, COPY_FAILED, "it is of another database: system identifier %s, not %s",
		      f->identity, group_identity(v));
	else if (active != NULL && f->timeline > active->timeline)
		judge(m, COPY_FAILED,
		      "it is on timeline %" PRIu32
		      ", which is newer than the active copy's, %" PRIu32,
		      f->timeline, active->timeline);
	else if (active != NULL && f->timeline < active->timeline && !f->receiving)
		judge(m, COPY_FAILED, "it is on timeline %" PRIu32 ", the active copy on %" PRIu32,
		      f->timeline, active->timeline);
	else if (active != NULL && !f->receiving && f->source_slot[0] != '\0' &&
		 (slot = find_slot(active, f->source_slot)) != NULL && slot->lost)
		judge(m, COPY_FAILED,
		      "the active copy has removed logs that it needs (slot %s was invalidated)",
		      slot->name);
	else
		return false;
	return true;
}

/* "copy queue 3145728 bytes", for a status that is about it. */
static void
judge_far(const struct group *g, struct group_member *m, enum copy_status status)
{
	if (is_far(m->copy_queue, g->max_copy_queue))
		judge(m, status, "%" PRIu64 " MiB of logs are still to be copied",
		      m->copy_queue >> 20);
	else
		judge(m, status, "%" PRIu64 " MiB of logs are still to be replayed",
		      m->replay_queue >> 20);
}

static void
judge_passive(const struct group_view *v, struct group_member *m)
{
	const struct copy_facts *f = &m->facts;
	bool far = is_far(m->copy_queue, v->group->max_copy_queue) ||
		   is_far(m->replay_queue, v->group->max_replay_queue);

	if (judge_failed(v, m))
		return;
	if (f->replay_paused)
		judge(m, COPY_SUSPENDED, "replay is paused%s",
		      f->receiving ? "" : ", and its log copier is not connected");
	else if (f->receiving && v->active != SIZE_MAX &&
		 f->timeline < v->members[v->active].facts.timeline)
		judge(m, COPY_RESYNCHRONIZING,
		      "it is still on timeline %" PRIu32 ", the active copy on %" PRIu32,
		      f->timeline, v->members[v->active].facts.timeline);
	else if (f->receiving && far)
		judge_far(v->group, m, COPY_RESYNCHRONIZING);
	else if (f->receiving)
		judge(m, COPY_HEALTHY, "%s", "");
	else if (v->active == SIZE_MAX)
		judge(m, COPY_DISCONNECTED,
		      "its log copier is not connected, and no active copy is known");
	else if (far)
		judge_far(v->group, m, COPY_DISCONNECTED_AND_RESYNCHRONIZING);
	else
		judge(m, COPY_DISCONNECTED_AND_HEALTHY, "its log copier is not connected");
}

static void
judge_active(const struct group_view *v, struct group_member *m)
{
	const struct copy_facts *f = &m->facts;
	const struct copy_slot *own = v->group->slot != NULL ? find_slot(f, v->group->slot) : NULL;

	if (own != NULL && own->lost)
		judge(m, COPY_MOUNTED,
		      "logs that were not backed up yet were removed (slot %s was invalidated)",
		      own->name);
	else if (v->active == SIZE_MAX)
		judge(m, COPY_MOUNTED, "%s", v->why_no_active);
	else
		judge(m, COPY_MOUNTED, "%s", "");
}

void
group_judge(struct group_view *v)
{
	find_active(v);
	for (size_t i = 0; i < v->n; i++) {
		struct group_member *m = &v->members[i];

		count_queues(v, m);
		if (!answered(m))
			judge(m, status_of_failure(&m->facts), "%s", m->facts.message);
		else if (m->facts.role == COPY_ROLE_ACTIVE)
			judge_active(v, m);
		else if (m->facts.role == COPY_ROLE_PASSIVE)
			judge_passive(v, m);
		else
			judge(m, COPY_DISMOUNTED, "it is neither active nor passive");
	}
}

/* ": pg1: no answer; pg2: the password is wrong", of those that did not answer. */
static void
say_silent(const struct group_view *v, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < v->n && size - n > 8; i++) {
		const struct group_member *m = &v->members[i];

		if (answered(m))
			continue;
		(void)text_printf(text + n, size - n, "%s%s: %s", n > 0 ? "; " : ": ",
				  m->copy->name, m->facts.message);
		n += strlen(text + n);
	}
}

/* The first that did not answer, if none of those will before somebody mends something; else NULL. */
static const struct group_member *
refused_by(const struct group_view *v)
{
	const struct group_member *first = NULL;

	for (size_t i = 0; i < v->n; i++) {
		const struct group_member *m = &v->members[i];

		if (answered(m))
			continue;
		if (status_of_failure(&m->facts) != COPY_FAILED ||
		    error_retryable(m->facts.failure))
			return NULL;
		first = first != NULL ? first : m;
	}
	return first;
}

enum err
group_no_active(const struct group_view *v, struct error *err)
{
	const struct group_member *refused = refused_by(v);
	enum err code = v->mixed          ? ERR_CONFIG
			: refused != NULL ? refused->facts.failure
					  : ERR_GROUP_NO_COPY;
	char silent[400];

	say_silent(v, silent, sizeof(silent));
	error_set(err, code, "group '%s' has no active copy: %s%s", v->group->name,
		  v->why_no_active, silent);
	if (v->mixed)
		return error_hint(err,
				  "all sections [group.%s.copy.NAME] have to be of one database",
				  v->group->name);
	if (refused != NULL && refused->facts.hint[0] != '\0')
		return error_hint(err, "%s", refused->facts.hint);
	return code;
}
