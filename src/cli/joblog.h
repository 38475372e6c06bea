/* SPDX-License-Identifier: Apache-2.0 */

/* The event log of this host, and jobs as people name them. */
#ifndef HF_CLI_JOBLOG_H
#define HF_CLI_JOBLOG_H

#include "base/base.h"
#include "base/error.h"
#include "base/event_list.h"
#include "base/eventlog_read.h"
#include "cli/cli.h"
#include "requester/guest.h"

/* Where it is. */
const char *joblog_dir(const struct cli *cli);
/* All events of this host, or of the one behind --agent; with `both`, of both, each once. */
CHECKED int joblog_load(struct cli *cli, bool both, struct event_list *ret, struct error *err);
/* What an agent's log has of later than that is appended, by time; 0: all. */
CHECKED int joblog_fetch(struct guest *guest, uint64_t after_ns, struct event_list *list,
			 struct error *err);
bool joblog_is_same(const struct event *a, const struct event *b);

/*
 * The job that is meant by an id, the beginning of one (of the job or of its snapshot set, with or
 * without braces), or "latest". 1 found, 0 none; ERR_AMBIGUOUS.
 */
CHECKED int joblog_find(const struct event_list *events, const char *name, char job[64],
			struct error *err);
/* What happened to it, and what went wrong on the host meanwhile. Moves items out of `events`. */
CHECKED int joblog_select(struct event_list *events, const char *job, struct event_list *ret,
			  struct error *err);
/* "2h" ago, or "2026-11-22[ 14:25[:06]]", local; ERR_USAGE. */
CHECKED int joblog_since(const char *text, uint64_t *ret_ns, struct error *err);
/* {"type": "event", ...}; or lines of text. */
CHECKED int joblog_print(const struct cli *cli, const struct event *e, struct error *err);

#endif
