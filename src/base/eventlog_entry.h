/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One event on its way into the log: taken in without memory, later written as a line of JSON, as
 * text, or as a message for systemd's journal. For eventlog.c only.
 */
#ifndef HF_BASE_EVENTLOG_ENTRY_H
#define HF_BASE_EVENTLOG_ENTRY_H

#include <stdarg.h>

#include "base/base.h"
#include "base/event.h"
#include "base/eventlog.h"

enum { EVENTLOG_FIELDS_MAX = 1200 };

struct eventlog_entry {
	uint64_t wall_ns;
	enum event_id id;
	char job[EVENTLOG_JOB_MAX];
	/* For each field a mark (text or number), then "name=value". */
	char fields[EVENTLOG_FIELDS_MAX];
};

void eventlog_entry_vmake(struct eventlog_entry *entry, uint64_t wall_ns, enum event_id id,
			  const char *job, const char *format, va_list ap) PRINTF_LIKE(5, 0);
void eventlog_entry_make(struct eventlog_entry *entry, uint64_t wall_ns, enum event_id id,
			 const char *job, const char *format, ...) PRINTF_LIKE(5, 6);
/* Fields that are worded already, see eventlog_add_fields(). */
void eventlog_entry_take(struct eventlog_entry *entry, uint64_t wall_ns, enum event_id id,
			 const char *job, const char *fields);

/* The line with its newline; returns its length. size: EVENTLOG_LINE_MAX. */
size_t eventlog_entry_line(const struct eventlog_entry *entry, const char *program, char *text,
			   size_t size);
/* "ttl_s=1200 peer=..." for people; returns text. */
const char *eventlog_entry_fields(const struct eventlog_entry *entry,
				  char text[EVENTLOG_FIELDS_MAX]);

/* A socket to the journal at this path, -1 if there is none. */
int eventlog_entry_journal_open(const char *path);
void eventlog_entry_journal(const struct eventlog_entry *entry, const char *program, int fd);

#endif
