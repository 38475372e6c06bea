/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast events */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/show.h"
#include "cli/signals.h"

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

static int
follow(const struct cli *cli, struct eventlog_reader *reader, const struct eventlog_filter *filter,
       struct error *err)
{
	while (signals_caught() == 0 && !out_failed()) {
		CLEAN(event_list_done) struct event_list events = {0};
		size_t n;

		/* Now and then a look at the signals, should one come just before the wait. */
		if (eventlog_reader_wait(reader, clock_boot_ns() + NS_PER_S, err) < 0 ||
		    eventlog_reader_next(reader, filter, &events, err) < 0 ||
		    print_wanted(cli, &events, filter, &n, err) < 0)
			return err->code;
		if (!cli->json)
			(void)fflush(stdout);
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
	char job[64];
	size_t n;

	if (filter_level(cli, &filter, err) < 0 ||
	    (since != NULL && joblog_since(since, &filter.since_ns, err) < 0))
		return err->code;
	if (invocation_has(cli->inv, FLAG_FOLLOW) && guest_is_remote(cli))
		return error_set(err, ERR_USAGE, "--follow is for the log of this host");
	/* From before the first is read, so that none falls between the two. */
	if (invocation_has(cli->inv, FLAG_FOLLOW) &&
	    eventlog_reader_open(joblog_dir(cli), &reader, err) < 0)
		return err->code;
	if (joblog_load(cli, false, &events, err) < 0 ||
	    filter_job(cli, &events, &filter, job, err) < 0 ||
	    print_wanted(cli, &events, &filter, &n, err) < 0)
		return err->code;
	if (n == 0)
		show_note(cli, "no such events");
	if (reader == NULL)
		return OK;
	if (!cli->json)
		(void)fflush(stdout);
	return follow(cli, reader, &filter, err);
}
