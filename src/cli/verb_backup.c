/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast backup */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/backuplog.h"
#include "cli/cli.h"
#include "cli/exclude.h"
#include "cli/guest.h"
#include "cli/host.h"
#include "cli/out.h"
#include "cli/paths.h"
#include "cli/progress_view.h"
#include "cli/repository.h"
#include "cli/show.h"
#include "cli/stages.h"
#include "cli/units.h"
#include "requester/backup.h"

static void
warn(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	show_warning(arg, path, code, serious, message);
}

/* 0: auto. */
static enum consistency
required(const char *text)
{
	enum consistency c = 0;

	(void)point_consistency_find(text, &c);
	return c;
}

static void
job_from_settings(struct cli *cli, struct backup_job *job)
{
	struct settings *s = cli->settings;

	job->host = settings_text(s, OPTION_BACKUP_HOST);
	job->tags = settings_list(s, OPTION_BACKUP_TAGS, &job->n_tags);
	job->order.provider = settings_text(s, OPTION_BACKUP_PROVIDER);
	job->order.require = required(settings_text(s, OPTION_BACKUP_REQUIRE));
	job->order.ttl_ns = settings_number(s, OPTION_BACKUP_SNAPSHOT_TIMEOUT) * NS_PER_S;
	job->order.freeze_cap_ns = settings_number(s, OPTION_BACKUP_FREEZE_LIMIT) * NS_PER_S;
	job->order.one_file_system = settings_bool(s, OPTION_BACKUP_ONE_FILE_SYSTEM);
	job->mover.workers = (unsigned)settings_number(s, OPTION_BACKUP_WORKERS);
	job->mover.memory_limit = settings_number(s, OPTION_BACKUP_MEMORY_LIMIT);
	job->mover.one_file_system = settings_bool(s, OPTION_BACKUP_ONE_FILE_SYSTEM);
	job->mover.force_read = invocation_has(cli->inv, FLAG_FORCE_READ);
	job->write.level_data = (int)settings_number(s, OPTION_BACKUP_COMPRESSION_LEVEL);
	job->write.level_pages = (int)settings_number(s, OPTION_BACKUP_COMPRESSION_LEVEL_PAGES);
	job->write.pack_size = (uint32_t)settings_number(s, OPTION_BACKUP_PACK_SIZE);
	job->warn = warn;
	job->warn_arg = cli;
	job->phase = progress_view_phase;
}

static void
report_json(const char *job, const struct backup_result *r, const struct progress *p)
{
	char start[32], end[32];
	json_t *j = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
		"s:I}",
		"type", "summary", "job", job, "point", r->id_text, "start",
		clock_format_utc(r->start_ns, start), "end", clock_format_utc(r->end_ns, end),
		"consistency", point_consistency_name(r->consistency), "incomplete",
		r->incomplete ? 1 : 0, "warnings", (json_int_t)r->warnings, "elapsed_ms",
		(json_int_t)((r->end_ns - r->start_ns) / NS_PER_MS), "files",
		(json_int_t)atomic_load(&p->files_done), "files_new",
		(json_int_t)atomic_load(&p->files_new), "files_changed",
		(json_int_t)atomic_load(&p->files_changed), "files_unchanged",
		(json_int_t)atomic_load(&p->files_unchanged), "dirs",
		(json_int_t)atomic_load(&p->dirs), "bytes", (json_int_t)atomic_load(&p->bytes_done),
		"bytes_new", (json_int_t)r->write.bytes_new, "bytes_stored",
		(json_int_t)r->write.bytes_stored);

	if (j != NULL && r->reason[0] != '\0')
		(void)json_object_set_new(j, "consistency_reason", json_string(r->reason));
	if (j != NULL && r->frozen_ns > 0)
		(void)json_object_set_new(j, "frozen_us",
					  json_integer((json_int_t)(r->frozen_ns / 1000)));
	if (j != NULL && r->parent_text[0] != '\0')
		(void)json_object_set_new(j, "parent", json_string(r->parent_text));
	out_json(j);
}

static void
report_text(const struct cli *cli, const struct backup_result *r, const struct progress *p)
{
	uint64_t elapsed = r->end_ns - r->start_ns;
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX], d[UNITS_MAX];

	out_text("Restore point %.8s: consistency %s%s\n", r->id_text,
		 point_consistency_name(r->consistency), r->incomplete ? ", incomplete" : "");
	if (cli->quiet)
		return;
	if (r->reason[0] != '\0')
		out_text("Not higher: %s\n", r->reason);
	out_text("Files: %s (%s new, %s changed, %s unchanged)\n",
		 units_count(atomic_load(&p->files_done), a),
		 units_count(atomic_load(&p->files_new), b),
		 units_count(atomic_load(&p->files_changed), c),
		 units_count(atomic_load(&p->files_unchanged), d));
	out_text("Data:  %s in %s (%s), %s new, %s stored\n",
		 units_bytes(atomic_load(&p->bytes_done), a), units_elapsed(elapsed, b),
		 units_rate(atomic_load(&p->bytes_done), elapsed, c),
		 units_bytes(r->write.bytes_new, d),
		 units_bytes(r->write.bytes_stored, (char[UNITS_MAX]){0}));
}

static int
report(const struct cli *cli, const struct backuplog *log, const struct backup_result *r,
       const struct progress *p, struct error *err)
{
	char warnings[UNITS_MAX];

	if (cli->json)
		report_json(log->job, r, p);
	else
		report_text(cli, r, p);
	if (r->warnings_dropped > 0)
		show_note(cli, "... and %" PRIu64 " more warnings", r->warnings_dropped);
	if (invocation_has(cli->inv, FLAG_STATS) && stages_backup(cli, r, p, err) < 0)
		return err->code;
	if (r->weaker && !r->incomplete)
		return error_set(
			err, ERR_INCOMPLETE,
			"restore point %.8s was made, but is less consistent than it should "
			"be: %s",
			r->id_text, r->reason);
	if (r->incomplete)
		return error_set(err, ERR_INCOMPLETE,
				 "restore point %.8s was made, but is not complete (%s)",
				 r->id_text, units_of(r->warnings, "warning", warnings));
	return OK;
}

int
verb_backup(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	CLEAN(paths_done) struct path_list paths = {0};
	CLEAN(exclude_done) struct exclude_list exclude = {0};
	CLEAN(free_ptr) const char **writers = NULL;
	CLEAN(host_close) struct host host = {0};
	CLEAN(guest_closep) struct guest *guest = NULL;
	CLEAN(progress_view_stopp) struct progress_view *view = NULL;
	struct progress progress = {0};
	struct progress_source source = progress_view_source(&progress);
	struct backup_job job = {.mover = {.progress = &progress}};
	struct backup_result result;
	CLEAN(backuplog_close) struct backuplog log = {0};
	int r;

	if (invocation_values(cli->inv, FLAG_WRITER, &writers, &job.order.n_writers, err) < 0 ||
	    paths_list(cli->inv->operands, cli->inv->n_operands, &paths, err) < 0)
		return err->code;
	if (paths.n + job.order.n_writers == 0) {
		error_set(err, ERR_USAGE, "nothing to back up was given");
		return error_hint(err, "give one PATH or --writer NAME at least");
	}
	if (repository_open(cli, &opened, err) < 0 || exclude_make(cli, &paths, &exclude, err) < 0)
		return err->code;
	if (backuplog_open(cli, &log, err) < 0)
		return err->code;
	job_from_settings(cli, &job);
	job.order.job = log.job;
	job.mover.exclude = (const char *const *)exclude.patterns;
	job.mover.n_exclude = exclude.n;
	job.order.writers = writers;
	job.order.paths = (const char *const *)paths.paths;
	job.order.n_paths = paths.n;

	if (guest_open(cli, &host, &guest, err) < 0)
		return err->code;
	job.guest = guest;
	job.host = guest_host_name(cli, guest);
	if (progress_view_start(cli, &source, &view, err) < 0)
		return err->code;
	job.phase_arg = view;
	backuplog_begin(&log, &job);
	r = backup_run(opened.repo, &job, &result, err);
	progress_view_stop(STEAL_PTR(view));
	backuplog_end(&log, r, &result, err);
	return r == OK ? report(cli, &log, &result, &progress, err) : r;
}
