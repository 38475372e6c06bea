/* SPDX-License-Identifier: Apache-2.0 */

/* The beginning and the end of a backup, told to the event log. */
#include "cli/backuplog.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/jobid.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/show.h"

int
backuplog_open(const struct cli *cli, struct backuplog *ret, struct error *err)
{
	const struct eventlog_options options = {
		.dir = joblog_dir(cli), .program = "holdfast", .journal = EVENTLOG_JOURNAL};
	struct error ignored;

	*ret = (struct backuplog){.cli = cli};
	/* A backup goes before the memory of it. */
	if (eventlog_open(&options, &ret->events, &ignored) < 0)
		ret->events = NULL;
	return jobid_new(ret->job, err);
}

void
backuplog_close(struct backuplog *log)
{
	eventlog_close(log->events);
	log->events = NULL;
}

/* "a, b, c"; what does not fit is cut. */
static const char *
join(const char *const *texts, size_t n, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(text);

		if (size - used < 8)
			break;
		(void)text_printf(text + used, size - used, "%s%s", i > 0 ? ", " : "", texts[i]);
	}
	return text;
}

void
backuplog_begin(const struct backuplog *log, const struct backup_job *job)
{
	const char *agent = invocation_value(log->cli->inv, FLAG_AGENT);
	const struct session_order *order = &job->order;
	char paths[300], writers[120];

	if (log->cli->json)
		out_json(json_pack("{s:s, s:s}", "type", "job", "job", log->job));
	else
		show_note(log->cli, "Job %s", log->job);
	eventlog_add(log->events, EVENT_BACKUP_STARTED, log->job,
		     "host=%s agent=%s type=%s ttl_s=%" PRIu64 " writers=%s paths=%s", job->host,
		     agent != NULL ? agent : "",
		     backup_type_name(job->type != 0 ? job->type : BACKUP_FULL),
		     order->ttl_ns / NS_PER_S,
		     join(order->writers, order->n_writers, writers, sizeof(writers)),
		     join(order->paths, order->n_paths, paths, sizeof(paths)));
}

void
backuplog_end(const struct backuplog *log, int r, const struct backup_result *result,
	      const struct error *err)
{
	if (r == OK)
		eventlog_add(log->events, EVENT_BACKUP_FINISHED, log->job,
			     "point=%s consistency=%s warnings=%" PRIu64, result->id_text,
			     point_consistency_name(result->consistency), result->warnings);
	else if (r == ERR_CANCELLED)
		eventlog_add(log->events, EVENT_BACKUP_CANCELLED, log->job, "%s", "");
	else
		eventlog_add(log->events, EVENT_BACKUP_FAILED, log->job, "code=%s error=%s",
			     error_name(err->code), err->msg);
	if (r == OK && result->weaker)
		eventlog_add(log->events, EVENT_BACKUP_WEAKER, log->job, "consistency=%s cause=%s",
			     point_consistency_name(result->consistency), result->reason);
}

void
backuplog_end_logs(const struct backuplog *log, const char *point)
{
	eventlog_add(log->events, EVENT_BACKUP_FINISHED, log->job, "point=%s", point);
}
