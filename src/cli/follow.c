/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An agent is asked every second. What happened while something was frozen is written after the thaw, with the
 * times of then: so more than what is newer than the newest is asked for, and what was shown is left out.
 */
#include "cli/follow.h"

#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/guest.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "guard/lease.h"

#define LATE_NS (LEASE_FREEZE_MAX_NS + 10 * NS_PER_S)

static int
print(const struct cli *cli, const struct event *e, const struct eventlog_filter *filter,
      struct error *err)
{
	return eventlog_read_wanted(filter, e) ? joblog_print(cli, e, err) : OK;
}

static void
flush(const struct cli *cli)
{
	if (!cli->json)
		(void)fflush(stdout);
}

int
follow_here(const struct cli *cli, struct eventlog_reader *reader,
	    const struct eventlog_filter *filter, struct error *err)
{
	while (signals_caught() == 0 && !out_failed()) {
		CLEAN(event_list_done) struct event_list events = {0};

		/* Now and then a look at the signals, should one come just before the wait. */
		if (eventlog_reader_wait(reader, clock_boot_ns() + NS_PER_S, err) < 0 ||
		    eventlog_reader_next(reader, filter, &events, err) < 0)
			return err->code;
		for (size_t i = 0; i < events.n && !out_failed(); i++)
			if (print(cli, &events.items[i], filter, err) < 0)
				return err->code;
		flush(cli);
	}
	return OK;
}

/* Both are in the order of time; *from moves on to where looking for a later one begins. */
static bool
was_shown(const struct event_list *shown, const struct event *e, size_t *from)
{
	while (*from < shown->n && shown->items[*from].time_ns < e->time_ns)
		(*from)++;
	for (size_t i = *from; i < shown->n && shown->items[i].time_ns == e->time_ns; i++)
		if (joblog_is_same(&shown->items[i], e))
			return true;
	return false;
}

static int
look_again(struct cli *cli, struct guest *guest, struct event_list *shown,
	   const struct eventlog_filter *filter, struct error *err)
{
	CLEAN(event_list_done) struct event_list now = {0};
	uint64_t newest = shown->n > 0 ? shown->items[shown->n - 1].time_ns : 0;
	struct event_list before;
	size_t from = 0;

	if (joblog_fetch(guest, newest - MIN(newest, LATE_NS), &now, err) < 0)
		return err->code;
	for (size_t i = 0; i < now.n && !out_failed(); i++) {
		if (was_shown(shown, &now.items[i], &from))
			continue;
		if (print(cli, &now.items[i], filter, err) < 0)
			return err->code;
	}
	flush(cli);
	/* A log that was removed has nothing any more; what comes then is new. */
	before = *shown;
	*shown = now;
	now = before;
	return OK;
}

/* An agent that cannot be reached may come back. */
static int
lost(struct cli *cli, struct guest **guest, bool *told, struct error *err)
{
	if (err->code != ERR_AGENT_LOST && err->code != ERR_TIMEOUT)
		return err->code;
	if (!*told)
		show_note(cli, "The agent cannot be reached (%s); trying again.", err->msg);
	*told = true;
	guest_closep(guest);
	*guest = NULL;
	*err = ERROR_INIT;
	return OK;
}

int
follow_agent(struct cli *cli, struct event_list *shown, const struct eventlog_filter *filter,
	     struct error *err)
{
	CLEAN(guest_closep) struct guest *guest = NULL;
	CLEAN(event_list_done) struct event_list list = *shown;
	bool told = false;

	*shown = (struct event_list){0};
	while (signals_caught() == 0 && !out_failed()) {
		if ((guest == NULL && guest_open_remote(cli, &guest, err) < 0) ||
		    look_again(cli, guest, &list, filter, err) < 0) {
			if (lost(cli, &guest, &told, err) < 0)
				return err->code;
		} else {
			told = false;
		}
		(void)poll(NULL, 0, 1000);
	}
	return OK;
}
