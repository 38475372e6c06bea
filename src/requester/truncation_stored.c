/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From restore points to positions. A restore point counts as a base if it is complete, application
 * consistent, of this database, and on the active copy's timeline: one from before a promotion may lie on a
 * branch that was left, and the next backup settles it.
 */
#include "requester/truncation_stored.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "requester/log_point.h"

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static uint64_t
number_of(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? (uint64_t)n : 0;
}

static bool
is_of_group(const struct truncation_of *of, const struct point *p)
{
	char host[LOG_HOST_MAX];

	return strcmp(p->host, log_host(of->group->name, host)) == 0;
}

static bool
is_base(const struct point *p)
{
	const char *type = text_of(p->json, "type");

	return (strcmp(type, "full") == 0 || strcmp(type, "incremental") == 0) && !p->incomplete &&
	       p->consistency == CONSISTENCY_APPLICATION;
}

/* Where the logs begin that it needs, as its writer said; 0: unknown. */
static uint64_t
start_of(const struct engine *engine, const struct point *p)
{
	uint64_t least = 0;

	for (size_t i = 0; i < p->n_roots; i++) {
		const json_t *component = p->roots[i].component;
		uint64_t start;

		if (component == NULL)
			continue;
		if (!engine->position_parse(text_of(component, "start_lsn"), &start) || start == 0)
			return 0;
		least = least == 0 ? start : MIN(least, start);
	}
	return least;
}

/* The furthest position that it says it has; UINT64_MAX: it says none. */
static uint64_t
end_of(const struct engine *engine, const struct point *p)
{
	uint64_t most = 0;

	for (size_t i = 0; i < p->n_roots; i++) {
		uint64_t stop;

		if (p->roots[i].component != NULL &&
		    engine->position_parse(text_of(p->roots[i].component, "stop_lsn"), &stop))
			most = MAX(most, stop);
	}
	return most != 0 ? most : UINT64_MAX;
}

static void
describe(const struct point *p, char *text, size_t size)
{
	char when[32];

	(void)text_printf(text, size, "restore point %.8s (%s) of %s", p->id_text,
			  text_of(p->json, "type"), clock_format_utc(p->start_ns, when));
}

/* ---- bases ------------------------------------------------------------------------------------- */

struct bases {
	const struct point *newest; /* on this timeline */
	uint64_t newest_start;
	const struct point *last; /* newest of all, on any timeline */
	const struct point *before; /* the one before `newest`, on any */
	bool unknown; /* the newest of all does not say where its logs begin */
};

static void
take_base(const struct truncation_of *of, const struct point *p, struct bases *b)
{
	const json_t *group = json_object_get(p->json, "group");
	uint64_t start = start_of(of->group->engine, p);

	if (strcmp(text_of(group, "identity"), of->identity) != 0)
		return;
	/* The list is in order of time. */
	if (start != 0 && number_of(group, "timeline") == of->timeline) {
		b->before = b->last;
		b->newest = p;
		b->newest_start = start;
	}
	b->last = p;
	b->unknown = start == 0;
}

/* ---- logs ---------------------------------------------------------------------------------------- */

static int
compare_logs(const void *a, const void *b)
{
	const struct truncation_log *p = a, *q = b;

	if (p->from != q->from)
		return p->from < q->from ? -1 : 1;
	return p->to < q->to ? -1 : p->to > q->to;
}

static bool
read_log(const struct truncation_of *of, const struct point *p, struct truncation_log *ret)
{
	struct error ignored = ERROR_INIT;
	struct log_point logs;

	/* What is no sensible record holds nothing. */
	if (log_point_of(p, of->group->name, &logs, &ignored) != 1)
		return false;
	*ret = (struct truncation_log){.point = p,
				       .from = logs.from,
				       .to = logs.to,
				       .first_timeline = logs.history[0].timeline,
				       .timeline = logs.timeline};
	return !p->incomplete && strcmp(logs.identity, of->identity) == 0 && logs.from < logs.to;
}

/* Does `l` have the log of this timeline up to `position` at least? */
static bool
leads_to(const struct truncation_log *l, uint32_t timeline, uint64_t position)
{
	struct error ignored = ERROR_INIT;
	struct log_point logs;

	if (l->from > position || l->to < position)
		return false;
	if (l->first_timeline == l->timeline)
		return l->timeline == timeline;
	if (log_point_of(l->point, NULL, &logs, &ignored) != 1)
		return false;
	for (size_t i = 0; i < logs.n_history; i++) {
		uint64_t end = i + 1 < logs.n_history ? logs.history[i + 1].from : logs.to;

		if (logs.history[i].timeline == timeline)
			return logs.history[i].from <= position && end >= position;
	}
	return false;
}

/* Keep those that lead up to the furthest on this timeline without a gap. What an old active copy wrote after
 * another was promoted leads nowhere, however far it reaches. */
static void
keep_run(struct truncation_stored *s, uint32_t timeline)
{
	size_t last = SIZE_MAX, n = 0;
	const struct truncation_log *first;

	for (size_t i = 0; i < s->n_logs; i++)
		if (s->logs[i].timeline == timeline &&
		    (last == SIZE_MAX || s->logs[i].to >= s->logs[last].to))
			last = i;
	if (last == SIZE_MAX) {
		s->n_logs = 0;
		return;
	}
	s->what.logs = s->logs[last].to;
	first = &s->logs[last];
	/* Sorted by beginning: the one before may end anywhere, so look at all that begin earlier. Those that
	 * are no part of it are marked. */
	for (size_t i = last; i-- > 0;)
		if (leads_to(&s->logs[i], first->first_timeline, first->from))
			first = &s->logs[i];
		else
			s->logs[i].point = NULL;
	for (size_t i = 0; i <= last; i++)
		if (s->logs[i].point != NULL)
			s->logs[n++] = s->logs[i];
	s->n_logs = n;
}

/* ---- together ------------------------------------------------------------------------------------ */

/* Is there something that the logs go on from: a base within them, or what the slot kept before? */
static bool
logs_go_on(const struct truncation_of *of, const struct truncation_stored *s,
	   const struct point_list *points)
{
	if (s->n_logs == 0)
		return false;
	if (of->before != 0 && s->logs[0].from <= of->before)
		return true;
	for (size_t i = 0; i < points->n; i++) {
		const struct point *p = points->points[i];
		uint64_t start;

		if (!is_of_group(of, p) || !is_base(p))
			continue;
		start = start_of(of->group->engine, p);
		if (start >= s->logs[0].from && start <= s->what.logs)
			return true;
	}
	return false;
}

/* Was there a log backup since the base before the newest? Clocks are set back: where the logs reach past that base
 * it was made later, whatever its time is. */
static bool
logs_are_made(const struct truncation_of *of, const struct truncation_stored *s,
	      const struct bases *b)
{
	uint64_t newest_ns = 0;

	if (b->before == NULL || s->what.logs > end_of(of->group->engine, b->before))
		return true;
	for (size_t i = 0; i < s->n_logs; i++)
		newest_ns = MAX(newest_ns, s->logs[i].point->end_ns);
	return newest_ns >= b->before->start_ns;
}

static void
judge_base(const struct truncation_of *of, const struct bases *b, struct truncate_stored *what)
{
	what->base = b->newest_start;
	what->base_binds = true;
	if (b->newest != NULL)
		describe(b->newest, what->base_why, sizeof(what->base_why));
	else
		(void)text_printf(what->base_why, sizeof(what->base_why),
				  "%s on timeline %" PRIu32 " of this database",
				  b->unknown
					  ? "the newest restore point does not say where its logs "
					    "begin; there is no other full or incremental one"
					  : "there is no full or incremental restore point",
				  of->timeline);
}

static void
judge_logs(const struct truncation_of *of, const struct bases *b, bool go_on,
	   struct truncation_stored *s)
{
	struct truncate_stored *what = &s->what;
	char from[ENGINE_POSITION_MAX], to[ENGINE_POSITION_MAX];

	if (s->n_logs == 0)
		return;
	(void)of->group->engine->position_text(s->logs[0].from, from);
	(void)of->group->engine->position_text(what->logs, to);
	if (!go_on) {
		(void)text_printf(what->logs_why, sizeof(what->logs_why),
				  "they begin at %s, behind the newest restore point and the slot",
				  from);
	} else if (b->newest != NULL && b->newest_start > what->logs && !logs_are_made(of, s, b)) {
		(void)text_printf(
			what->logs_why, sizeof(what->logs_why),
			"they reach to %s, but none was made since restore point %.8s: given up",
			to, b->before->id_text);
	} else {
		what->logs_bind = true;
		/* Up to a base that the logs reach past, nothing is needed for its sake. */
		what->base_binds = b->newest != NULL && b->newest_start > what->logs;
		(void)text_printf(what->logs_why, sizeof(what->logs_why),
				  "they reach from %s to %s, and are to go on without a gap", from,
				  to);
	}
}

int
truncation_stored_find(const struct truncation_of *of, const struct point_list *points,
		       struct truncation_stored *ret, struct error *err)
{
	struct truncation_stored s = {0};
	struct bases bases = {0};

	s.logs = calloc(points->n + 1, sizeof(*s.logs));
	if (s.logs == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < points->n; i++) {
		const struct point *p = points->points[i];

		if (!is_of_group(of, p))
			continue;
		if (is_base(p))
			take_base(of, p, &bases);
		else if (read_log(of, p, &s.logs[s.n_logs]))
			s.n_logs++;
	}
	qsort(s.logs, s.n_logs, sizeof(*s.logs), compare_logs);
	keep_run(&s, of->timeline);
	judge_base(of, &bases, &s.what);
	judge_logs(of, &bases, logs_go_on(of, &s, points), &s);
	s.base = bases.newest;
	*ret = s;
	return OK;
}

void
truncation_stored_done(struct truncation_stored *s)
{
	free(s->logs);
	*s = (struct truncation_stored){0};
}

bool
truncation_stored_relies(const struct truncation_stored *s, const struct truncate_plan *plan,
			 const struct point *p)
{
	if (plan->end != TRUNCATE_MOVES)
		return false;
	if (p == s->base && s->what.base_binds)
		return true;
	for (size_t i = 0; s->what.logs_bind && i < s->n_logs; i++)
		if (s->logs[i].point == p)
			return s->logs[i].to > plan->before && s->logs[i].from < plan->to;
	return false;
}
