/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast events */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/follow.h"
#include "cli/guest.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/show.h"

static int
filter_level(const struct cli *cli, struct eventlog_filter *filter, struct error *err)
{
	const char *level = invocation_value(cli->inv, FLAG_LEVEL);

	if (level == NULL)
		return OK;
	filter->level = event_level_find(level);
	if (filter->level == 0) {
		error_set(err, ERR_USAGE, "there is no level '%s'", level);
		return error_hint(err, "levels are error, warning, notice, info");
	}
	return OK;
}

/* The job's whole id, so that --follow shows no other that begins the same. */
static int
filter_job(const struct cli *cli, const struct event_list *events, struct eventlog_filter *filter,
	   char job[64], struct error *err)
{
	const char *name = invocation_value(cli->inv, FLAG_JOB);
	int r;

	if (name == NULL)
		return OK;
	r = joblog_find(events, name, job, err);
	if (r < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "there are no events of a job '%s'", name);
	filter->job = job;
	return OK;
}

/* *ret_n: how many were wanted. */
static int
print_wanted(const struct cli *cli, const struct event_list *events,
	     const struct eventlog_filter *filter, size_t *ret_n, struct error *err)
{
	*ret_n = 0;
	for (size_t i = 0; i < events->n && !out_failed(); i++) {
		if (!eventlog_read_wanted(filter, &events->items[i]))
			continue;
		if (joblog_print(cli, &events->items[i], err) < 0)
			return err->code;
		(*ret_n)++;
	}
	return OK;
}

int
verb_events(struct cli *cli, struct error *err)
{
	CLEAN(eventlog_reader_closep) struct eventlog_reader *reader = NULL;
	CLEAN(event_list_done) struct event_list events = {0};
	struct eventlog_filter filter = {0};
	const char *since = invocation_value(cli->inv, FLAG_SINCE);
	bool follow = invocation_has(cli->inv, FLAG_FOLLOW);
	char job[64];
	size_t n;

	if (filter_level(cli, &filter, err) < 0 ||
	    (since != NULL && joblog_since(since, &filter.since_ns, err) < 0))
		return err->code;
	/* From before the first is read, so that none falls between the two. */
	if (follow && !guest_is_remote(cli) &&
	    eventlog_reader_open(joblog_dir(cli), &reader, err) < 0)
		return err->code;
	if (joblog_load(cli, false, &events, err) < 0 ||
	    filter_job(cli, &events, &filter, job, err) < 0 ||
	    print_wanted(cli, &events, &filter, &n, err) < 0)
		return err->code;
	if (n == 0)
		show_note(cli, "no such events");
	if (!follow)
		return OK;
	if (!cli->json)
		(void)fflush(stdout);
	return reader != NULL ? follow_here(cli, reader, &filter, err)
			      : follow_agent(cli, &events, &filter, err);
}
