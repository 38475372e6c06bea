/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A restore as a recipe: check what was asked, open the targets, walk the tree and plan, let the
 * workers bring the content, complete the targets, sync.
 */
#include "mover/restore.h"

#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "mover/restore_place.h"
#include "mover/restore_pool.h"
#include "mover/restore_run.h"
#include "mover/restore_target.h"
#include "mover/restore_walk.h"

enum { WORKERS_MAX = 64, WORKERS_DEFAULT_MAX = 8 };

/* Everything one restore holds. */
struct job {
	struct restore_run run;
	bool run_ready;
	struct restore_planner planner;
	struct restore_special_paths special;
	struct restore_item *root;
};

static void
job_free(struct job **pointer)
{
	struct job *job = *pointer;

	if (job == NULL)
		return;
	restore_links_free(job->planner.links);
	repo_reader_close(job->planner.reader);
	/* Targets still open here were never restored into: they stay as they are. */
	atomic_store(&job->run.stopped, true);
	restore_target_close(&job->run, job->root);
	for (size_t i = 0; job->special.elsewhere != NULL && i < job->special.relocate.n; i++)
		restore_target_close(&job->run, job->special.elsewhere[i]);
	free(job->special.elsewhere);
	restore_paths_done(&job->special.skip);
	restore_paths_done(&job->special.relocate);
	if (job->run_ready)
		restore_run_done(&job->run);
	free(job);
}

static unsigned
default_workers(void)
{
	cpu_set_t cpus;
	unsigned n = 1;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		n = (unsigned)CPU_COUNT(&cpus);
	return MIN(n + 1, (unsigned)WORKERS_DEFAULT_MAX);
}

static int
job_new(struct repo *repo, struct repo_index *index, const struct restore_options *options,
	struct job **ret, struct error *err)
{
	CLEAN(job_free) struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return error_no_memory(err);
	int rc = restore_run_init(&job->run, repo, index, options, err);
	if (rc < 0)
		return rc;
	job->run_ready = true;
	job->planner.run = &job->run;
	rc = repo_reader_open(repo, index, &job->planner.reader, err);
	if (rc == OK)
		rc = restore_links_new(&job->planner.links, err);
	if (rc == OK)
		*ret = STEAL_PTR(job);
	return rc;
}

/* A path that would be relocated must be a folder of the restore point: a misspelt one must not mean
 * that nothing is relocated. */
static int
check_relocation(struct job *job, const struct blob_id *tree, const char *at, struct error *err)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct node node;

	int rc = tree_find(job->planner.reader, tree, at, &hold, &node, err);
	if (rc < 0)
		return rc;
	if (rc == 0 || node.type != NODE_DIR)
		return error_set(err, ERR_USAGE,
				 "'%s' is to be restored elsewhere, but is no folder of this "
				 "restore point",
				 at);
	return OK;
}

static int
prepare_paths(struct job *job, const struct blob_id *tree, struct error *err)
{
	const struct restore_options *o = job->run.options;
	struct restore_special_paths *s = &job->special;
	int rc = OK;

	for (size_t i = 0; i < o->n_skip && rc == OK; i++)
		rc = restore_paths_add(&s->skip, o->skip[i], err);
	for (size_t i = 0; i < o->n_relocate && rc == OK; i++) {
		rc = restore_paths_add(&s->relocate, o->relocate[i].at, err);
		if (rc == OK && o->relocate[i].to[0] != '/')
			rc = error_set(err, ERR_USAGE, "'%s' is no absolute path",
				       o->relocate[i].to);
		if (rc == OK)
			rc = check_relocation(job, tree, s->relocate.list[i], err);
	}
	return rc;
}

/* All targets, before anything is written: each one usable, none in another. */
static int
open_targets(struct job *job, const char *target, struct error *err)
{
	const struct restore_options *o = job->run.options;
	struct restore_special_paths *s = &job->special;

	int rc = restore_target_open(&job->run, target, &job->root, err);
	if (rc == OK && o->top != NULL)
		rc = restore_item_describe(job->root, o->top, err);
	if (rc < 0 || o->n_relocate == 0)
		return rc;
	s->elsewhere = calloc(o->n_relocate, sizeof(*s->elsewhere));
	if (s->elsewhere == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < o->n_relocate && rc == OK; i++) {
		rc = restore_target_open(&job->run, o->relocate[i].to, &s->elsewhere[i], err);
		if (rc == OK)
			rc = restore_target_check_apart(&job->run, job->root, s->elsewhere[i], err);
		for (size_t k = 0; k < i && rc == OK; k++)
			rc = restore_target_check_apart(&job->run, s->elsewhere[k], s->elsewhere[i],
							err);
	}
	return rc;
}

/* With all targets open: either the tree or the one node. */
static int
run_job(struct job *job, const struct blob_id *tree, const struct node *node, struct error *err)
{
	const struct restore_options *o = job->run.options;
	unsigned workers = o->workers > 0 ? MIN(o->workers, (unsigned)WORKERS_MAX)
					  : default_workers();
	struct error why = ERROR_INIT;

	int rc = restore_pool_start(&job->run, workers, &job->planner.pool, err);
	if (rc < 0)
		return rc;
	if (tree != NULL)
		rc = restore_walk_tree(&job->planner, job->root, tree, &job->special, &why);
	else
		rc = restore_place_entry(&job->planner, job->root, node, &why);
	if (rc < 0)
		restore_run_fail(&job->run, &why);
	else
		atomic_store(&o->progress->total_known, true);
	restore_pool_finish(job->planner.pool);

	/* The names that hard links were waiting for keep their folders. */
	restore_links_free(STEAL_PTR(job->planner.links));
	restore_target_close(&job->run, STEAL_PTR(job->root));
	for (size_t i = 0; i < job->special.relocate.n; i++)
		restore_target_close(&job->run, STEAL_PTR(job->special.elsewhere[i]));
	return restore_run_result(&job->run, err);
}

static int
sync_job(struct job *job, uint64_t *ret_ns, struct error *err)
{
	uint64_t start = clock_boot_ns();

	if (job->run.options->no_sync)
		return OK;
	int rc = restore_run_sync(&job->run, err);
	*ret_ns = clock_boot_ns() - start;
	return rc;
}

static void
job_stats(const struct job *job, uint64_t sync_ns, struct restore_stats *ret)
{
	const struct restore_run *run = &job->run;

	*ret = (struct restore_stats){
		.files = atomic_load(&run->files),
		.dirs = atomic_load(&run->dirs),
		.others = atomic_load(&run->others),
		.bytes = atomic_load(&run->bytes),
		.bytes_written = atomic_load(&run->bytes_written),
		.files_removed = atomic_load(&run->files_removed),
		.read_ns = atomic_load(&run->read_ns),
		.unpack_ns = atomic_load(&run->unpack_ns),
		.write_ns = atomic_load(&run->write_ns),
		.sync_ns = sync_ns,
	};
}

static int
restore_any(struct repo *repo, struct repo_index *index, const struct blob_id *tree,
	    const struct node *node, const char *target, const struct restore_options *options,
	    struct restore_stats *ret_stats, struct error *err)
{
	CLEAN(job_free) struct job *job = NULL;
	uint64_t sync_ns = 0;

	int rc = job_new(repo, index, options, &job, err);
	if (rc == OK && tree != NULL)
		rc = prepare_paths(job, tree, err);
	if (rc == OK)
		rc = open_targets(job, target, err);
	if (rc < 0)
		return rc;
	rc = run_job(job, tree, node, err);
	if (rc == OK)
		rc = sync_job(job, &sync_ns, err);
	if (rc < 0)
		return error_prefix(err, "the restore into '%s' is not complete", target);
	job_stats(job, sync_ns, ret_stats);
	return OK;
}

int
restore_tree(struct repo *repo, struct repo_index *index, const struct blob_id *tree,
	     const char *target, const struct restore_options *options,
	     struct restore_stats *ret_stats, struct error *err)
{
	return restore_any(repo, index, tree, NULL, target, options, ret_stats, err);
}

int
restore_node(struct repo *repo, struct repo_index *index, const struct node *node,
	     const char *target, const struct restore_options *options,
	     struct restore_stats *ret_stats, struct error *err)
{
	if (node->type == NODE_DIR)
		return error_set(err, ERR_USAGE, "a folder is restored with restore_tree()");
	struct restore_options alone = *options;

	alone.n_relocate = 0;
	alone.top = NULL;
	return restore_any(repo, index, NULL, node, target, &alone, ret_stats, err);
}
