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
#include "cli/when.h"
#include "config/value.h"
#include "postgresql/walrange.h"
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

/* Which moment, if one is asked for; and that all that is said fits together. */
static int
find_moment(const struct invocation *inv, struct restore_job *job, struct error *err)
{
	const char *time = invocation_value(inv, FLAG_TARGET_TIME);
	const char *lsn = invocation_value(inv, FLAG_TARGET_LSN);
	const char *name = invocation_value(inv, FLAG_TARGET_NAME);
	const char *timeline = invocation_value(inv, FLAG_TARGET_TIMELINE);
	bool end = invocation_has(inv, FLAG_TARGET_END);
	unsigned n = (time != NULL) + (lsn != NULL) + (name != NULL) + end;
	uint64_t number;

	job->what = inv->n_operands > 0 ? inv->operands[0] : NULL;
	job->group = invocation_value(inv, FLAG_LOGS_OF_GROUP);
	if (n > 1)
		return error_set(err, ERR_USAGE, "there can be only one --target");
	if (n == 0 && (timeline != NULL || job->group != NULL)) {
		(void)error_set(err, ERR_USAGE, "--%s goes with a moment",
				timeline != NULL ? "target-timeline" : "group");
		return error_hint(err, "give --target-time, --target-lsn, --target-name or "
				       "--target-end");
	}
	if (n == 0 && job->what == NULL) {
		(void)error_set(err, ERR_USAGE, "nothing says what to restore");
		return error_hint(err, "give a restore point, such as 'latest', or a moment, such "
				       "as --target-time");
	}
	if (n > 0 && job->mode == RESTORE_OVERWRITE) {
		(void)error_set(err, ERR_USAGE, "--overwrite does not go with a moment");
		return error_hint(err,
				  "what is extra would be in the server's way: use --delta, or "
				  "an empty folder");
	}
	if (timeline != NULL &&
	    (value_parse_number(timeline, &number, err) < 0 || number == 0 || number > UINT32_MAX))
		return error_set(err, ERR_USAGE, "--target-timeline '%s' is no timeline", timeline);
	job->timeline = timeline != NULL ? (uint32_t)number : 0;
	if (lsn != NULL && !walrange_parse_lsn(lsn, &job->moment.lsn)) {
		(void)error_set(err, ERR_USAGE, "--target-lsn '%s' is no position", lsn);
		return error_hint(err, "as pg_current_wal_lsn() shows it: 16/B374D848");
	}
	if (time != NULL && when_parse(time, &job->moment.time_ns, err) < 0)
		return error_prefix(err, "--target-time");
	job->moment.name = name;
	job->moment.kind = time != NULL   ? LOG_TARGET_TIME
			   : lsn != NULL  ? LOG_TARGET_LSN
			   : name != NULL ? LOG_TARGET_NAME
			   : end          ? LOG_TARGET_END
					  : LOG_TARGET_NONE;
	return OK;
}

static void
report_json(const struct restore_result *r, const char *target, uint64_t elapsed_ns)
{
	const struct restore_stats *s = &r->stats;
	json_t *j = json_pack(
		"{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "type", "summary",
		"point", r->id_text, "target", json_bytes(target, strlen(target)), "files",
		(json_int_t)s->files, "dirs", (json_int_t)s->dirs, "others", (json_int_t)s->others,
		"bytes", (json_int_t)s->bytes, "bytes_written", (json_int_t)s->bytes_written,
		"files_removed", (json_int_t)s->files_removed, "warnings", (json_int_t)r->warnings,
		"elapsed_ms", (json_int_t)(elapsed_ns / NS_PER_MS));

	if (j != NULL && r->recovery != NULL)
		(void)json_object_set(j, "recovery", r->recovery);
	out_json(j);
}

static void
report_text(const struct cli *cli, const struct restore_result *r, const char *target,
	    uint64_t elapsed_ns)
{
	const struct restore_stats *s = &r->stats;
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX], d[UNITS_MAX];

	out_text("Restored %.8s to %s: %s, %s in %s (%s)\n", r->id_text, target,
		 units_of(s->files + s->others, "file", a), units_bytes(s->bytes, b),
		 units_elapsed(elapsed_ns, c), units_rate(s->bytes, elapsed_ns, d));
	if (!cli->quiet && invocation_has(cli->inv, FLAG_DELTA))
		out_text("Written: %s; removed: %s\n", units_bytes(s->bytes_written, a),
			 units_of(s->files_removed, "file", b));
	if (r->recovery != NULL) {
		const char *position = json_string_value(json_object_get(r->recovery, "position"));

		out_text("%s: position %s, with the logs from %s\n",
			 json_string_value(json_object_get(r->recovery, "wanted")),
			 position != NULL
				 ? position
				 : json_string_value(json_object_get(r->recovery, "logs_to")),
			 json_string_value(json_object_get(r->recovery, "logs_from")));
		show_note(cli,
			  "start the server on %s: it recovers, stops there, and takes up "
			  "work",
			  target);
	} else if (invocation_has(cli->inv, FLAG_TARGET_END)) {
		out_text("To its own end: the repository has no logs that go on from there\n");
	}
}

static int
report(const struct cli *cli, const struct restore_result *r, const char *target,
       uint64_t elapsed_ns, struct error *err)
{
	char a[UNITS_MAX];

	if (cli->json)
		report_json(r, target, elapsed_ns);
	else
		report_text(cli, r, target, elapsed_ns);
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
	    find_moment(cli->inv, &job, err) < 0 || paths_absolute(to, &target, err) < 0 ||
	    repository_open(cli, &opened, err) < 0)
		return err->code;
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
	if (r < 0)
		return r;
	r = report(cli, &result, target, clock_boot_ns() - start_ns, err);
	json_decref(result.recovery);
	return r;
}
