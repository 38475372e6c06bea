/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast verify */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/progress_line.h"
#include "cli/progress_view.h"
#include "cli/repository.h"
#include "cli/show.h"
#include "cli/units.h"
#include "repo/verify.h"
#include "requester/log_check.h"

static void
read_progress(void *arg, struct progress_sample *s)
{
	const struct verify_stats *stats = arg;

	s->counted = "packs";
	s->files_done = atomic_load(&stats->packs_done);
	s->files_total = atomic_load(&stats->packs_total);
	s->bytes_done = atomic_load(&stats->bytes_done);
	s->bytes_total = atomic_load(&stats->bytes_total);
	s->total_known = s->bytes_total > 0;
}

static void
problem(void *arg, const char *object, const char *message)
{
	const struct cli *cli = arg;
	struct error shown = ERROR_INIT;

	if (cli->json) {
		out_json(json_pack("{s:s, s:s, s:o}", "type", "problem", "object", object,
				   "message", json_bytes(message, strlen(message))));
		return;
	}
	error_set(&shown, ERR_CORRUPT, "%s: %s", object, message);
	shown.hint[0] = '\0'; /* said once, at the end */
	show_error(cli, "verify", &shown);
}

static void
report(const struct cli *cli, const struct verify_stats *s, uint64_t elapsed_ns)
{
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX];

	if (cli->json) {
		out_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "type",
				   "summary", "points", (json_int_t)s->points, "keys",
				   (json_int_t)s->keys, "index_objects",
				   (json_int_t)s->index_objects, "packs",
				   (json_int_t)atomic_load(&s->packs_done), "bytes_read",
				   (json_int_t)atomic_load(&s->bytes_done), "blobs_checked",
				   (json_int_t)atomic_load(&s->blobs_checked), "unlisted_packs",
				   (json_int_t)s->unlisted_packs, "problems",
				   (json_int_t)atomic_load(&s->problems), "elapsed_ms",
				   (json_int_t)(elapsed_ns / NS_PER_MS)));
		return;
	}
	units_elapsed(elapsed_ns, a);
	if (atomic_load(&s->bytes_done) > 0)
		out_text("Checked %s and %s of stored data in %s: ",
			 units_of(s->points, "restore point", b),
			 units_bytes(atomic_load(&s->bytes_done), c), a);
	else
		out_text("Checked the structure of %s in %s: ",
			 units_of(s->points, "restore point", b), a);
	if (atomic_load(&s->problems) == 0)
		out_text("no problems\n");
	else
		out_text("%s\n", units_of(atomic_load(&s->problems), "problem", b));
	if (s->unlisted_packs > 0 && !cli->quiet)
		out_text("%" PRIu64
			 " packs are in no index: left by an interrupted backup, harmless\n",
			 s->unlisted_packs);
}

static enum verify_level
level_of(const struct invocation *inv)
{
	if (invocation_has(inv, FLAG_READ_DATA))
		return VERIFY_DATA;
	return invocation_has(inv, FLAG_STORED) ? VERIFY_STORED : VERIFY_STRUCTURE;
}

/* Logs, beyond that they are stored whole. Not where that is known to be untrue. */
static int
verify_logs(const struct verify_options *options, struct repo *repo, struct verify_stats *stats,
	    struct error *err)
{
	const struct log_check check = {
		.repo = repo,
		.only = options->only,
		.read = options->level == VERIFY_DATA,
		.problem = options->problem,
		.problem_arg = options->problem_arg,
	};
	uint64_t problems;
	char text[UNITS_MAX];

	if (log_check_run(&check, &problems, err) < 0)
		return err->code;
	atomic_fetch_add(&stats->problems, problems);
	if (problems == 0)
		return OK;
	return error_set(err, ERR_CORRUPT, "%s with logs", units_of(problems, "problem", text));
}

int
verb_verify(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	CLEAN(point_freep) struct point *only = NULL;
	CLEAN(progress_view_stopp) struct progress_view *view = NULL;
	_Atomic bool cancelled = false;
	struct verify_stats stats = {0};
	struct verify_options options = {
		.level = level_of(cli->inv),
		.cancelled = &cancelled,
		.problem = problem,
		.problem_arg = cli,
	};
	struct progress_source source = {read_progress, &stats, &cancelled};
	uint64_t start_ns = clock_boot_ns();
	int r;

	if (repository_open(cli, &opened, err) < 0)
		return err->code;
	if (cli->inv->n_operands > 0 &&
	    point_resolve(opened.repo, cli->inv->operands[0], &only, err) < 0)
		return err->code;
	options.only = only;
	if (progress_view_start(cli, &source, &view, err) < 0)
		return err->code;
	progress_view_phase(view, "verifying");
	r = verify_repository(opened.repo, &options, &stats, err);
	if (r == OK)
		r = verify_logs(&options, opened.repo, &stats, err);
	progress_view_stop(STEAL_PTR(view));
	if (r == OK || atomic_load(&stats.problems) > 0)
		report(cli, &stats, clock_boot_ns() - start_ns);
	return r;
}
