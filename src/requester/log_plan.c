/* SPDX-License-Identifier: Apache-2.0 */

/* Where to go on. */
#include "requester/log_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "requester/log_spool.h"

void
log_known_done(struct log_known_list *l)
{
	free(l->points);
	*l = (struct log_known_list){0};
}

/* Only to be shown and compared: what is missing or strange is "". */
static void
take_text(const json_t *j, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(j, key));

	(void)text_printf(text, size, "%s", value != NULL ? value : "");
	text_without_controls(text);
}

static int
add_known(struct log_known_list *l, const struct point *p, const char *group, struct error *err)
{
	struct log_known *k = &l->points[l->n];
	const struct point_root *root = point_find_root(p, LOG_ROOT);
	const json_t *copier = json_object_get(json_object_get(p->json, "logs"), "copier");
	int r = log_point_of(p, group, &k->logs, err);

	if (r <= 0)
		return r;
	if (root == NULL)
		return error_set(err, ERR_CORRUPT, "restore point %.8s has no logs", p->id_text);
	k->id = p->id;
	k->tree = root->tree;
	k->end_ns = p->end_ns;
	take_text(copier, "id", k->copier, sizeof(k->copier));
	take_text(copier, "host", k->holder, sizeof(k->holder));
	l->n++;
	return OK;
}

int
log_known_read(struct repo *repo, const char *group, struct log_known_list *ret, struct error *err)
{
	struct log_known_list l = {0};
	struct point_list all = {0};
	int r = point_list_read(repo, &all, err);

	if (r == OK) {
		l.points = calloc(all.n + 1, sizeof(*l.points));
		if (l.points == NULL)
			r = error_no_memory(err);
	}
	for (size_t i = 0; i < all.n && r == OK; i++)
		r = add_known(&l, all.points[i], group, err);
	point_list_done(&all);
	if (r < 0) {
		log_known_done(&l);
		return r;
	}
	*ret = l;
	return OK;
}

/* A timeline that was left may have been copied for some time yet, by somebody who did not know. On one timeline the
 * last one counts: a later one may end at an earlier position. */
static bool
is_newer(const struct log_known *a, const struct log_known *b)
{
	if (a->logs.timeline != b->logs.timeline)
		return a->logs.timeline > b->logs.timeline;
	if (a->end_ns != b->end_ns)
		return a->end_ns > b->end_ns;
	return a->logs.to > b->logs.to;
}

const struct log_known *
log_known_newest(const struct log_known_list *l, const char *engine, const char *identity)
{
	const struct log_known *newest = NULL;

	for (size_t i = 0; i < l->n; i++) {
		const struct log_known *k = &l->points[i];

		if (strcmp(k->logs.engine, engine) != 0 || strcmp(k->logs.identity, identity) != 0)
			continue;
		if (newest == NULL || is_newer(k, newest))
			newest = k;
	}
	return newest;
}

const struct log_known *
log_known_of_others(const struct log_known_list *l, const char *identity, const char *copier)
{
	const struct log_known *newest = NULL;

	for (size_t i = 0; i < l->n; i++) {
		const struct log_known *k = &l->points[i];

		if (k->copier[0] == '\0' || strcmp(k->copier, copier) == 0 ||
		    strcmp(k->logs.identity, identity) != 0)
			continue;
		if (newest == NULL || k->end_ns > newest->end_ns)
			newest = k;
	}
	return newest;
}

static bool
same_range(const struct log_point *a, const struct log_point *b)
{
	return strcmp(a->engine, b->engine) == 0 && strcmp(a->identity, b->identity) == 0 &&
	       a->segment_bytes == b->segment_bytes && a->timeline == b->timeline &&
	       a->from == b->from;
}

bool
log_known_superfluous(const struct log_known *p, const struct log_known *q)
{
	return !p->logs.closed && same_range(&p->logs, &q->logs) &&
	       memcmp(&p->id, &q->id, sizeof(p->id)) != 0 &&
	       (p->logs.to < q->logs.to ||
		(p->logs.to == q->logs.to &&
		 (p->end_ns < q->end_ns ||
		  (p->end_ns == q->end_ns && memcmp(&p->id, &q->id, sizeof(p->id)) < 0))));
}

static bool
is_of(const struct log_point *p, const char *engine, const struct log_source_facts *facts)
{
	return strcmp(p->engine, engine) == 0 && strcmp(p->identity, facts->identity) == 0 &&
	       p->segment_bytes == facts->segment_bytes;
}

/* A range of nothing, at the beginning of the file that holds `position`. */
static struct log_point
empty_range(const char *engine, const struct log_source_facts *facts, uint32_t timeline,
	    uint64_t position)
{
	struct log_point p = {.segment_bytes = facts->segment_bytes, .timeline = timeline};

	(void)text_printf(p.engine, sizeof(p.engine), "%s", engine);
	(void)text_printf(p.identity, sizeof(p.identity), "%s", facts->identity);
	p.from = p.to = log_file_start(position, facts->segment_bytes);
	p.n_history = 1;
	p.history[0] = (struct log_history){.timeline = timeline, .from = p.from};
	return p;
}

/* Does the spool's range go on where the repository's logs are? */
static bool
fits(const struct log_point *spool, const struct log_known *newest, bool *ret_replaces)
{
	const struct log_point *n = &newest->logs;

	*ret_replaces = !n->closed && same_range(spool, n) && n->to <= spool->to;
	if (*ret_replaces)
		return true;
	/* Begun after the newest was closed: with the file in which that ended, after a gap, or at a fork. */
	if (!n->closed)
		return false;
	if (spool->timeline > n->timeline)
		return spool->from <= n->to;
	return spool->timeline == n->timeline &&
	       (spool->from == log_file_start(n->to, n->segment_bytes) || spool->from > n->to);
}

void
log_plan_make(const struct log_known_list *known, const struct log_point *spool, const char *engine,
	      const struct log_source_facts *facts, uint64_t slot_position, struct log_plan *ret)
{
	struct log_plan plan = {.newest = log_known_newest(known, engine, facts->identity)};
	const struct log_known *newest = plan.newest;

	if (newest != NULL && !is_of(&newest->logs, engine, facts))
		newest = NULL; /* its log files are of another size: nothing follows them */
	if (spool != NULL && is_of(spool, engine, facts) &&
	    (newest == NULL || fits(spool, newest, &plan.replaces))) {
		plan.kind = LOG_PLAN_CONTINUE;
		plan.range = *spool;
		plan.range.closed = false;
	} else if (newest != NULL) {
		plan.kind = LOG_PLAN_CHAIN;
		plan.range = empty_range(engine, facts, newest->logs.timeline, newest->logs.to);
		plan.range.from_time_ns = plan.range.to_time_ns = newest->logs.to_time_ns;
	} else {
		plan.kind = LOG_PLAN_FRESH;
		plan.range = empty_range(engine, facts, facts->timeline,
					 slot_position != 0 ? slot_position : facts->end);
	}
	*ret = plan;
}

static struct log_point
follow(const struct log_point *done, uint64_t position)
{
	struct log_point p = *done;

	p.closed = false;
	p.from = log_file_start(position, done->segment_bytes);
	p.from_time_ns = done->to_time_ns;
	p.n_history = 1;
	p.history[0] = (struct log_history){.timeline = done->timeline, .from = p.from};
	return p;
}

struct log_point
log_plan_next(const struct log_point *done)
{
	return follow(done, done->to);
}

struct log_point
log_plan_switch(const struct log_point *done, uint32_t next, uint64_t fork)
{
	struct log_point p = follow(done, fork);

	p.timeline = next;
	p.to = p.from;
	/* The file of the fork begins as that of the timeline before, which is kept beside it: unless the fork
	 * is so far back that it is not there any more. The new one's has those bytes, too. Either way it is
	 * said which timeline that was: nothing else tells how one came to the new one. */
	p.n_history = 2;
	p.history[1] = (struct log_history){.timeline = next, .from = p.from};
	if (fork >= log_file_start(done->from, done->segment_bytes))
		p.history[1].from = fork;
	return p;
}
