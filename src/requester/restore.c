/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The recipe of a restore. restore_run() at the end tells which parts there are and where each
 * goes; above it are the ways to restore one part.
 */
#include "requester/restore.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "mover/top.h"
#include "requester/locate.h"
#include "requester/log_lay.h"
#include "requester/moment.h"
#include "requester/relocate.h"
#include "requester/warnings.h"

struct run {
	struct repo *repo;
	const struct restore_job *job;
	struct repo_index *index;
	struct repo_reader *reader;
	struct location where;
	struct moment moment; /* if one is asked for */
	const struct point *point; /* of either */
	struct warnings warnings;
	struct restore_stats stats; /* sums of all parts */
};

static void
run_done(struct run *run)
{
	warnings_done(&run->warnings);
	moment_done(&run->moment);
	locate_done(&run->where);
	repo_reader_close(run->reader);
	repo_index_close(run->index);
}

static void
phase(const struct run *run, const char *what, const char *name)
{
	char text[160];

	if (run->job->phase == NULL)
		return;
	(void)text_printf(text, sizeof(text), "%s %s", what, name);
	run->job->phase(run->job->phase_arg, text);
}

static void
add_stats(struct restore_stats *sum, const struct restore_stats *s)
{
	sum->files += s->files;
	sum->dirs += s->dirs;
	sum->others += s->others;
	sum->bytes += s->bytes;
	sum->bytes_written += s->bytes_written;
	sum->files_removed += s->files_removed;
	sum->read_ns += s->read_ns;
	sum->unpack_ns += s->unpack_ns;
	sum->write_ns += s->write_ns;
	sum->sync_ns += s->sync_ns;
}

static struct restore_options
options_of(struct run *run)
{
	const struct restore_job *job = run->job;

	return (struct restore_options){
		.mode = job->mode,
		.workers = job->workers,
		.no_owner = job->no_owner,
		.warn = warnings_add,
		.warn_arg = &run->warnings,
		.progress = job->progress,
	};
}

/* The target is the folder now: it gets its owner and mode. That it cannot is worth a warning, not the
 * whole restore. With --overwrite it stays what it was. */
static void
finish_target(struct run *run, const struct node *node, const char *target)
{
	struct error why = ERROR_INIT;

	if (run->job->mode != RESTORE_OVERWRITE &&
	    top_apply(target, node, !run->job->no_owner, &why) < 0)
		warnings_add(&run->warnings, target, why.code, true, why.msg);
}

static int
restore_files(struct run *run, const struct blob_id *tree, const char *target, struct error *err)
{
	struct restore_options options = options_of(run);
	struct restore_stats stats;

	phase(run, "restoring files to", target);
	if (restore_tree(run->repo, run->index, tree, target, &options, &stats, err) < 0)
		return error_prefix(err, "restore to '%s'", target);
	add_stats(&run->stats, &stats);
	return OK;
}

/* The root's own object in the record: it says more than struct point_root. */
static const json_t *
record_of(const struct run *run, const struct point_root *root)
{
	return json_array_get(json_object_get(run->point->json, "roots"),
			      (size_t)(root - run->point->roots));
}

static int
start_writer(struct run *run, const char *name, struct writer **ret, struct error *err)
{
	int r = writers_start_one(&run->job->setup, name, ret, err);

	if (r == ERR_SPAWN)
		return error_hint(
			err,
			"restoring '%s' needs holdfast-writer-%s on this host: install it "
			"or set writer.dir; or restore plain files, as in POINT:%s/base",
			name, name, name);
	return r;
}

/* The logs that lead to the moment, beside what was restored. */
static int
lay_logs(struct run *run, const char *target, const struct restore_options *options,
	 struct error *err)
{
	const struct log_lay lay = {
		.repo = run->repo,
		.index = run->index,
		.reader = run->reader,
		.chain = &run->moment.chain,
		.base = run->moment.base,
		.end = run->moment.stop.need.end,
		.target = target,
		.options = options,
	};
	struct restore_stats stats;

	phase(run, "restoring", "the logs");
	if (log_lay_run(&lay, &stats, err) < 0)
		return err->code;
	add_stats(&run->stats, &stats);
	return OK;
}

/* A whole component: its writer's consent, its files, its writer's finish. */
static int
restore_component(struct run *run, const struct point_root *root, const char *target,
		  struct error *err)
{
	const json_t *record = record_of(run, root);
	CLEAN(writer_closep) struct writer *writer = NULL;
	CLEAN(relocate_done) struct relocations moved = {0};
	struct restore_options options = options_of(run);
	CLEAN(buf_done) struct buf top_hold = BUF_INIT(NODE_XATTRS_MAX);
	const struct writer_restore told = {root->component, target, run->job->map,
					    run->moment.recovery};
	struct restore_stats stats;
	struct node top;
	const char *name;
	int r;

	if (json_get_str(record, "writer", &name, err) < 0 ||
	    relocate_resolve(record, run->job->map, &moved, err) < 0)
		return err->code;
	phase(run, "preparing", root->name);
	if (start_writer(run, name, &writer, err) < 0 || writer_pre_restore(writer, &told, err) < 0)
		return err->code;

	phase(run, "restoring", root->name);
	options.n_relocate = moved.n;
	options.relocate = moved.list;
	if (restore_tree(run->repo, run->index, &root->tree, target, &options, &stats, err) < 0)
		return error_prefix(err, "restore '%s' to '%s'", root->name, target);
	add_stats(&run->stats, &stats);

	/* Before the writer finishes: it acts as the owner of what it finds. */
	if ((r = top_parse(record, &top_hold, &top, err)) < 0)
		return r;
	if (r > 0)
		finish_target(run, &top, target);
	if (told.recovery != NULL && lay_logs(run, target, &options, err) < 0)
		return err->code;
	phase(run, "finishing", root->name);
	return writer_post_restore(writer, &told, err);
}

static int
restore_root(struct run *run, const struct point_root *root, const char *target, struct error *err)
{
	/* Folders, and logs: no writer has to do with them. */
	if (json_object_get(record_of(run, root), "writer") == NULL)
		return restore_files(run, &root->tree, target, err);
	return restore_component(run, root, target, err);
}

/* POINT alone: every root. The only component of a restore point without folders gets the
 * target for itself, so that it can be started there; else each has a folder of its name. */
static int
restore_everything(struct run *run, struct error *err)
{
	const struct point *p = run->point;
	const char *target = run->job->target;

	if (p->n_roots == 1)
		return restore_root(run, &p->roots[0], target, err);
	/* Folders first: with --delta they clear the target of what they do not have. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < p->n_roots; i++) {
			const struct point_root *root = &p->roots[i];
			CLEAN(buf_done) struct buf path = BUF_INIT(LOCATE_TEXT_MAX);

			if ((root->name[0] == '\0') != (pass == 0))
				continue;
			if (buf_printf(&path, err, pass == 0 ? "%s" : "%s/%s", target, root->name) <
				    0 ||
			    restore_root(run, root, (const char *)path.p, err) < 0)
				return err->code;
		}
	return OK;
}

/* POINT:PATH: a whole component, the contents of a folder, or one file. */
static int
restore_path(struct run *run, struct error *err)
{
	struct location *where = &run->where;
	struct restore_options options = options_of(run);
	struct restore_stats stats;

	if (where->path[0] == '\0')
		return restore_root(run, where->root, run->job->target, err);
	if (locate_node(run->reader, where, err) < 0)
		return err->code;
	if (where->is_folder) {
		if (restore_files(run, &where->tree, run->job->target, err) < 0)
			return err->code;
		finish_target(run, &where->node, run->job->target);
		return OK;
	}
	phase(run, "restoring", where->path);
	if (restore_node(run->repo, run->index, &where->node, run->job->target, &options, &stats,
			 err) < 0)
		return error_prefix(err, "restore to '%s'", run->job->target);
	add_stats(&run->stats, &stats);
	return OK;
}

/* The database at a moment. */
static int
restore_moment(struct run *run, struct error *err)
{
	const struct moment_order order = {run->repo, run->reader, run->job};

	phase(run, "looking for", "the moment in the logs");
	if (moment_find(&order, &run->moment, err) < 0)
		return err->code;
	run->point = run->moment.base->point;
	return restore_component(run, run->moment.base->root, run->job->target, err);
}

static int
restore_point(struct run *run, struct error *err)
{
	run->point = run->where.point;
	if (run->point->n_roots == 0)
		return error_set(err, ERR_POINT, "restore point %.8s is empty",
				 run->point->id_text);
	return run->where.root != NULL ? restore_path(run, err) : restore_everything(run, err);
}

int
restore_run(struct repo *repo, const struct restore_job *job, struct restore_result *ret,
	    struct error *err)
{
	CLEAN(run_done) struct run run = {.repo = repo, .job = job};
	struct restore_result result = {0};
	bool moment = job->moment.kind != LOG_TARGET_NONE;

	/* What, and where it lies. */
	if (warnings_init(&run.warnings, job->warn, job->warn_arg, err) < 0 ||
	    (!moment && locate_point(repo, job->what, &run.where, err) < 0))
		return err->code;
	phase(&run, "reading", "the index");
	if (repo_index_open(repo, &run.index, err) < 0 ||
	    repo_reader_open(repo, run.index, &run.reader, err) < 0)
		return err->code;

	/* The files. */
	if ((moment ? restore_moment(&run, err) : restore_point(&run, err)) < 0)
		return err->code;

	memcpy(result.id_text, run.point->id_text, sizeof(result.id_text));
	result.recovery = json_incref(run.moment.recovery);
	result.stats = run.stats;
	result.warnings = run.warnings.count;
	result.warnings_dropped = run.warnings.dropped;
	result.serious = run.warnings.serious;
	*ret = result;
	return OK;
}
