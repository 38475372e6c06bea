/* SPDX-License-Identifier: Apache-2.0 */

/* From a list of restore points to a chain: whose logs, which way, what of them lies on it. */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "postgresql/walrange.h"
#include "requester/log_chain.h"

/* A point of logs, parsed once. */
struct entry {
	const struct point *point;
	struct log_point logs;
};

struct reading {
	const struct point_list *list;
	const struct log_wish *wish;
	size_t n;
	struct entry *entries;
	struct log_chain c;
};

static void
reading_done(struct reading *r)
{
	free(r->entries);
	log_chain_done(&r->c);
}

/* Bases. */

static bool
get_lsn(const json_t *j, const char *key, uint64_t *ret)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text != NULL && walrange_parse_lsn(text, ret);
}

int
log_base_of(const struct point *p, struct log_base *ret, char ret_identity[32])
{
	for (size_t i = 0; i < p->n_roots; i++) {
		const json_t *m = p->roots[i].component;
		const char *writer = json_string_value(json_object_get(m, "writer"));
		const char *identity = json_string_value(json_object_get(m, "system_identifier"));
		struct log_base b = {.point = p, .root = &p->roots[i]};
		uint64_t timeline, stop_timeline;

		if (writer == NULL || strcmp(writer, "postgresql") != 0 || identity == NULL ||
		    !get_lsn(m, "start_lsn", &b.start) || !get_lsn(m, "stop_lsn", &b.stop) ||
		    json_get_u64(m, "timeline", &timeline, NULL) < 0 ||
		    json_opt_u64(m, "stop_timeline", timeline, &stop_timeline, NULL) < 0 ||
		    json_opt_u64(m, "stop_time", 0, &b.stop_time_ns, NULL) < 0)
			continue;
		/* In backup mode the log up to the stop comes with it. */
		b.held = b.stop;
		(void)get_lsn(m, "held_lsn", &b.held);
		b.timeline = (uint32_t)timeline;
		b.stop_timeline = (uint32_t)stop_timeline;
		if (b.start == 0 || b.stop < b.start || b.held < b.start || b.held > b.stop)
			continue;
		(void)text_printf(ret_identity, 32, "%s", identity);
		*ret = b;
		return 1;
	}
	return 0;
}

/* Whose logs. */

static int
read_entries(struct reading *r, struct error *err)
{
	r->entries = calloc(MAX(r->list->n, (size_t)1), sizeof(*r->entries));
	if (r->entries == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < r->list->n; i++) {
		struct entry *e = &r->entries[r->n];
		int rc = log_point_of(r->list->points[i], NULL, &e->logs, err);

		if (rc < 0)
			return rc;
		e->point = r->list->points[i];
		r->n += rc > 0 && strcmp(e->logs.engine, "postgresql") == 0;
	}
	return OK;
}

static int
several(const struct reading *r, struct error *err)
{
	char all[200] = "";

	for (size_t i = 0; i < r->n; i++) {
		const char *host = r->entries[i].point->host;
		size_t n = strlen(all);

		if (strstr(all, host) == NULL && sizeof(all) - n > 8)
			(void)text_printf(all + n, sizeof(all) - n, "%s%s", n > 0 ? ", " : "",
					  host);
	}
	(void)error_set(err, ERR_AMBIGUOUS, "there are logs of several databases: %s", all);
	return error_hint(err, "say which one: --group NAME, or the restore point to begin with");
}

/* By group: its newest logs count. (A group that was built anew has another database.) */
static int
find_identity(struct reading *r, struct error *err)
{
	const struct log_wish *w = r->wish;
	const char *identity = w->identity;
	char host[LOG_HOST_MAX];

	for (size_t i = r->n; i-- > 0 && w->identity == NULL;) {
		const struct entry *e = &r->entries[i];

		if (w->group != NULL && strcmp(e->point->host, log_host(w->group, host)) != 0)
			continue;
		if (identity == NULL)
			identity = e->logs.identity;
		else if (w->group == NULL && strcmp(identity, e->logs.identity) != 0)
			return several(r, err);
	}
	if (identity != NULL) {
		(void)text_printf(r->c.identity, sizeof(r->c.identity), "%s", identity);
		return OK;
	}
	if (w->group != NULL)
		(void)error_set(err, ERR_LOG_GAP, "the repository has no logs of group '%s'",
				w->group);
	else
		(void)error_set(err, ERR_LOG_GAP, "the repository has no logs of any database");
	return error_hint(err, "'holdfast log-copier GROUP' brings them here, and so does "
			       "'holdfast backup --group GROUP --type log'");
}

static bool
is_mine(const struct reading *r, const struct entry *e)
{
	return strcmp(e->logs.identity, r->c.identity) == 0;
}

/* The way. */

/* Where timeline t began, and of which it came. */
static bool
find_switch(const struct reading *r, uint32_t t, struct log_history *ret_parent, uint64_t *ret_from)
{
	for (size_t i = r->n; i-- > 0;) {
		const struct log_point *l = &r->entries[i].logs;

		for (size_t k = 1; is_mine(r, &r->entries[i]) && k < l->n_history; k++)
			if (l->history[k].timeline == t && l->history[k - 1].timeline < t) {
				*ret_parent = l->history[k - 1];
				*ret_from = l->history[k].from;
				return true;
			}
	}
	return false;
}

static void
find_path(struct reading *r)
{
	struct log_history back[LOG_HISTORY_MAX];
	struct log_chain *c = &r->c;
	struct log_history parent;
	uint64_t from;
	size_t n = 0;

	back[n++] = (struct log_history){c->timeline, 0};
	while (n < LOG_HISTORY_MAX && find_switch(r, back[n - 1].timeline, &parent, &from)) {
		back[n - 1].from = from;
		back[n++] = (struct log_history){parent.timeline, 0};
	}
	c->n_path = n;
	for (size_t i = 0; i < n; i++)
		c->path[i] = back[n - 1 - i];
}

static bool
knows_timeline(const struct reading *r, uint32_t timeline)
{
	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; is_mine(r, &r->entries[i]) && k < r->entries[i].logs.n_history;
		     k++)
			if (r->entries[i].logs.history[k].timeline == timeline)
				return true;
	return false;
}

static int
find_timeline(struct reading *r, struct error *err)
{
	struct log_chain *c = &r->c;
	uint64_t newest = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct entry *e = &r->entries[i];

		if (!is_mine(r, e))
			continue;
		c->timeline = MAX(c->timeline, e->logs.timeline);
		c->segment_bytes = e->logs.segment_bytes;
		if (e->point->start_ns >= newest) {
			newest = e->point->start_ns;
			(void)text_printf(c->group, sizeof(c->group), "%s", e->point->host);
		}
	}
	for (size_t i = 0; i < r->list->n; i++) {
		struct log_base b;
		char identity[32];

		if (log_base_of(r->list->points[i], &b, identity) > 0 &&
		    strcmp(identity, c->identity) == 0 && c->segment_bytes == 0)
			c->timeline = MAX(c->timeline, b.stop_timeline);
	}
	if (r->wish->timeline == 0)
		return OK;
	if (!knows_timeline(r, r->wish->timeline)) {
		(void)error_set(err, ERR_LOG_GAP, "the repository has no logs of timeline %u",
				r->wish->timeline);
		return error_hint(err, "the newest it has is %u", c->timeline);
	}
	c->timeline = r->wish->timeline;
	return OK;
}

/* What lies on it. */

/* Where the way leaves timeline number i of it. */
static uint64_t
path_end(const struct log_chain *c, size_t i)
{
	return i + 1 < c->n_path ? c->path[i + 1].from : UINT64_MAX;
}

static void
add_pieces(struct log_chain *c, const struct entry *e)
{
	const struct log_point *l = &e->logs;

	for (size_t k = 0; k < l->n_history; k++)
		for (size_t i = 0; i < c->n_path; i++) {
			uint64_t from = MAX(k == 0 ? l->from : l->history[k].from, l->from);
			uint64_t to = k + 1 < l->n_history ? MIN(l->history[k + 1].from, l->to)
							   : l->to;

			from = MAX(from, c->path[i].from);
			to = MIN(to, path_end(c, i));
			if (l->history[k].timeline == c->path[i].timeline && from < to)
				c->pieces[c->n_pieces++] = (struct log_piece){
					.point = e->point,
					.root = point_find_root(e->point, LOG_ROOT),
					.timeline = c->path[i].timeline,
					.from = from,
					.to = to,
					.from_time_ns = l->from_time_ns,
					.to_time_ns = l->to_time_ns,
				};
		}
}

static int
by_from(const void *a, const void *b)
{
	const struct log_piece *p = a, *q = b;

	if (p->from != q->from)
		return p->from < q->from ? -1 : 1;
	return p->to < q->to ? -1 : p->to > q->to;
}

static int
read_pieces(struct reading *r, struct error *err)
{
	size_t n = 1;

	for (size_t i = 0; i < r->n; i++)
		n += r->entries[i].logs.n_history;
	r->c.pieces = calloc(n, sizeof(*r->c.pieces));
	if (r->c.pieces == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < r->n; i++)
		if (is_mine(r, &r->entries[i]) &&
		    point_find_root(r->entries[i].point, LOG_ROOT) != NULL &&
		    r->entries[i].logs.segment_bytes == r->c.segment_bytes)
			add_pieces(&r->c, &r->entries[i]);
	qsort(r->c.pieces, r->c.n_pieces, sizeof(*r->c.pieces), by_from);
	return OK;
}

static int
by_stop(const void *a, const void *b)
{
	const struct log_base *p = a, *q = b;

	if (p->stop != q->stop)
		return p->stop < q->stop ? -1 : 1;
	return p->point->start_ns < q->point->start_ns ? -1 : 1;
}

static int
read_bases(struct reading *r, struct error *err)
{
	struct log_chain *c = &r->c;
	struct log_base b;
	char identity[32];

	c->bases = calloc(MAX(r->list->n, (size_t)1), sizeof(*c->bases));
	if (c->bases == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < r->list->n; i++)
		if (log_base_of(r->list->points[i], &b, identity) > 0 &&
		    strcmp(identity, c->identity) == 0 &&
		    log_chain_timeline(c, b.start) == b.timeline &&
		    log_chain_timeline(c, b.stop - 1) == b.stop_timeline)
			c->bases[c->n_bases++] = b;
	qsort(c->bases, c->n_bases, sizeof(*c->bases), by_stop);
	return OK;
}

int
log_chain_read(const struct point_list *list, const struct log_wish *wish, struct log_chain *ret,
	       struct error *err)
{
	CLEAN(reading_done) struct reading r = {.list = list, .wish = wish};

	int rc = read_entries(&r, err);
	if (rc == OK)
		rc = find_identity(&r, err);
	if (rc == OK)
		rc = find_timeline(&r, err);
	if (rc < 0)
		return rc;
	find_path(&r);
	rc = read_pieces(&r, err);
	if (rc == OK)
		rc = read_bases(&r, err);
	if (rc < 0)
		return rc;
	*ret = r.c;
	r.c = (struct log_chain){0};
	return OK;
}
