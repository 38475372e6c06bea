/* SPDX-License-Identifier: Apache-2.0 */

/* Two chains of each timeline of each database, and what one reaches and the other does not. */
#include "requester/forget_loss.h"

#include <string.h>

#include "base/text.h"
#include "requester/log_chain.h"

enum { LOSSES_MAX = 4096 }; /* nobody reads more */

/* Points with readable records of logs, as a list of their own; and where each timeline was seen first. */
struct side {
	struct point_list list; /* the array is ours, the points are not */
	struct log_point *logs; /* for each: n_history 0: none */
};

static void
side_done(struct side *s)
{
	free(s->list.points);
	free(s->logs);
}

static int
side_read(const struct point_list *list, struct side *s, struct error *err)
{
	s->list.points = calloc(MAX(list->n, (size_t)1), sizeof(struct point *));
	s->logs = calloc(MAX(list->n, (size_t)1), sizeof(*s->logs));
	if (s->list.points == NULL || s->logs == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < list->n; i++) {
		struct error ignored = ERROR_INIT;

		if (log_point_of(list->points[i], NULL, &s->logs[s->list.n], &ignored) >= 0)
			s->list.points[s->list.n++] = list->points[i];
	}
	return OK;
}

/* A chain, and all spans that can be restored to in it. None, if there are no such logs. */
struct reach {
	struct log_chain chain;
	size_t n;
	struct log_span *spans;
};

static void
reach_done(struct reach *r)
{
	log_chain_done(&r->chain);
	free(r->spans);
}

static int
reach_read(const struct side *s, const struct log_point *logs, uint32_t timeline, struct reach *r,
	   struct error *err)
{
	const struct log_wish wish = {.identity = logs->identity, .timeline = timeline};
	int rc = log_chain_read(&s->list, &wish, &r->chain, err);

	if (rc == ERR_LOG_GAP) {
		*err = (struct error)ERROR_INIT;
		return OK;
	}
	if (rc < 0)
		return rc;
	r->spans = calloc(MAX(r->chain.n_bases, (size_t)1), sizeof(*r->spans));
	if (r->spans == NULL)
		return error_no_memory(err);
	r->n = log_chain_spans(&r->chain, r->spans, r->chain.n_bases);
	return OK;
}

static int
add(struct forget_losses *l, const struct reach *before, const struct forget_loss *what,
    struct error *err)
{
	const struct log_chain *c = &before->chain;
	/* What lies before the timeline began is another one's. */
	uint64_t begin = c->path[c->n_path - 1].from;
	struct forget_loss *more, loss = *what;

	if (loss.from < begin)
		loss.from = begin, loss.from_time_ns = 0;
	if (loss.from >= loss.to || l->n >= LOSSES_MAX)
		return OK;
	more = reallocarray(l->all, l->n + 1, sizeof(*more));
	if (more == NULL)
		return error_no_memory(err);
	l->all = more;
	(void)text_printf(loss.host, sizeof(loss.host), "%s", c->group);
	loss.timeline = c->timeline;
	l->all[l->n++] = loss;
	return OK;
}

/* Both are sorted, and no two spans of one overlap. */
static int
subtract(const struct log_span *s, const struct reach *before, const struct reach *after,
	 struct forget_losses *l, struct error *err)
{
	struct forget_loss rest = {.from = s->from, .from_time_ns = s->from_time_ns};

	for (size_t i = 0; i < after->n && rest.from < s->to; i++) {
		const struct log_span *a = &after->spans[i];

		if (a->to <= rest.from || a->from >= s->to)
			continue;
		rest.to = a->from;
		rest.to_time_ns = a->from_time_ns;
		if (add(l, before, &rest, err) < 0)
			return err->code;
		rest.from = a->to;
		rest.from_time_ns = a->to_time_ns;
	}
	rest.to = s->to;
	rest.to_time_ns = s->to_time_ns;
	return add(l, before, &rest, err);
}

static int
compare(const struct side *before, const struct side *after, const struct log_point *logs,
	uint32_t timeline, struct forget_losses *l, struct error *err)
{
	CLEAN(reach_done) struct reach b = {0}, a = {0};

	if (reach_read(before, logs, timeline, &b, err) < 0 ||
	    reach_read(after, logs, timeline, &a, err) < 0)
		return err->code;
	for (size_t i = 0; i < b.n; i++)
		if (subtract(&b.spans[i], &b, &a, l, err) < 0)
			return err->code;
	return OK;
}

/* Did an earlier point have this timeline of this database, or this one earlier? */
static bool
was_seen(const struct side *s, size_t point, size_t entry)
{
	const struct log_point *p = &s->logs[point];

	for (size_t i = 0; i <= point; i++)
		for (size_t k = 0; k < (i == point ? entry : s->logs[i].n_history); k++)
			if (s->logs[i].history[k].timeline == p->history[entry].timeline &&
			    strcmp(s->logs[i].identity, p->identity) == 0)
				return true;
	return false;
}

void
forget_losses_done(struct forget_losses *l)
{
	free(l->all);
	*l = (struct forget_losses){0};
}

int
forget_losses_find(const struct point_list *before, const struct point_list *after,
		   struct forget_losses *ret, struct error *err)
{
	CLEAN(side_done) struct side b = {0}, a = {0};
	CLEAN(forget_losses_done) struct forget_losses l = {0};

	if (side_read(before, &b, err) < 0 || side_read(after, &a, err) < 0)
		return err->code;
	for (size_t i = 0; i < b.list.n; i++)
		for (size_t k = 0; k < b.logs[i].n_history; k++)
			if (!was_seen(&b, i, k) &&
			    compare(&b, &a, &b.logs[i], b.logs[i].history[k].timeline, &l, err) < 0)
				return err->code;
	*ret = l;
	l = (struct forget_losses){0};
	return OK;
}
