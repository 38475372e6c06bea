/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The log copier of a group: streams the active copy's logs into the repository, for ever. It reconnects by
 * itself, follows promotions, and lets the server's slot move only when the repository has the logs durably.
 * So it may be killed at any moment, and the repository be away for as long as the server's disk has room.
 *
 * One thread streams; another stores what there is, every interval, meanwhile.
 */
#ifndef HF_REQUESTER_LOG_COPIER_H
#define HF_REQUESTER_LOG_COPIER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/eventlog.h"
#include "group/group.h"
#include "repo/repo.h"
#include "repo/write.h"

struct log_copier_order {
	struct repo *repo; /* open, with keys */
	const struct group *group;
	const char *state_dir; /* agent.state_dir */
	const char *holder; /* this host, as the server shows it */
	struct repo_write_options write;
	uint64_t interval_ns; /* store that often */
	uint64_t point_ns,
		point_files; /* a restore point is closed after that long, or so many log files */
	uint64_t spool_max; /* no more than that is received before the repository has it */
	bool slots_on_passive; /* keep a slot on the other copies, too: see group/log_source.h */
	struct eventlog *events;
	/* For people and their journals, from any thread, one at a time. May be NULL. */
	void (*say)(void *arg, const char *text);
	void *say_arg;
	void (*ready)(void *arg); /* the first time it streams; may be NULL */
	void *ready_arg;
	const _Atomic bool *stop;
};

/* Until *stop; then what there is is stored. Fails only for what no repetition mends: wrong settings; another
 * copier of this group, on this machine or on any other: ERR_BUSY, ERR_GROUP_BUSY. One that has streamed once waits if
 * another took its place meanwhile. */
CHECKED int log_copier_run(const struct log_copier_order *order, struct error *err);

/* There will be no copier of the group any more: drop its slots, on every copy, so that nobody keeps logs for
 * it. The first copy that cannot be reached fails it, after all others were tried. */
CHECKED int log_copier_drop_slots(const struct group *group, struct error *err);

#endif
