/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast restore */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/out.h"
#include "cli/paths.h"
#include "cli/progress_view.h"
#include "cli/repository.h"
#include "cli/show.h"
#include "cli/stages.h"
#include "cli/units.h"
#include "requester/restore.h"

static void
warn(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	show_warning(arg, path, code, serious, message);
}

/* --tablespace-map OLD=NEW ... as {"OLD": "NEW"}. */
static int
tablespace_map(const struct invocation *inv, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *map = json_object();
	const char *text;

	if (map == NULL)
		return error_no_memory(err);
	for (size_t i = 0; (text = invocation_value_at(inv, FLAG_TABLESPACE_MAP, i)) != NULL; i++) {
		const char *equals = strchr(text, '=');
		CLEAN(free_ptr) char *old = NULL;
		CLEAN(free_ptr) char *new_place = NULL;

		if (equals == NULL || equals == text || equals[1] == '\0') {
			error_set(err, ERR_USAGE, "--tablespace-map '%s': give OLD=NEW", text);
			return error_hint(err, "as in --tablespace-map /srv/fast=/mnt/restored");
		}
		old = strndup(text, (size_t)(equals - text));
		if (old == NULL)
			return error_no_memory(err);
		if (paths_absolute(equals + 1, &new_place, err) < 0)
			return error_prefix(err, "--tablespace-map");
		if (json_object_get(map, old) != NULL)
			return error_set(err, ERR_USAGE, "--tablespace-map names '%s' twice", old);
		if (json_object_set_new(map, old, json_string(new_place)) < 0)
			return error_set(err, ERR_USAGE, "--tablespace-map '%s' is not valid UTF-8",
					 text);
	}
	*ret = STEAL_PTR(map);
	return OK;
}

static int
restore_mode(const struct invocation *inv, enum restore_mode *ret, struct error *err)
{
	bool delta = invocation_has(inv, FLAG_DELTA);
	bool overwrite = invocation_has(inv, FLAG_OVERWRITE);

	if (delta && overwrite)
		return error_set(err, ERR_USAGE, "--delta and --overwrite exclude each other");
	*ret = delta ? RESTORE_DELTA : overwrite ? RESTORE_OVERWRITE : RESTORE_EMPTY;
	return OK;
}

static int
report(const struct cli *cli, const struct restore_result *r, const char *target,
       uint64_t elapsed_ns, struct error *err)
{
	const struct restore_stats *s = &r->stats;
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX], d[UNITS_MAX];

	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
				   "type", "summary", "point", r->id_text, "target",
				   json_bytes(target, strlen(target)), "files",
				   (json_int_t)s->files, "dirs", (json_int_t)s->dirs, "others",
				   (json_int_t)s->others, "bytes", (json_int_t)s->bytes,
				   "bytes_written", (json_int_t)s->bytes_written, "files_removed",
				   (json_int_t)s->files_removed, "warnings",
				   (json_int_t)r->warnings, "elapsed_ms",
				   (json_int_t)(elapsed_ns / NS_PER_MS)));
	else
		out_text("Restored %.8s to %s: %s, %s in %s (%s)\n", r->id_text, target,
			 units_of(s->files + s->others, "file", a), units_bytes(s->bytes, b),
			 units_elapsed(elapsed_ns, c), units_rate(s->bytes, elapsed_ns, d));
	if (!cli->json && !cli->quiet && invocation_has(cli->inv, FLAG_DELTA))
		out_text("Written: %s; removed: %s\n", units_bytes(s->bytes_written, a),
			 units_of(s->files_removed, "file", b));
	if (r->warnings_dropped > 0)
		show_note(cli, "... and %" PRIu64 " more warnings", r->warnings_dropped);
	if (invocation_has(cli->inv, FLAG_STATS) && stages_restore(cli, r, err) < 0)
		return err->code;
	if (r->serious > 0)
		return error_set(err, ERR_INCOMPLETE, "restored, but not everything as it was (%s)",
				 units_of(r->warnings, "warning", a));
	return OK;
}

int
verb_restore(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	CLEAN(json_done) json_t *map = NULL;
	CLEAN(free_ptr) char *target = NULL;
	CLEAN(progress_view_stopp) struct progress_view *view = NULL;
	struct progress progress = {0};
	struct progress_source source = progress_view_source(&progress);
	struct restore_job job = {.progress = &progress};
	struct restore_result result;
	const char *to = invocation_value(cli->inv, FLAG_TO);
	uint64_t start_ns = clock_boot_ns();
	int r;

	if (to == NULL) {
		error_set(err, ERR_USAGE, "--to is missing");
		return error_hint(err, "give --to DIR: the folder to restore into");
	}
	if (restore_mode(cli->inv, &job.mode, err) < 0 || tablespace_map(cli->inv, &map, err) < 0 ||
	    paths_absolute(to, &target, err) < 0 || repository_open(cli, &opened, err) < 0)
		return err->code;
	job.what = cli->inv->operands[0];
	job.target = target;
	job.workers = (unsigned)settings_number(cli->settings, OPTION_RESTORE_WORKERS);
	job.no_owner = geteuid() != 0;
	job.map = json_object_size(map) > 0 ? map : NULL;
	job.setup = host_writers(cli);
	job.warn = warn;
	job.warn_arg = cli;

	if (progress_view_start(cli, &source, &view, err) < 0)
		return err->code;
	job.phase = progress_view_phase;
	job.phase_arg = view;
	r = restore_run(opened.repo, &job, &result, err);
	progress_view_stop(STEAL_PTR(view));
	return r == OK ? report(cli, &result, target, clock_boot_ns() - start_ns, err) : r;
}
