/* SPDX-License-Identifier: Apache-2.0 */

/* The course of a session, but for the moment (session_moment.c) and the data (task.c). */
#include "agent/session.h"

#include <string.h>

#include "agent/session_internal.h"
#include "base/json.h"
#include "base/text.h"
#include "provider/direct.h"

int
session_open(const struct session_setup *setup, struct session **ret, struct error *err)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return error_no_memory(err);
	s->setup = *setup;
	s->state = SESSION_NEW;
	(void)pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return OK;
}

void
session_close(struct session *s)
{
	if (s == NULL)
		return;
	session_abort(s);
	writers_done(&s->writers);
	json_decref(s->shown);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

void
session_closep(struct session **s)
{
	session_close(*s);
}

/* ---- order of calls -------------------------------------------------------------------------- */

static void
set_state(struct session *s, enum session_state state)
{
	(void)pthread_mutex_lock(&s->lock);
	s->state = state;
	(void)pthread_mutex_unlock(&s->lock);
}

int
session_enter(struct session *s, enum session_state wanted, const char *call, struct error *err)
{
	if (s->state != wanted)
		return error_set(err, ERR_BAD_STATE, "%s cannot come now", call);
	set_state(s, SESSION_FAILED);
	return session_cancelled(s, err);
}

void
session_leave(struct session *s, enum session_state now)
{
	session_show_writers(s);
	set_state(s, now);
}

int
session_cancelled(struct session *s, struct error *err)
{
	if (atomic_load(&s->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	return OK;
}

void
session_cancel(struct session *s)
{
	atomic_store(&s->cancelled, true);
}

/* ---- prepare --------------------------------------------------------------------------------- */

static int
check_names(const struct session_order *order, struct error *err)
{
	for (size_t i = 0; i < order->n_writers; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(order->writers[i], order->writers[j]) == 0)
				return error_set(err, ERR_USAGE, "writer '%s' was given twice",
						 order->writers[i]);
	return OK;
}

enum consistency
session_promised(struct session *s, const struct writers_member *m)
{
	(void)s;
	return m != NULL ? CONSISTENCY_APPLICATION : CONSISTENCY_NONE;
}

static int
start_writers(struct session *s, struct error *err)
{
	const struct session_order *order = &s->order;

	if (check_names(order, err) < 0)
		return err->code;
	if (order->n_writers > 0)
		session_phase(s, "starting the writers");
	return writers_start(&s->writers, &s->setup.writers, order->n_writers, order->writers, err);
}

int
session_prepare(struct session *s, const struct session_order *order, struct session_prepared *ret,
		struct error *err)
{
	CLEAN(session_prepared_done) struct session_prepared prepared = {.plan = json_array()};
	const char *label = order->label != NULL ? order->label : "holdfast";

	if (session_enter(s, SESSION_NEW, "prepare", err) < 0)
		return err->code;
	if (prepared.plan == NULL)
		return error_no_memory(err);
	s->order = *order;
	if (start_writers(s, err) < 0 || session_cancelled(s, err) < 0)
		return err->code;
	s->provider_name = direct_ops.name;
	if (s->writers.n > 0)
		session_phase(s, "preparing the database");
	struct writer_moment moment = {.provider = s->provider_name, .label = label};
	if (writers_prepare_snapshot(&s->writers, &moment, err) < 0)
		return err->code;
	session_leave(s, SESSION_PREPARED);
	*ret = prepared;
	prepared = (struct session_prepared){0};
	return OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

static int
add_root(json_t *roots, const char *name, enum consistency consistency, struct error *err)
{
	if (json_array_append_new(roots, json_pack("{s:s, s:s}", "name", name, "consistency",
						   point_consistency_name(consistency))) < 0)
		return error_no_memory(err);
	return OK;
}

static int
judge(struct session *s, struct session_verdict *v, struct error *err)
{
	char name[WRITERS_ROOT_MAX];

	v->proven = v->as_required = true;
	for (size_t i = 0; i < s->writers.n; i++) {
		const struct writers_member *m = &s->writers.members[i];

		if (writers_root_name(m, name, err) < 0 ||
		    add_root(v->roots, name, m->proven ? session_promised(s, m) : CONSISTENCY_NONE,
			     err) < 0)
			return err->code;
	}
	return s->order.n_paths > 0 ? add_root(v->roots, "", session_promised(s, NULL), err) : OK;
}

int
session_finish(struct session *s, struct session_verdict *ret, struct error *err)
{
	CLEAN(session_verdict_done) struct session_verdict verdict = {.roots = json_array()};

	if (session_enter(s, SESSION_MOVED, "finish", err) < 0)
		return err->code;
	if (verdict.roots == NULL)
		return error_no_memory(err);
	/* The proof of consistency holds only if every writer is still good after the last byte. */
	if (writers_check(&s->writers, err) < 0 || judge(s, &verdict, err) < 0)
		return err->code;
	session_leave(s, SESSION_FINISHED);
	*ret = verdict;
	verdict = (struct session_verdict){0};
	return OK;
}

int
session_complete(struct session *s, const char *point_id, struct error *err)
{
	int r;

	if (session_enter(s, SESSION_FINISHED, "complete", err) < 0)
		return err->code;
	r = writers_complete(&s->writers, point_id, err);
	session_leave(s, SESSION_COMPLETE);
	return r;
}

void
session_abort(struct session *s)
{
	if (s->state == SESSION_ABORTED)
		return;
	writers_abort(&s->writers);
	if (s->state != SESSION_COMPLETE)
		session_leave(s, SESSION_ABORTED);
}

int
session_keep(struct session *s, uint64_t ttl_ns, struct error *err)
{
	(void)s;
	(void)ttl_ns;
	(void)err;
	return OK;
}

int
session_check(struct session *s, struct error *err)
{
	if (session_cancelled(s, err) < 0)
		return err->code;
	return writers_check(&s->writers, err);
}

/* ---- results --------------------------------------------------------------------------------- */

void
session_prepared_done(struct session_prepared *p)
{
	json_decref(p->plan);
	*p = (struct session_prepared){0};
}

void
session_moment_done(struct session_moment *m)
{
	json_decref(m->members);
	*m = (struct session_moment){0};
}

void
session_verdict_done(struct session_verdict *v)
{
	json_decref(v->roots);
	*v = (struct session_verdict){0};
}
