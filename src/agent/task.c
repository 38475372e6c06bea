/* SPDX-License-Identifier: Apache-2.0 */

/* Moving a session's data. */
#include "agent/task.h"

#include <inttypes.h>
#include <string.h>

#include "agent/roots.h"
#include "agent/session_internal.h"
#include "base/clock.h"
#include "provider/reflink.h"

struct task {
	struct session *session;
	const struct task_order *order;
	struct repo_writer *writer;
	struct mover *mover;
	json_t *roots;
};

static void
task_done(struct task *t)
{
	mover_free(t->mover);
	repo_writer_close(t->writer);
	json_decref(t->roots);
}

void
task_result_done(struct task_result *r)
{
	json_decref(r->roots);
	*r = (struct task_result){0};
}

static const struct blob_id *
previous_tree(const struct task_order *order, const char *root)
{
	for (size_t i = 0; i < order->n_previous; i++)
		if (strcmp(order->previous[i].root, root) == 0)
			return &order->previous[i].tree;
	return NULL;
}

/* The mover's check: what the requester looks at, and what we look at ourselves. */
static int
check(void *arg, struct error *err)
{
	struct task *t = arg;
	const struct mover_options *asked = &t->order->mover;

	if (session_check(t->session, err) < 0)
		return err->code;
	return asked->check != NULL ? asked->check(asked->check_arg, err) : OK;
}

static bool
has_clones(const struct plan *p)
{
	for (size_t i = 0; i < p->n_members; i++)
		if (p->members[i].provider == &reflink_ops)
			return true;
	return false;
}

static int
open_mover(struct task *t, struct repo *repo, struct repo_index *index, struct error *err)
{
	struct mover_options options = t->order->mover;

	options.check = check;
	options.check_arg = t;
	if (t->session->plan.n_members > 0) {
		options.map = &t->session->map;
		options.clones = has_clones(&t->session->plan);
		options.moment_ns = t->session->moment.time_ns;
	}
	if (repo_writer_open(repo, index, &t->order->write, &t->writer, err) < 0)
		return err->code;
	return mover_new(repo, index, t->writer, &options, &t->mover, err);
}

static int
end_backup_mode(struct session *s, struct writers_member *m, struct component_tail **ret,
		struct error *err)
{
	int r;

	session_wait(s, true);
	r = session_cancelled(s, err);
	if (r == OK)
		r = writers_post_copy(m, ret, err);
	session_wait(s, false);
	return r;
}

/* One database: its files, then the end of its backup mode, then what that left to copy. */
static int
move_component(struct task *t, struct writers_member *m, struct error *err)
{
	CLEAN(component_tail_freep) struct component_tail *tail = NULL;
	struct session *s = t->session;
	struct blob_id tree;
	char root[WRITERS_ROOT_MAX], provider[64];

	if (writers_root_name(m, root, err) < 0)
		return err->code;
	session_phase(s, "reading %s", root);
	if (mover_component_begin(t->mover, m->component, previous_tree(t->order, root), err) < 0)
		return error_prefix(err, "back up '%s'", root);
	session_phase(s, "waiting for the logs of %s", root);
	if (end_backup_mode(s, m, &tail, err) < 0)
		return err->code;
	session_phase(s, "reading the logs of %s", root);
	if (mover_component_end(t->mover, tail, &tree, err) < 0)
		return error_prefix(err, "back up '%s'", root);
	return roots_add_component(t->roots, root,
				   session_plan_provider(s, m, provider, sizeof(provider)), m,
				   t->session->plan.n_members > 0 ? &s->map : NULL, &tree, err);
}

static int
move_folders(struct task *t, struct error *err)
{
	const struct session_order *order = &t->session->order;
	struct blob_id tree;
	char provider[64];

	if (order->n_paths == 0)
		return OK;
	session_phase(t->session, "reading files");
	if (mover_backup_paths(t->mover, order->paths, order->n_paths, previous_tree(t->order, ""),
			       &tree, err) < 0)
		return err->code;
	return roots_add_folders(
		t->roots, session_plan_provider(t->session, NULL, provider, sizeof(provider)),
		&tree, err);
}

/* Databases first: their logs are held back for as long as they are being read. */
static int
move_all(struct task *t, struct error *err)
{
	struct writers *w = &t->session->writers;

	for (size_t i = 0; i < w->n; i++)
		if (move_component(t, &w->members[i], err) < 0)
			return err->code;
	if (move_folders(t, err) < 0 || mover_finish(t->mover, err) < 0)
		return err->code;
	session_phase(t->session, "storing");
	if (repo_writer_flush(t->writer, err) < 0 || check(t, err) < 0)
		return err->code;
	/* What was asked while the last of it was stored counts, too. */
	if (atomic_load(&t->order->mover.progress->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	return OK;
}

int
task_run(struct session *s, struct repo *repo, struct repo_index *index,
	 const struct task_order *order, struct task_result *ret, struct error *err)
{
	CLEAN(task_done) struct task t = {.session = s, .order = order, .roots = json_array()};
	uint64_t began_ns = clock_boot_ns();

	if (session_enter(s, SESSION_CREATED, "moving data", err) < 0)
		return err->code;
	eventlog_add(s->setup.events, EVENT_BACKUP_MOVING, s->order.job, "%s", "");
	if (t.roots == NULL)
		(void)error_no_memory(err);
	if (t.roots == NULL || open_mover(&t, repo, index, err) < 0 || move_all(&t, err) < 0)
		return session_failed(s, err);
	repo_writer_stats(t.writer, &ret->write);
	ret->roots = STEAL_PTR(t.roots);
	eventlog_add(s->setup.events, EVENT_BACKUP_MOVED, s->order.job,
		     "files=%" PRIu64 " bytes=%" PRIu64 " moved_ms=%" PRIu64,
		     (uint64_t)atomic_load(&order->mover.progress->files_done),
		     (uint64_t)atomic_load(&order->mover.progress->bytes_done),
		     (clock_boot_ns() - began_ns) / NS_PER_MS);
	session_leave(s, SESSION_MOVED);
	return OK;
}
