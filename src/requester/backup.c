/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The recipe of a backup. backup_run() below tells it from top to bottom; the steps are above it,
 * in the order in which it takes them. Everything that must be undone is held by struct run, and
 * run_done() undoes it, whichever step failed.
 */
#include "requester/backup.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "requester/keeper.h"
#include "requester/previous.h"
#include "requester/record.h"
#include "requester/warnings.h"

struct run {
	struct repo *repo;
	const struct backup_job *job;
	struct guest *guest;
	enum backup_type type;
	const struct point *base; /* of an incremental one; in points */
	struct keeper *keeper; /* while the guest is to be kept */
	bool completed; /* the guest has nothing to undo */
	struct error
		blame; /* what the guest is aborted for; code OK: nothing that it has to know */
	uint64_t start_ns;
	const char **paths; /* of those asked for, the ones that are there */
	struct session_order order;
	struct warnings warnings;
	struct point_list points; /* earlier restore points */
	struct repo_index *index;
	struct task_previous *previous;
	size_t n_previous;
	struct session_prepared prepared;
	struct session_moment moment;
	struct task_result moved;
	struct session_verdict verdict;
	struct record record; /* the restore point in the making */
};

static void
run_done(struct run *run)
{
	/* Whatever the keeper may be waiting for is not worth it any more. */
	if (!run->completed)
		run->guest->ops->cancel(run->guest);
	keeper_stop(run->keeper);
	if (!run->completed)
		run->guest->ops->abort(run->guest, run->blame.code != OK ? &run->blame : NULL);
	record_done(&run->record);
	session_verdict_done(&run->verdict);
	task_result_done(&run->moved);
	session_moment_done(&run->moment);
	session_prepared_done(&run->prepared);
	free(run->previous);
	repo_index_close(run->index);
	point_list_done(&run->points);
	warnings_done(&run->warnings);
	free(run->paths);
}

static void
phase(const struct run *run, const char *what)
{
	if (run->job->phase != NULL)
		run->job->phase(run->job->phase_arg, what);
}

static int
check_cancelled(const struct run *run, struct error *err)
{
	if (atomic_load(&run->job->mover.progress->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	return OK;
}

/* A path that is not there is a warning as long as something else is: a folder that is gone
 * must not cost the backup of all others. */
static int
check_paths(struct run *run, struct error *err)
{
	const struct session_order *asked = &run->job->order;
	struct error last = ERROR_INIT;
	size_t n = 0;

	run->paths = calloc(MAX(asked->n_paths, (size_t)1), sizeof(*run->paths));
	if (run->paths == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < asked->n_paths; i++) {
		struct stat st;

		/* What is not there on another host, that host will tell. */
		if (run->guest->ops->elsewhere || lstat(asked->paths[i], &st) == 0) {
			run->paths[n++] = asked->paths[i];
			continue;
		}
		error_sys(&last, ERR_SOURCE, "open '%s'", asked->paths[i]);
		if (asked->n_paths + asked->n_writers > 1)
			warnings_add(&run->warnings, asked->paths[i], ERR_SOURCE, true, last.msg);
	}
	run->order = *asked;
	run->order.backup_type = backup_type_name(run->type);
	run->order.paths = run->paths;
	run->order.n_paths = n;
	if (n + asked->n_writers > 0)
		return OK;
	if (asked->n_paths == 0)
		return error_set(err, ERR_USAGE, "nothing to back up was given");
	*err = last;
	return err->code;
}

/* An incremental backup goes on from something; made without that it would be a full one in disguise. */
static int
find_base(struct run *run, struct error *err)
{
	const struct session_order *o = &run->order;

	if (run->type != BACKUP_INCREMENTAL)
		return OK;
	run->base = backup_type_base(&run->points, run->job->host, o->writers, o->n_writers,
				     o->n_paths > 0);
	if (run->base != NULL)
		return OK;
	(void)error_set(err, ERR_BACKUP_TYPE,
			"there is no full backup of '%s' that an incremental one could go on from",
			run->job->host);
	return error_hint(err, "make a backup of type 'full' first");
}

/* What the repository holds already. */
static int
look_back(struct run *run, struct error *err)
{
	phase(run, "reading the index");
	if (repo_index_open(run->repo, &run->index, err) < 0 ||
	    point_list_read(run->repo, &run->points, err) < 0 || find_base(run, err) < 0)
		return err->code;
	return previous_trees(&run->points, run->job->host, run->record.paths, &run->previous,
			      &run->n_previous, err);
}

static int
move(struct run *run, struct error *err)
{
	const struct guest_move how = {
		.repo = run->repo,
		.index = run->index,
		.order =
			{
				.n_previous = run->n_previous,
				.previous = run->previous,
				.mover = run->job->mover,
				.write = run->job->write,
			},
	};
	struct guest_move mine = how;

	mine.order.mover.warn = warnings_add;
	mine.order.mover.warn_arg = &run->warnings;
	mine.order.mover.check = keeper_check;
	mine.order.mover.check_arg = run->keeper;
	return run->guest->ops->move(run->guest, &mine, &run->moved, err);
}

/* The restore point that the first of the roots was compared with stands for all. */
static void
find_parent(struct run *run)
{
	json_t *root;
	size_t i;

	json_array_foreach(run->moved.roots, i, root)
	{
		const char *name = json_string_value(json_object_get(root, "name"));
		const struct point *p;

		if (name == NULL)
			continue;
		p = previous_root(&run->points, run->job->host, run->record.paths, name);
		if (p != NULL) {
			memcpy(run->record.parent, p->id_text, sizeof(run->record.parent));
			return;
		}
	}
}

/* Is it still what it was meant to be? */
static int
prove(struct run *run, struct error *err)
{
	const struct backup_watch *w = run->job->watch;

	if (run->base != NULL && (backup_type_same(run->base, run->moved.roots, err) < 0))
		return err->code;
	if (w == NULL)
		return OK;
	phase(run, "making sure that nothing changed meanwhile");
	if (w->prove(w->arg, run->moved.roots, run->record.json, err) < 0)
		run->blame = *err;
	return run->blame.code;
}

/* Everything is durable: write the restore point, and let the writers release what they held. */
static int
finish(struct run *run, struct backup_result *ret, struct error *err)
{
	struct backup_result result = {.start_ns = run->start_ns, .write = run->moved.write};
	struct error complete = ERROR_INIT;

	result.end_ns = clock_wall_ns();
	find_parent(run);
	if (prove(run, err) < 0 || record_base(&run->record, run->base, err) < 0)
		return err->code;
	if (record_roots(&run->record, run->moved.roots, run->verdict.roots, err) < 0 ||
	    record_moment(&run->record, &run->prepared, &run->moment, err) < 0 ||
	    record_finish(&run->record, run->start_ns, result.end_ns, &run->warnings,
			  run->job->mover.progress, &result.write, err) < 0)
		return err->code;
	if (point_write(run->repo, run->record.json, &result.id, err) < 0)
		return err->code;
	hex_encode(result.id.b, sizeof(result.id.b), result.id_text);
	run->completed = true;
	if (run->guest->ops->complete(run->guest, result.id_text, &complete) < 0)
		warnings_add(&run->warnings, "", complete.code, false, complete.msg);

	(void)text_printf(result.parent_text, sizeof(result.parent_text), "%s", run->record.parent);
	result.consistency = run->record.consistency;
	result.weaker = !run->verdict.proven || !run->verdict.as_required;
	(void)text_printf(result.reason, sizeof(result.reason), "%s", run->record.reason);
	result.frozen_ns = run->moment.frozen_ns;
	result.incomplete = run->warnings.serious > 0;
	result.warnings = run->warnings.count;
	result.warnings_dropped = run->warnings.dropped;
	*ret = result;
	return OK;
}

static int
begin(struct run *run, struct error *err)
{
	const struct backup_job *job = run->job;

	run->guest->say = job->phase;
	run->guest->say_arg = job->phase_arg;
	if (backup_type_check(run->type, false, err) < 0)
		return err->code;
	if (warnings_init(&run->warnings, job->warn, job->warn_arg, err) < 0 ||
	    check_paths(run, err) < 0 || record_begin(&run->record, job, &run->order, err) < 0 ||
	    look_back(run, err) < 0)
		return err->code;
	if (run->order.ttl_ns == 0)
		run->order.ttl_ns = LEASE_TTL_DEFAULT_NS;
	const struct keeper_watch watch = {
		.check = job->watch != NULL ? job->watch->check : NULL,
		.arg = job->watch != NULL ? job->watch->arg : NULL,
	};
	return keeper_start(run->guest, run->order.ttl_ns, job->mover.progress, &watch,
			    &run->keeper, err);
}

static int
recipe(struct run *run, struct backup_result *ret, struct error *err)
{
	struct guest *guest = run->guest;

	/* What is asked for, and what is there to compare with. */
	if (begin(run, err) < 0)
		return err->code;

	/* The moment. */
	if (guest->ops->prepare(guest, &run->order, &run->prepared, err) < 0 ||
	    check_cancelled(run, err) < 0)
		return err->code;
	if (guest->ops->create(guest, &run->moment, err) < 0)
		return err->code;

	/* The data, and what it is worth. */
	if (move(run, err) < 0)
		return err->code;
	keeper_leave(run->keeper);
	if (guest->ops->finish(guest, &run->verdict, err) < 0)
		return err->code;

	/* The restore point, last. */
	return finish(run, ret, err);
}

/* What a lost keep-alive stopped, failed of that; and of what is watched, whoever noticed it first. */
static int
really(struct run *run, struct error *err)
{
	const struct backup_watch *w = run->job->watch;
	struct error why = ERROR_INIT;

	if (run->keeper == NULL)
		return err->code;
	if (keeper_check(run->keeper, &why) < 0) {
		*err = why;
		if (keeper_watch_failed(run->keeper))
			run->blame = why;
	} else if (w != NULL && w->explain(w->arg, err, &why) < 0) {
		*err = run->blame = why;
	}
	return err->code;
}

int
backup_run(struct repo *repo, const struct backup_job *job, struct backup_result *ret,
	   struct error *err)
{
	CLEAN(run_done)
	struct run run = {
		.repo = repo,
		.job = job,
		.guest = job->guest,
		.start_ns = clock_wall_ns(),
		.type = job->type != 0 ? job->type : BACKUP_FULL,
	};
	int r = recipe(&run, ret, err);

	return r < 0 ? really(&run, err) : OK;
}
