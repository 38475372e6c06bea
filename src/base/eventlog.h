/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The event log: what happened to jobs, snapshot sets and writers, kept across restarts for
 * 'holdfast events' and 'holdfast explain'. Which events there are: base/events.def.
 *
 *	eventlog_add(log, EVENT_SNAPSHOT_TIMEOUT, job, "set=%s ttl_s=%u", set, ttl);
 *
 * STATE_DIR/events.jsonl has a JSON object a line, appended with one write, so several processes may
 * write it at once. At 4 MiB it becomes events.jsonl.1, and what was that is gone. Where systemd's journal
 * runs, every event goes there, too.
 *
 * Adding never fails and never waits for another process; what cannot be written is dropped. It takes
 * no memory. But a write to a frozen file system waits until the thaw: who freezes calls
 * eventlog_hold() before, and eventlog_let_go() after; in between events are kept in memory, with
 * their times.
 *
 * The format is that of printf, of the form "name=%x name=%x": what stands between the '=' and the
 * next blank and name is the value, and values may hold any bytes. %d and %u make a number in JSON,
 * anything else a text. "set=%s" is lifted to the event itself. Long values come last: what is too long
 * is cut.
 *
 * A NULL log takes everything and keeps nothing. Any thread.
 */
#ifndef HF_BASE_EVENTLOG_H
#define HF_BASE_EVENTLOG_H

#include "base/base.h"
#include "base/error.h"
#include "base/event.h"

#define EVENTLOG_FILE "events.jsonl"
#define EVENTLOG_FILE_OLD "events.jsonl.1"
#define EVENTLOG_JOURNAL "/run/systemd/journal/socket"

enum {
	EVENTLOG_BYTES_MAX = 4 << 20, /* of one file; there are two */
	EVENTLOG_LINE_MAX = 4096,
	EVENTLOG_HELD_MAX = 64,
	EVENTLOG_JOB_MAX = 64,
};

/* Told of every event as it is added, on the thread that adds it; `fields` reads "ttl_s=1200 ...". */
typedef void eventlog_sink_fn(void *arg, enum event_id id, const char *job, const char *fields);

struct eventlog_options {
	const char *dir; /* STATE_DIR; made if missing */
	const char *program; /* who writes: "holdfast", "holdfast-guard" */
	const char *journal; /* EVENTLOG_JOURNAL, or NULL: no journal */
	eventlog_sink_fn *sink; /* may be NULL */
	void *sink_arg;
};

struct eventlog;

CHECKED int eventlog_open(const struct eventlog_options *options, struct eventlog **ret,
			  struct error *err);
void eventlog_close(struct eventlog *log); /* NULL is fine */
void eventlog_closep(struct eventlog **log); /* for CLEAN() */

/* job: NULL or "" for none. */
void eventlog_add(struct eventlog *log, enum event_id id, const char *job, const char *format, ...)
	PRINTF_LIKE(4, 5);
/* For what happened earlier. */
void eventlog_add_at(struct eventlog *log, uint64_t wall_ns, enum event_id id, const char *job,
		     const char *format, ...) PRINTF_LIKE(5, 6);

/* With fields that another process has worded, "ttl_s=1200 place=/x y error=long text": values end at the
 * next blank and name, digits are numbers, and "error" and "cause" are the rest. */
void eventlog_add_fields(struct eventlog *log, uint64_t wall_ns, enum event_id id, const char *job,
			 const char *fields);

/* Keep events in memory; write them. Calls nest. */
void eventlog_hold(struct eventlog *log);
void eventlog_let_go(struct eventlog *log);

#endif
