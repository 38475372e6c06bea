/* SPDX-License-Identifier: Apache-2.0 */

/* The course of a session, but for the moment (session_moment.c) and the data (task.c). */
#include "agent/session.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "agent/session_internal.h"
#include "base/json.h"
#include "base/text.h"

int
session_open(const struct session_setup *setup, struct session **ret, struct error *err)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return error_no_memory(err);
	s->setup = *setup;
	s->state = SESSION_NEW;
	provider_settings_init(&s->providers);
	if (setup->guard != NULL)
		s->providers = setup->guard->providers;
	(void)pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return OK;
}

void
session_close(struct session *s)
{
	if (s == NULL)
		return;
	session_abort(s, NULL);
	writers_done(&s->writers);
	guard_stop(s->guard);
	snapshot_map_done(&s->map);
	plan_done(&s->plan);
	free(s->first_path);
	for (size_t i = 0; i < s->n_pidfds; i++)
		(void)close(s->pidfds[i]);
	json_decref(s->shown);
	json_decref(s->members);
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
set_state(struct session *s, enum session_state state, bool driving)
{
	(void)pthread_mutex_lock(&s->lock);
	s->state = state;
	s->driving = driving;
	(void)pthread_mutex_unlock(&s->lock);
}

int
session_enter(struct session *s, enum session_state wanted, const char *call, struct error *err)
{
	if (s->state != wanted)
		return error_set(err, ERR_BAD_STATE, "%s cannot come now", call);
	set_state(s, SESSION_FAILED, true);
	return session_cancelled(s, err) < 0 ? (int)session_failed(s, err) : OK;
}

void
session_leave(struct session *s, enum session_state now)
{
	session_show_writers(s);
	set_state(s, now, false);
}

enum err
session_failed(struct session *s, struct error *err)
{
	bool cancelled = atomic_load(&s->cancelled);

	set_state(s, SESSION_FAILED, false);
	/* A writer that died of the cancel did not fail. */
	if (cancelled)
		writers_excuse(&s->writers);
	session_show_writers(s);
	if (cancelled && err->code != ERR_CANCELLED)
		return session_cancelled(s, err);
	return err->code;
}

int
session_cancelled(struct session *s, struct error *err)
{
	if (atomic_load(&s->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	return OK;
}

/*
 * A writer may be waiting for its database for minutes. It is killed, so that nobody waits for it; its
 * session in the database ends with it, and nothing else. At other times it lives, and is told.
 */
void
session_cancel(struct session *s)
{
	atomic_store(&s->cancelled, true);
	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; s->waiting && i < s->n_pidfds; i++)
		(void)pidfd_send_signal(s->pidfds[i], SIGKILL, NULL, 0);
	(void)pthread_mutex_unlock(&s->lock);
}

void
session_wait(struct session *s, bool waiting)
{
	(void)pthread_mutex_lock(&s->lock);
	s->waiting = waiting;
	(void)pthread_mutex_unlock(&s->lock);
}

/* Of our own: writers close theirs when they have ended. */
static void
take_pidfds(struct session *s)
{
	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->writers.n && s->n_pidfds < ARRAY_SIZE(s->pidfds); i++) {
		int fd = fcntl(writer_pidfd(s->writers.members[i].writer), F_DUPFD_CLOEXEC, 3);

		if (fd >= 0)
			s->pidfds[s->n_pidfds++] = fd;
	}
	(void)pthread_mutex_unlock(&s->lock);
}

/* ---- prepare --------------------------------------------------------------------------------- */

static int
check_order(const struct session_order *order, struct error *err)
{
	for (size_t i = 0; i < order->n_writers; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(order->writers[i], order->writers[j]) == 0)
				return error_set(err, ERR_USAGE, "writer '%s' was given twice",
						 order->writers[i]);
	if (order->freeze_cap_ns > LEASE_FREEZE_MAX_NS)
		return error_set(err, ERR_LIMIT, "nothing may stay frozen for more than 60 s");
	return OK;
}

static void
take_order(struct session *s, const struct session_order *order)
{
	s->order = *order;
	if (s->order.ttl_ns == 0)
		s->order.ttl_ns = LEASE_TTL_DEFAULT_NS;
	if (s->order.freeze_cap_ns == 0)
		s->order.freeze_cap_ns = LEASE_FREEZE_DEFAULT_NS;
}

static int
start_writers(struct session *s, struct error *err)
{
	const struct session_order *order = &s->order;

	if (order->n_writers > 0)
		session_phase(s, "starting the writers");
	if (writers_start(&s->writers, &s->setup.writers, order->n_writers, order->writers,
			  order->backup_type != NULL ? order->backup_type : "full", err) < 0)
		return err->code;
	take_pidfds(s);
	return OK;
}

/* May take as long as a checkpoint does. */
static int
prepare_writers(struct session *s, struct error *err)
{
	const char *sources[SNAPSHOT_MEMBERS_MAX];
	int r;

	if (s->writers.n > 0)
		session_phase(s, "preparing the database");
	session_wait(s, true);
	r = session_cancelled(s, err);
	for (size_t i = 0; i < s->writers.n && r == OK; i++) {
		struct writers_member *m = &s->writers.members[i];
		struct writer_moment moment;

		session_plan_moment(s, m, sources, &moment);
		r = writer_prepare_snapshot(m->writer, &moment, &m->component, err);
		if (r == OK)
			r = session_plan_covers(s, m, err);
	}
	session_wait(s, false);
	return r;
}

static int
prepare_members(struct session *s, struct error *err)
{
	for (size_t i = 0; i < s->plan.n_members; i++) {
		const struct plan_member *m = &s->plan.members[i];
		struct snapshot ignored;

		session_phase(s, "preparing the snapshot of %s", m->source);
		if (guard_add(s->guard, &s->lease.key, m->provider->name, m->source, &ignored,
			      err) < 0)
			return error_prefix(err, "provider '%s'", m->provider->name);
	}
	for (size_t i = 0; s->guard != NULL && i < s->writers.n; i++)
		if (guard_writer(s->guard, &s->lease.key,
				 writer_pidfd(s->writers.members[i].writer), err) < 0)
			return err->code;
	return OK;
}

static int
prepare(struct session *s, struct session_prepared *p, struct error *err)
{
	if (check_order(&s->order, err) < 0 || start_writers(s, err) < 0 ||
	    session_cancelled(s, err) < 0)
		return err->code;
	if (session_plan_make(s, err) < 0 || session_plan_check(s, err) < 0 ||
	    session_plan_json(s, &p->plan, err) < 0)
		return err->code;
	if (session_lease_begin(s, err) < 0)
		return err->code;
	p->leased = s->leased;
	p->guarded = s->guard != NULL;
	p->key = s->lease.key;
	p->ttl_ns = s->order.ttl_ns;
	return prepare_writers(s, err) < 0 ? (int)err->code : prepare_members(s, err);
}

int
session_prepare(struct session *s, const struct session_order *order, struct session_prepared *ret,
		struct error *err)
{
	CLEAN(session_prepared_done) struct session_prepared prepared = {0};

	if (session_enter(s, SESSION_NEW, "prepare", err) < 0)
		return err->code;
	s->driver = pthread_self();
	take_order(s, order);
	if (prepare(s, &prepared, err) < 0) {
		session_lease_abort(s);
		return session_failed(s, err);
	}
	session_leave(s, SESSION_PREPARED);
	*ret = prepared;
	prepared = (struct session_prepared){0};
	return OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What came of one root, and why it is not more. */
static int
judge_root(struct session *s, const struct writers_member *m, const char *lost,
	   struct session_verdict *v, struct error *err)
{
	char name[WRITERS_ROOT_MAX] = "";
	const char *why;
	enum consistency promised = session_plan_promise(s, m, &why);
	enum consistency achieved = promised;
	json_t *root;

	if (m != NULL && writers_root_name(m, name, err) < 0)
		return err->code;
	if (m != NULL && !m->proven)
		lost = "the writer does not vouch for its copy";
	if (lost[0] != '\0' && promised > CONSISTENCY_NONE) {
		achieved = CONSISTENCY_NONE;
		why = lost;
		v->proven = false;
	}
	if (!session_plan_suffices(s, m != NULL, achieved))
		v->as_required = false;
	if (achieved < promised && v->reason[0] == '\0')
		(void)text_printf(v->reason, sizeof(v->reason), "%s", lost);
	root = json_pack("{s:s, s:s}", "name", name, "consistency",
			 point_consistency_name(achieved));
	if (root == NULL || json_array_append_new(v->roots, root) < 0 ||
	    (why[0] != '\0' && json_object_set_new(root, "reason", json_string(why)) < 0))
		return error_no_memory(err);
	return OK;
}

/* The proof of consistency holds only if the lease and every writer were good to the last byte. */
static int
judge(struct session *s, struct session_verdict *v, struct error *err)
{
	struct guard_verdict guarded;
	const char *lost = "";

	if (writers_check(&s->writers, err) < 0 || session_lease_finish(s, &guarded, err) < 0)
		return err->code;
	if (!s->moment_ours)
		lost = "somebody else thawed a file system while it was frozen for this backup";
	else if (!guarded.proven)
		lost = "the guard cannot vouch for the moment";
	v->proven = v->as_required = true;
	for (size_t i = 0; i < s->writers.n; i++)
		if (judge_root(s, &s->writers.members[i], lost, v, err) < 0)
			return err->code;
	return s->order.n_paths > 0 ? judge_root(s, NULL, lost, v, err) : OK;
}

int
session_finish(struct session *s, struct session_verdict *ret, struct error *err)
{
	CLEAN(session_verdict_done) struct session_verdict verdict = {.roots = json_array()};

	if (session_enter(s, SESSION_MOVED, "finish", err) < 0)
		return err->code;
	if (verdict.roots == NULL)
		(void)error_no_memory(err);
	if (verdict.roots == NULL || judge(s, &verdict, err) < 0)
		return session_failed(s, err);
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
session_abort(struct session *s, const struct error *cause)
{
	enum session_state state = s->state;

	if (state == SESSION_ABORTED || state == SESSION_NEW)
		return;
	if (state != SESSION_COMPLETE && state != SESSION_FINISHED)
		session_lease_abort(s);
	s->blamed = cause;
	writers_abort(&s->writers, cause);
	if (state != SESSION_COMPLETE)
		session_leave(s, SESSION_ABORTED);
	s->blamed = NULL;
}

int
session_check(struct session *s, struct error *err)
{
	if (session_cancelled(s, err) < 0 || session_lease_check(s, err) < 0)
		return err->code;
	if (!pthread_equal(pthread_self(), s->driver))
		return OK;
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
