/* SPDX-License-Identifier: Apache-2.0 */

/* From what the administrator wants to a base and a place in the log. */
#include "requester/moment.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "postgresql/walrange.h"
#include "requester/locate.h"
#include "requester/log_lay.h"

enum { WANTED_MAX = 200 };

void
moment_done(struct moment *m)
{
	json_decref(m->recovery);
	log_chain_done(&m->chain);
	point_list_done(&m->list);
	*m = (struct moment){0};
}

static const struct point *
find_point(const struct point_list *list, const struct point *p)
{
	for (size_t i = 0; i < list->n; i++)
		if (memcmp(&list->points[i]->id, &p->id, sizeof(p->id)) == 0)
			return list->points[i];
	return NULL;
}

/* The backup that is to be begun with: it has to be one. */
static int
find_only(const struct moment_order *o, const struct point_list *list, const struct point **ret,
	  char identity[32], struct error *err)
{
	CLEAN(locate_done) struct location where = {0};
	struct log_base base;

	if (o->job->what == NULL) {
		*ret = NULL;
		return OK;
	}
	if (locate_point(o->repo, o->job->what, &where, err) < 0)
		return err->code;
	*ret = find_point(list, where.point);
	if (*ret != NULL && log_base_of(*ret, &base, identity) > 0 &&
	    (where.root == NULL ||
	     (where.path[0] == '\0' && strcmp(where.root->name, base.root->name) == 0)))
		return OK;
	(void)error_set(err, ERR_POINT,
			"no moment can be restored to from '%s': it is no backup of a database "
			"cluster that says where in the log it begins and ends",
			o->job->what);
	return error_hint(err, "leave the restore point out: the best one is chosen");
}

/* What is wanted, for people. */
static void
describe(const struct log_target *t, char text[WANTED_MAX])
{
	char place[WALRANGE_LSN_LEN + 1], time[32];

	switch (t->kind) {
	case LOG_TARGET_TIME:
		(void)text_printf(text, WANTED_MAX, "To %s", clock_format_utc(t->time_ns, time));
		break;
	case LOG_TARGET_LSN:
		(void)text_printf(text, WANTED_MAX, "To position %s",
				  walrange_format_lsn(t->lsn, place));
		break;
	case LOG_TARGET_NAME:
		(void)text_printf(text, WANTED_MAX, "To the restore point '%s'", t->name);
		break;
	default:
		(void)text_printf(text, WANTED_MAX, "To the end of the logs");
	}
	text_without_controls(text);
}

static int
describe_recovery(const struct moment_order *o, struct moment *m, struct error *err)
{
	char place[WALRANGE_LSN_LEN + 1], a[WALRANGE_LSN_LEN + 1], b[WALRANGE_LSN_LEN + 1];
	char wanted[WANTED_MAX];
	uint64_t from, to;

	describe(&o->job->moment, wanted);
	log_lay_range(&m->chain, m->base, m->stop.need.end, &from, &to);
	m->recovery = json_pack("{s:s, s:I, s:s, s:s, s:s}", "folder", LOG_LAY_FOLDER, "timeline",
				(json_int_t)m->chain.timeline, "wanted", wanted, "logs_from",
				walrange_format_lsn(from, a), "logs_to",
				walrange_format_lsn(to, b));
	if (m->recovery == NULL)
		return error_no_memory(err);
	if (!m->stop.at_end &&
	    (json_object_set_new(m->recovery, "position",
				 json_string(walrange_format_lsn(m->stop.lsn, place))) < 0 ||
	     json_object_set_new(m->recovery, "inclusive", json_boolean(m->stop.inclusive)) < 0))
		return error_no_memory(err);
	return OK;
}

static int
find(const struct moment_order *o, struct moment *m, struct error *err)
{
	const struct restore_job *job = o->job;
	char identity[32] = "";
	const struct point *only = NULL;
	struct log_wish wish = {.group = job->group, .timeline = job->timeline};

	if (point_list_read(o->repo, &m->list, err) < 0 ||
	    find_only(o, &m->list, &only, identity, err) < 0)
		return err->code;
	if (only != NULL)
		wish.identity = identity;
	if (log_chain_read(&m->list, &wish, &m->chain, err) < 0 ||
	    log_search(&m->chain, o->reader, &job->moment, only, job->progress, &m->stop, err) < 0)
		return err->code;
	if (m->stop.alone != NULL) {
		m->base = m->stop.alone;
		return OK;
	}
	if (log_chain_base(&m->chain, &m->stop.need, &m->base, err) < 0)
		return err->code;
	return describe_recovery(o, m, err);
}

int
moment_find(const struct moment_order *order, struct moment *ret, struct error *err)
{
	CLEAN(moment_done) struct moment m = {0};

	int rc = find(order, &m, err);
	if (rc < 0)
		return rc;
	*ret = m;
	m = (struct moment){0};
	return OK;
}
