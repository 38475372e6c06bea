/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading the event log, whole or as it grows. Lines that are no events (torn by a full disk, say)
 * are passed over: what can be read is more useful than an error.
 */
#ifndef HF_BASE_EVENTLOG_READ_H
#define HF_BASE_EVENTLOG_READ_H

#include "base/base.h"
#include "base/error.h"
#include "base/event_list.h"

/* All zero: everything. */
struct eventlog_filter {
	const char *job; /* beginning of a job's id, with or without its brace */
	uint64_t since_ns; /* wall clock */
	enum log_level level; /* this one and what is more serious */
	size_t last; /* only the newest so many */
};

/* In order of time. No log at all is an empty list. */
CHECKED int eventlog_read(const char *dir, const struct eventlog_filter *filter,
			  struct event_list *ret, struct error *err);
bool eventlog_read_wanted(const struct eventlog_filter *filter, const struct event *e);

struct eventlog_reader;

/* What is added from now on. */
CHECKED int eventlog_reader_open(const char *dir, struct eventlog_reader **ret, struct error *err);
void eventlog_reader_closep(struct eventlog_reader **reader);
/* Wait until something may have been added, at most until the deadline (boot clock). A signal ends the
 * wait, too. */
CHECKED int eventlog_reader_wait(struct eventlog_reader *reader, uint64_t deadline_ns,
				 struct error *err);
/* Append to the list what was added and is wanted. */
CHECKED int eventlog_reader_next(struct eventlog_reader *reader,
				 const struct eventlog_filter *filter, struct event_list *list,
				 struct error *err);

#endif
