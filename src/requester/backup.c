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
#include "provider/direct.h"
#include "requester/previous.h"
#include "requester/record.h"
#include "requester/warnings.h"

struct run {
	struct repo *repo;
	const struct backup_job *job;
	uint64_t start_ns;
	size_t n_paths; /* of those asked for, the ones that are there */
	const char **paths;
	struct warnings warnings;
	struct point_list points; /* earlier restore points */
	struct repo_index *index;
	struct writers writers;
	struct repo_writer *writer;
	struct mover *mover;
	struct record record; /* the restore point in the making */
};

static void
run_done(struct run *run)
{
	mover_free(run->mover);
	writers_done(&run->writers);
	repo_writer_close(run->writer);
	record_done(&run->record);
	repo_index_close(run->index);
	point_list_done(&run->points);
	warnings_done(&run->warnings);
	free(run->paths);
}

static void phase(const struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);

static void
phase(const struct run *run, const char *format, ...)
{
	char text[160];
	va_list ap;

	if (run->job->phase == NULL)
		return;
	va_start(ap, format);
	(void)text_vprintf(text, sizeof(text), format, ap);
	va_end(ap);
	run->job->phase(run->job->phase_arg, text);
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
	const struct backup_job *job = run->job;
	struct error last = ERROR_INIT;

	run->paths = calloc(MAX(job->n_paths, (size_t)1), sizeof(*run->paths));
	if (run->paths == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < job->n_paths; i++) {
		struct stat st;

		if (lstat(job->paths[i], &st) == 0) {
			run->paths[run->n_paths++] = job->paths[i];
			continue;
		}
		error_sys(&last, ERR_SOURCE, "open '%s'", job->paths[i]);
		if (job->n_paths + job->n_writers > 1)
			warnings_add(&run->warnings, job->paths[i], ERR_SOURCE, true, last.msg);
	}
	if (run->n_paths + job->n_writers > 0)
		return OK;
	if (job->n_paths == 0)
		return error_set(err, ERR_USAGE, "nothing to back up was given");
	*err = last;
	return err->code;
}

/* What the repository holds already. */
static int
look_back(struct run *run, struct error *err)
{
	phase(run, "reading the index");
	if (repo_index_open(run->repo, &run->index, err) < 0)
		return err->code;
	return point_list_read(run->repo, &run->points, err);
}

static int
start_writers(struct run *run, struct error *err)
{
	const struct backup_job *job = run->job;

	for (size_t i = 0; i < job->n_writers; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(job->writers[i], job->writers[j]) == 0)
				return error_set(err, ERR_USAGE, "writer '%s' was given twice",
						 job->writers[i]);
	if (job->n_writers > 0)
		phase(run, "starting the writers");
	return writers_start(&run->writers, &job->setup, job->n_writers, job->writers, err);
}

/* From here to the thaw the applications wait, so nothing else happens in between. */
static int
freeze_snapshot_thaw(struct run *run, struct error *err)
{
	struct error thaw = ERROR_INIT;

	/* Provider `direct` has nothing to make between the two. */
	if (writers_freeze(&run->writers, err) < 0)
		return err->code;
	if (writers_thaw(&run->writers, &thaw) < 0) {
		*err = thaw;
		return thaw.code;
	}
	return OK;
}

/* Bring the applications to a consistent point and take the snapshot. */
static int
take_snapshot(struct run *run, struct error *err)
{
	char label[64];
	int r;

	run->record.provider = direct_ops.name;
	(void)text_printf(label, sizeof(label), "holdfast %.16s", run->repo->id_text);
	if (run->writers.n > 0)
		phase(run, "preparing the database");
	if (writers_prepare_snapshot(&run->writers, direct_ops.name, label, err) < 0)
		return err->code;
	r = freeze_snapshot_thaw(run, err);
	return r == OK ? writers_post_snapshot(&run->writers, err) : r;
}

static int
open_mover(struct run *run, struct error *err)
{
	struct mover_options options = run->job->mover;

	options.warn = warnings_add;
	options.warn_arg = &run->warnings;
	if (run->writers.n > 0) {
		options.check = writers_check;
		options.check_arg = &run->writers;
	}
	if (repo_writer_open(run->repo, run->index, &run->job->write, &run->writer, err) < 0)
		return err->code;
	return mover_new(run->repo, run->index, run->writer, &options, &run->mover, err);
}

/* One database: its files, then the end of its backup mode, then what that left to copy. */
static int
move_component(struct run *run, struct writers_member *m, struct error *err)
{
	CLEAN(component_tail_freep) struct component_tail *tail = NULL;
	const struct point *previous;
	const struct blob_id *tree = NULL;
	struct blob_id result;
	char root[RECORD_ROOT_MAX];

	if (record_root_name(m->name, m->component->name, root, err) < 0)
		return err->code;
	previous = previous_component(&run->points, run->job->host, root);
	if (previous != NULL)
		tree = &point_find_root(previous, root)->tree;
	phase(run, "reading %s", root);
	if (mover_component_begin(run->mover, m->component, tree, err) < 0)
		return error_prefix(err, "back up '%s'", root);
	phase(run, "waiting for the logs of %s", root);
	if (writers_post_copy(m, &tail, err) < 0)
		return err->code;
	phase(run, "reading the logs of %s", root);
	if (mover_component_end(run->mover, tail, &result, err) < 0)
		return error_prefix(err, "back up '%s'", root);
	return record_component(&run->record, root, m, &result, previous, err);
}

static int
move_folders(struct run *run, struct error *err)
{
	const struct point *previous;
	const struct blob_id *tree = NULL;
	struct blob_id result;

	if (run->n_paths == 0)
		return OK;
	previous = previous_folders(&run->points, run->job->host, run->record.paths);
	if (previous != NULL)
		tree = &point_find_root(previous, "")->tree;
	phase(run, "reading files");
	if (mover_backup_paths(run->mover, run->paths, run->n_paths, tree, &result, err) < 0)
		return err->code;
	return record_folders(&run->record, CONSISTENCY_NONE, &result, previous, err);
}

/* Databases first: their logs are held back for as long as they are being read. */
static int
move_all(struct run *run, struct error *err)
{
	for (size_t i = 0; i < run->writers.n; i++)
		if (move_component(run, &run->writers.members[i], err) < 0)
			return err->code;
	if (move_folders(run, err) < 0 || mover_finish(run->mover, err) < 0)
		return err->code;
	phase(run, "storing");
	if (repo_writer_flush(run->writer, err) < 0)
		return err->code;
	/* The proof of consistency holds only if every writer is still good after the last byte. */
	if (run->writers.n > 0 && writers_check(&run->writers, err) < 0)
		return err->code;
	return check_cancelled(run, err);
}

/* Everything is durable: write the restore point, and let the writers release what they held. */
static int
finish(struct run *run, struct backup_result *ret, struct error *err)
{
	struct backup_result result = {.start_ns = run->start_ns};
	struct error complete = ERROR_INIT;

	repo_writer_stats(run->writer, &result.write);
	result.end_ns = clock_wall_ns();
	if (record_finish(&run->record, run->start_ns, result.end_ns, &run->warnings,
			  run->job->mover.progress, &result.write, err) < 0)
		return err->code;
	if (point_write(run->repo, run->record.json, &result.id, err) < 0)
		return err->code;
	hex_encode(result.id.b, sizeof(result.id.b), result.id_text);
	if (writers_complete(&run->writers, result.id_text, &complete) < 0)
		warnings_add(&run->warnings, "", complete.code, false, complete.msg);

	(void)text_printf(result.parent_text, sizeof(result.parent_text), "%s", run->record.parent);
	result.consistency = run->record.consistency;
	result.incomplete = run->warnings.serious > 0;
	result.warnings = run->warnings.count;
	result.warnings_dropped = run->warnings.dropped;
	*ret = result;
	return OK;
}

int
backup_run(struct repo *repo, const struct backup_job *job, struct backup_result *ret,
	   struct error *err)
{
	CLEAN(run_done) struct run run = {.repo = repo, .job = job, .start_ns = clock_wall_ns()};

	/* What is asked for, and what is there to compare with. */
	if (warnings_init(&run.warnings, job->warn, job->warn_arg, err) < 0 ||
	    check_paths(&run, err) < 0 || look_back(&run, err) < 0)
		return err->code;
	if (record_begin(&run.record, job, run.paths, run.n_paths, err) < 0)
		return err->code;

	/* The moment. */
	if (start_writers(&run, err) < 0 || check_cancelled(&run, err) < 0 ||
	    take_snapshot(&run, err) < 0)
		return err->code;

	/* The data. */
	if (open_mover(&run, err) < 0 || move_all(&run, err) < 0)
		return err->code;

	/* The restore point, last. */
	return finish(&run, ret, err);
}
