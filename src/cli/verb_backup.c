/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast backup: of this host, of another one, or of a group. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/backup_report.h"
#include "cli/backuplog.h"
#include "cli/cli.h"
#include "cli/exclude.h"
#include "cli/guest.h"
#include "cli/host.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/paths.h"
#include "cli/progress_view.h"
#include "cli/repository.h"
#include "cli/show.h"
#include "requester/backup.h"
#include "requester/group_backup.h"
#include "requester/log_point.h"

/* Everything a backup needs, whatever it is of. */
struct making {
	struct cli *cli;
	struct repository opened;
	struct path_list paths;
	struct exclude_list exclude;
	const char **writers;
	struct group *group; /* NULL: of a host */
	struct progress progress;
	struct backup_job job;
	struct retry_policy retry;
	struct backuplog log;
	bool begun; /* the log has its beginning */
	struct progress_view *view;
};

static void
making_done(struct making *m)
{
	progress_view_stop(m->view);
	backuplog_close(&m->log);
	group_free(m->group);
	free(m->writers);
	exclude_done(&m->exclude);
	paths_done(&m->paths);
	repository_close(&m->opened);
}

static void
warn(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	show_warning(arg, path, code, serious, message);
}

static void
phase(void *arg, const char *what)
{
	const struct making *m = arg;

	if (m->view != NULL)
		progress_view_phase(m->view, what);
}

/* A line that stays, about what is going on. */
static void
note(void *arg, const char *text)
{
	const struct making *m = arg;

	if (m->cli->json)
		out_json(json_pack("{s:s, s:o}", "type", "note", "text",
				   json_bytes(text, strlen(text))));
	else
		show_note(m->cli, "%s", text);
}

/* What was asked for ----------------------------------------------------------------------------- */

/* 0: auto. */
static enum consistency
required(const char *text)
{
	enum consistency c = 0;

	(void)point_consistency_find(text, &c);
	return c;
}

static int
take_settings(struct making *m, struct error *err)
{
	struct settings *s = m->cli->settings;
	struct backup_job *job = &m->job;

	job->host = settings_text(s, OPTION_BACKUP_HOST);
	job->tags = settings_list(s, OPTION_BACKUP_TAGS, &job->n_tags);
	job->order.provider = settings_text(s, OPTION_BACKUP_PROVIDER);
	job->order.require = required(settings_text(s, OPTION_BACKUP_REQUIRE));
	job->order.ttl_ns = settings_number(s, OPTION_BACKUP_SNAPSHOT_TIMEOUT) * NS_PER_S;
	job->order.freeze_cap_ns = settings_number(s, OPTION_BACKUP_FREEZE_LIMIT) * NS_PER_S;
	job->order.one_file_system = settings_bool(s, OPTION_BACKUP_ONE_FILE_SYSTEM);
	job->mover.progress = &m->progress;
	job->mover.workers = (unsigned)settings_number(s, OPTION_BACKUP_WORKERS);
	job->mover.memory_limit = settings_number(s, OPTION_BACKUP_MEMORY_LIMIT);
	job->mover.one_file_system = settings_bool(s, OPTION_BACKUP_ONE_FILE_SYSTEM);
	job->mover.force_read = invocation_has(m->cli->inv, FLAG_FORCE_READ);
	job->write.level_data = (int)settings_number(s, OPTION_BACKUP_COMPRESSION_LEVEL);
	job->write.level_pages = (int)settings_number(s, OPTION_BACKUP_COMPRESSION_LEVEL_PAGES);
	job->write.pack_size = (uint32_t)settings_number(s, OPTION_BACKUP_PACK_SIZE);
	job->warn = warn;
	job->warn_arg = m->cli;
	job->phase = phase;
	job->phase_arg = m;
	m->retry.tries = (unsigned)settings_number(s, OPTION_RETRY_TRIES);
	m->retry.wait_ns = settings_number(s, OPTION_RETRY_WAIT) * NS_PER_S;
	/* Of a host only on request: whoever runs it from a timer has a way of his own to repeat it. */
	if (m->group == NULL && settings_source(s, OPTION_RETRY_TRIES) != SETTING_FLAG)
		m->retry.tries = 1;
	return backup_type_find(settings_text(s, OPTION_BACKUP_TYPE), &job->type, err);
}

static int
take_group(struct making *m, const char *name, struct error *err)
{
	const struct invocation *inv = m->cli->inv;

	if (m->paths.n + m->job.order.n_writers > 0) {
		(void)error_set(err, ERR_USAGE, "--group backs up the group, and nothing else");
		return error_hint(err, "leave out PATH and --writer, or make two backups");
	}
	if (invocation_has(inv, FLAG_AGENT)) {
		(void)error_set(err, ERR_USAGE, "--group and --agent exclude each other");
		return error_hint(err,
				  "which agent is asked depends on the copy that is chosen: it "
				  "stands in [group.%s.copy.NAME]",
				  name);
	}
	return group_find(m->cli->settings, name, &m->group, err);
}

static int
take_operands(struct making *m, struct error *err)
{
	struct cli *cli = m->cli;
	const char *group = invocation_value(cli->inv, FLAG_GROUP);
	struct session_order *order = &m->job.order;

	if (invocation_values(cli->inv, FLAG_WRITER, &m->writers, &order->n_writers, err) < 0 ||
	    paths_list(cli->inv->operands, cli->inv->n_operands, &m->paths, err) < 0)
		return err->code;
	order->writers = m->writers;
	order->paths = (const char *const *)m->paths.paths;
	order->n_paths = m->paths.n;
	if (group != NULL)
		return take_group(m, group, err);
	if (invocation_has(cli->inv, FLAG_WAIT))
		return error_set(err, ERR_USAGE, "--wait is for backups of a group");
	if (m->paths.n + order->n_writers > 0)
		return OK;
	(void)error_set(err, ERR_USAGE, "nothing to back up was given");
	return error_hint(err, "give one PATH, --writer NAME or --group NAME at least");
}

static int
prepare(struct making *m, struct error *err)
{
	if (take_operands(m, err) < 0 || take_settings(m, err) < 0 ||
	    backup_type_check(m->job.type, m->group != NULL, err) < 0)
		return err->code;
	if (repository_open(m->cli, &m->opened, err) < 0 ||
	    exclude_make(m->cli, &m->paths, &m->exclude, err) < 0 ||
	    backuplog_open(m->cli, &m->log, err) < 0)
		return err->code;
	m->job.order.job = m->log.job;
	m->job.mover.exclude = (const char *const *)m->exclude.patterns;
	m->job.mover.n_exclude = m->exclude.n;
	return OK;
}

/* Of a host --------------------------------------------------------------------------------------- */

static int
host_once(struct making *m, struct backup_result *ret, struct error *err)
{
	CLEAN(host_close) struct host host = {0};
	CLEAN(guest_closep) struct guest *guest = NULL;
	struct progress_source source = progress_view_source(&m->progress);
	int r;

	if (guest_open(m->cli, &host, &guest, err) < 0)
		return err->code;
	m->job.guest = guest;
	m->job.host = guest_host_name(m->cli, guest);
	if (progress_view_start(m->cli, &source, &m->view, err) < 0)
		return err->code;
	if (!m->begun)
		backuplog_begin(&m->log, &m->job);
	m->begun = true;
	r = backup_run(m->opened.repo, &m->job, ret, err);
	progress_view_stop(STEAL_PTR(m->view));
	return r;
}

/* Between two tries there is no progress to be shown, and signals are watched all the same. */
static int
wait_between(struct making *m, unsigned try, const struct error *failure, struct error *err)
{
	struct progress_source source = progress_view_source(&m->progress);
	char text[1024];
	int r;

	(void)text_printf(text, sizeof(text),
			  "Try %u of %u failed: %s. The next one begins in %" PRIu64 " s.", try,
			  m->retry.tries, failure->msg, m->retry.wait_ns / NS_PER_S);
	note(m, text);
	eventlog_add(m->log.events, EVENT_BACKUP_RETRY, m->log.job,
		     "try=%u tries=%u wait_s=%" PRIu64 " code=%s error=%s", try, m->retry.tries,
		     m->retry.wait_ns / NS_PER_S, error_name(failure->code), failure->msg);
	if (progress_view_start(m->cli, &source, &m->view, err) < 0)
		return err->code;
	phase(m, "waiting for the next try");
	r = retry_wait(m->retry.wait_ns, &m->progress, NULL, NULL, err);
	progress_view_stop(STEAL_PTR(m->view));
	retry_reset(&m->progress);
	return r;
}

static int
backup_host(struct making *m, struct error *err)
{
	struct backup_result result = {0};
	int r;

	for (unsigned try = 1;; try++) {
		struct error failure = ERROR_INIT;

		r = host_once(m, &result, &failure);
		if (r == OK)
			break;
		if (!retry_again(&m->retry, try, &failure)) {
			*err = failure;
			break;
		}
		r = wait_between(m, try, &failure, err);
		if (r < 0)
			break;
	}
	if (m->begun)
		backuplog_end(&m->log, r, &result, err);
	return r == OK ? backup_report(m->cli, m->log.job, &result, NULL, &m->progress, err) : r;
}

/* Of a group -------------------------------------------------------------------------------------- */

static int
open_agent(void *arg, const char *agent, uint64_t limit_ns, struct guest **ret, struct error *err)
{
	const struct making *m = arg;

	return guest_open_url(m->cli, agent, limit_ns, m->log.events, ret, err);
}

static void
stored(void *arg, const struct group_backup_result *r)
{
	const struct making *m = arg;

	if (r->type == BACKUP_LOG)
		backuplog_end_logs(&m->log, r->logs.id_text);
	else
		backuplog_end(&m->log, OK, &r->backup, NULL);
}

static int
backup_group(struct making *m, struct error *err)
{
	struct progress_source source = progress_view_source(&m->progress);
	const char *const writers[] = {m->group->engine->writer};
	char host[LOG_HOST_MAX];
	const struct group_backup_order order = {
		.group = m->group,
		.job = m->job,
		.retry = m->retry,
		.wait = invocation_has(m->cli->inv, FLAG_WAIT),
		.holder = m->job.host,
		.state_dir = joblog_dir(m->cli),
		.events = m->log.events,
		.open_guest = open_agent,
		.open_arg = m,
		.note = note,
		.stored = stored,
		.note_arg = m,
	};
	struct group_backup_result result = {0};
	int r;

	m->job.host = log_host(m->group->name, host);
	m->job.order.writers = writers;
	m->job.order.n_writers = ARRAY_SIZE(writers);
	if (progress_view_start(m->cli, &source, &m->view, err) < 0)
		return err->code;
	backuplog_begin(&m->log, &m->job);
	r = group_backup_run(m->opened.repo, &order, &result, err);
	progress_view_stop(STEAL_PTR(m->view));
	if (r < 0) {
		backuplog_end(&m->log, r, &result.backup, err);
		return r;
	}
	if (result.type == BACKUP_LOG)
		return backup_report_logs(m->cli, m->log.job, m->group, &result, err);
	return backup_report(m->cli, m->log.job, &result.backup, &result, &m->progress, err);
}

int
verb_backup(struct cli *cli, struct error *err)
{
	CLEAN(making_done) struct making m = {.cli = cli};

	if (prepare(&m, err) < 0)
		return err->code;
	return m.group != NULL ? backup_group(&m, err) : backup_host(&m, err);
}
