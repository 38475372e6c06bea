/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each copy is either out of the question, with a reason, or ranked; the best rank is chosen. What is said
 * about the choice is made of the same reasons.
 */
#include "group/choose.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { REASON_MAX = 320, SEGMENT_BYTES = 16 << 20 };

/* Compared one after another; less is better. */
enum rank {
	RANK_ROLE,
	RANK_FAULTS,
	RANK_STATUS,
	RANK_OTHER_BACKUP,
	RANK_QUEUES, /* in log files: less than one is no difference */
	RANK_COUNT
};

struct candidate {
	bool possible;
	bool hopeless; /* waiting changes nothing */
	char against[REASON_MAX]; /* "pg3 has no agent" */
	uint64_t rank[RANK_COUNT];
};

/* "0 B", "16 KiB", "4 MiB" */
static char *
amount(uint64_t bytes, char text[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t i = 0;

	for (; bytes >= 1024 && i + 1 < ARRAY_SIZE(units); i++)
		bytes /= 1024;
	(void)snprintf(text, 32, "%" PRIu64 " %s", bytes, units[i]);
	return text;
}

static uint64_t
queues(const struct group_member *m)
{
	uint64_t sum;

	if (__builtin_add_overflow(m->copy_queue, m->replay_queue, &sum))
		return UINT64_MAX;
	return sum;
}

static unsigned
faults_of(const struct choose_history *history, const char *copy)
{
	for (size_t i = 0; history != NULL && i < history->n; i++)
		if (strcmp(history->copies[i].copy, copy) == 0)
			return history->copies[i].faults;
	return 0;
}

static void rule_out(struct candidate *c, bool hopeless, const char *format, ...) PRINTF_LIKE(3, 4);

static void
rule_out(struct candidate *c, bool hopeless, const char *format, ...)
{
	va_list ap;

	c->possible = false;
	c->hopeless = hopeless;
	va_start(ap, format);
	(void)text_vprintf(c->against, sizeof(c->against), format, ap);
	va_end(ap);
}

static void
rank(struct candidate *c, const struct group_view *v, const struct group_member *m,
     const struct choose_history *history)
{
	bool active = m->facts.role == COPY_ROLE_ACTIVE;
	uint64_t segment = m->facts.segment_bytes != 0 ? m->facts.segment_bytes : SEGMENT_BYTES;

	c->possible = true;
	c->rank[RANK_ROLE] = active != (v->group->prefer == GROUP_PREFER_ACTIVE);
	c->rank[RANK_FAULTS] = faults_of(history, m->copy->name);
	c->rank[RANK_STATUS] = m->status == COPY_DISCONNECTED_AND_HEALTHY;
	c->rank[RANK_OTHER_BACKUP] = m->facts.in_backup_mode;
	c->rank[RANK_QUEUES] = queues(m) / segment;
}

/* Of another database, or one that does not let us in: whoever waits finds it as it is. A timeline that was left, or a
 * server that is down, may be mended meanwhile. */
static bool
is_hopeless(const struct group_member *m, const struct group_member *active)
{
	if (m->facts.failure != OK)
		return !error_retryable(m->facts.failure);
	return strcmp(m->facts.identity, active->facts.identity) != 0;
}

static void
consider(struct candidate *c, const struct group_view *v, const struct group_member *m,
	 const struct choose_history *history)
{
	const struct group_member *active = &v->members[v->active];
	const char *name = m->copy->name;

	if (m->copy->agent == NULL)
		rule_out(c, true, "%s has no agent", name);
	else if (m == active && v->group->prefer == GROUP_PREFER_PASSIVE_ONLY)
		rule_out(c, true, "%s is the active copy, and prefer = passive-only", name);
	else if (m != active && m->status != COPY_HEALTHY &&
		 m->status != COPY_DISCONNECTED_AND_HEALTHY)
		rule_out(c, is_hopeless(m, active), "%s is %s%s%s", name,
			 copy_status_name(m->status), m->why[0] != '\0' ? ": " : "", m->why);
	else if (m->facts.timeline != active->facts.timeline)
		rule_out(c, false,
			 "%s is still on timeline %" PRIu32 ", the active copy on %" PRIu32, name,
			 m->facts.timeline, active->facts.timeline);
	else
		rank(c, v, m, history);
}

static bool
is_better(const struct candidate *a, const struct candidate *b)
{
	for (size_t i = 0; i < RANK_COUNT; i++)
		if (a->rank[i] != b->rank[i])
			return a->rank[i] < b->rank[i];
	return false; /* the one that is named first in the configuration */
}

static void append(char *text, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

static void
append(char *text, size_t size, const char *format, ...)
{
	size_t n = strlen(text);
	va_list ap;

	if (size - n < 8)
		return;
	va_start(ap, format);
	(void)text_vprintf(text + n, size - n, format, ap);
	va_end(ap);
}

/* Why another that could have been chosen was not. */
static void
compare(const struct group_member *m, const struct candidate *c, const struct candidate *chosen,
	char *text, size_t size)
{
	char n[32];
	const char *name = m->copy->name;

	if (c->rank[RANK_ROLE] != chosen->rank[RANK_ROLE])
		append(text, size, "; %s is %s", name,
		       m->facts.role == COPY_ROLE_ACTIVE ? "the active copy" : "a passive copy");
	else if (c->rank[RANK_FAULTS] != chosen->rank[RANK_FAULTS])
		append(text, size, "; %s was at fault before", name);
	else if (c->rank[RANK_STATUS] != chosen->rank[RANK_STATUS])
		append(text, size, "; %s is %s", name, copy_status_name(m->status));
	else if (c->rank[RANK_OTHER_BACKUP] != chosen->rank[RANK_OTHER_BACKUP])
		append(text, size, "; %s is being backed up by another program", name);
	else if (c->rank[RANK_QUEUES] != chosen->rank[RANK_QUEUES] && queues(m) != UINT64_MAX)
		append(text, size, "; %s is %s behind", name, amount(queues(m), n));
	else
		append(text, size, "; %s is as good", name);
}

static void
say_why(const struct group_view *v, const struct candidate *all, struct choice *choice)
{
	const struct group_member *m = &v->members[choice->member];
	char copy[32], replay[32];

	(void)text_printf(choice->why, sizeof(choice->why), "%s: %s", m->copy->name,
			  copy_status_name(m->status));
	if (choice->member != v->active && m->copy_queue != UINT64_MAX)
		append(choice->why, sizeof(choice->why), ", copy queue %s, replay queue %s",
		       amount(m->copy_queue, copy), amount(m->replay_queue, replay));
	for (size_t i = 0; i < v->n; i++) {
		if (i == choice->member)
			continue;
		if (all[i].possible)
			compare(&v->members[i], &all[i], &all[choice->member], choice->why,
				sizeof(choice->why));
		else
			append(choice->why, sizeof(choice->why), "; %s", all[i].against);
	}
}

static int
refuse_all(const struct group_view *v, const struct candidate *all, struct error *err)
{
	char reasons[400] = "";
	bool hopeless = true, agents = false;

	for (size_t i = 0; i < v->n; i++) {
		append(reasons, sizeof(reasons), "%s%s", i > 0 ? "; " : "", all[i].against);
		hopeless = hopeless && all[i].hopeless;
		agents = agents || v->members[i].copy->agent != NULL;
	}
	if (!hopeless)
		return error_set(err, ERR_GROUP_NO_COPY, "no copy of '%s' can be backed up: %s",
				 v->group->name, reasons);
	error_set(err, ERR_CONFIG, "no copy of '%s' is one to back up: %s", v->group->name,
		  reasons);
	if (agents)
		return error_hint(err,
				  "see 'holdfast group status %s', and the sections "
				  "[group.%s.copy.NAME]",
				  v->group->name, v->group->name);
	return error_hint(err, "set 'agent' of one in its section [group.%s.copy.NAME]",
			  v->group->name);
}

static int
refuse_busy(const struct group_view *v, const struct copy_context *c, struct error *err)
{
	uint64_t age_s = v->time_ns > c->since_ns ? (v->time_ns - c->since_ns) / NS_PER_S : 0;
	char when[32];

	return error_set(err, ERR_GROUP_BUSY,
			 "a backup of '%s' is running already: %s, since %s (%" PRIu64 ":%02" PRIu64
			 ":%02" PRIu64 ")",
			 v->group->name, c->holder, clock_format_utc(c->since_ns, when),
			 age_s / 3600, age_s / 60 % 60, age_s % 60);
}

int
choose_copy(const struct group_view *v, const struct choose_history *history, struct choice *ret,
	    struct error *err)
{
	struct candidate all[GROUP_COPIES_MAX] = {{0}};
	struct choice choice = {.member = SIZE_MAX};

	if (v->active == SIZE_MAX)
		return group_no_active(v, err);
	if (v->members[v->active].facts.n_contexts > 0)
		return refuse_busy(v, &v->members[v->active].facts.contexts[0], err);
	for (size_t i = 0; i < v->n; i++) {
		consider(&all[i], v, &v->members[i], history);
		if (all[i].possible &&
		    (choice.member == SIZE_MAX || is_better(&all[i], &all[choice.member])))
			choice.member = i;
	}
	if (choice.member == SIZE_MAX)
		return refuse_all(v, all, err);
	say_why(v, all, &choice);
	*ret = choice;
	return OK;
}
