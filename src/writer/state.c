/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writer's state machine as three tables: where an event leads, what a phase is called by VSS's
 * number, and how a failure is called. There is no other logic.
 */
#include "writer/state.h"

#include <assert.h>
#include <string.h>

/* Where an event leads from a phase; thaw and abort, which every phase accepts, are not here. */
static const struct step {
	enum state_phase from;
	enum writer_event event;
	enum state_phase to;
} steps[] = {
	{PHASE_NEW, EVENT_START, PHASE_STARTED},
	{PHASE_STARTED, EVENT_IDENTIFY, PHASE_IDENTIFIED},
	{PHASE_IDENTIFIED, EVENT_IDENTIFY, PHASE_IDENTIFIED},
	{PHASE_IDENTIFIED, EVENT_PREPARE_BACKUP, PHASE_PREPARED},
	{PHASE_PREPARED, EVENT_PREPARE_SNAPSHOT, PHASE_READY},
	{PHASE_READY, EVENT_FREEZE, PHASE_FROZEN},
	{PHASE_FROZEN, EVENT_THAW, PHASE_THAWED},
	{PHASE_THAWED, EVENT_POST_SNAPSHOT, PHASE_SNAPSHOT},
	{PHASE_SNAPSHOT, EVENT_POST_COPY, PHASE_COPIED},
	{PHASE_COPIED, EVENT_BACKUP_COMPLETE, PHASE_STARTED},
	{PHASE_STARTED, EVENT_PRE_RESTORE, PHASE_RESTORING},
	{PHASE_IDENTIFIED, EVENT_PRE_RESTORE, PHASE_RESTORING},
	{PHASE_RESTORING, EVENT_POST_RESTORE, PHASE_STARTED},
};

static const enum writer_state shown_in[] = {
	[PHASE_NEW] = WRITER_STABLE,
	[PHASE_STARTED] = WRITER_STABLE,
	[PHASE_IDENTIFIED] = WRITER_STABLE,
	[PHASE_PREPARED] = WRITER_STABLE,
	[PHASE_READY] = WRITER_WAITING_FOR_FREEZE,
	[PHASE_FROZEN] = WRITER_WAITING_FOR_THAW,
	[PHASE_THAWED] = WRITER_WAITING_FOR_POST_SNAPSHOT,
	[PHASE_SNAPSHOT] = WRITER_WAITING_FOR_BACKUP_COMPLETE,
	[PHASE_COPIED] = WRITER_WAITING_FOR_BACKUP_COMPLETE,
	[PHASE_RESTORING] = WRITER_STABLE,
};

/* VSS has no names for start and post-copy: they take those of their neighbours. */
static const struct event_fact {
	const char *name;
	enum writer_state failed;
} events[] = {
	[EVENT_START] = {"start", WRITER_FAILED_AT_IDENTIFY},
	[EVENT_IDENTIFY] = {"identify", WRITER_FAILED_AT_IDENTIFY},
	[EVENT_PREPARE_BACKUP] = {"prepare-backup", WRITER_FAILED_AT_PREPARE_BACKUP},
	[EVENT_PREPARE_SNAPSHOT] = {"prepare-snapshot", WRITER_FAILED_AT_PREPARE_SNAPSHOT},
	[EVENT_FREEZE] = {"freeze", WRITER_FAILED_AT_FREEZE},
	[EVENT_THAW] = {"thaw", WRITER_FAILED_AT_THAW},
	[EVENT_POST_SNAPSHOT] = {"post-snapshot", WRITER_FAILED_AT_POST_SNAPSHOT},
	[EVENT_POST_COPY] = {"post-copy", WRITER_FAILED_AT_BACKUP_COMPLETE},
	[EVENT_BACKUP_COMPLETE] = {"backup-complete", WRITER_FAILED_AT_BACKUP_COMPLETE},
	[EVENT_ABORT] = {"abort", WRITER_FAILED_AT_BACKUP_SHUTDOWN},
	[EVENT_PRE_RESTORE] = {"pre-restore", WRITER_FAILED_AT_PRE_RESTORE},
	[EVENT_POST_RESTORE] = {"post-restore", WRITER_FAILED_AT_POST_RESTORE},
};

/* What would have come next, and can no longer, when the writer fails by itself. */
static const enum writer_state lost_in[] = {
	[PHASE_NEW] = WRITER_FAILED_AT_IDENTIFY,
	[PHASE_STARTED] = WRITER_FAILED_AT_IDENTIFY,
	[PHASE_IDENTIFIED] = WRITER_FAILED_AT_PREPARE_BACKUP,
	[PHASE_PREPARED] = WRITER_FAILED_AT_PREPARE_SNAPSHOT,
	[PHASE_READY] = WRITER_FAILED_AT_FREEZE,
	[PHASE_FROZEN] = WRITER_FAILED_AT_THAW,
	[PHASE_THAWED] = WRITER_FAILED_AT_POST_SNAPSHOT,
	[PHASE_SNAPSHOT] = WRITER_FAILED_AT_BACKUP_COMPLETE,
	[PHASE_COPIED] = WRITER_FAILED_AT_BACKUP_COMPLETE,
	[PHASE_RESTORING] = WRITER_FAILED_AT_POST_RESTORE,
};

static const char *const texts[] = {
	[WRITER_UNKNOWN] = "Unknown",
	[WRITER_STABLE] = "Stable",
	[WRITER_WAITING_FOR_FREEZE] = "Waiting for freeze",
	[WRITER_WAITING_FOR_THAW] = "Waiting for thaw",
	[WRITER_WAITING_FOR_POST_SNAPSHOT] = "Waiting for post-snapshot",
	[WRITER_WAITING_FOR_BACKUP_COMPLETE] = "Waiting for completion",
	[WRITER_FAILED_AT_IDENTIFY] = "Failed at identify",
	[WRITER_FAILED_AT_PREPARE_BACKUP] = "Failed at prepare-backup",
	[WRITER_FAILED_AT_PREPARE_SNAPSHOT] = "Failed at prepare-snapshot",
	[WRITER_FAILED_AT_FREEZE] = "Failed at freeze",
	[WRITER_FAILED_AT_THAW] = "Failed at thaw",
	[WRITER_FAILED_AT_POST_SNAPSHOT] = "Failed at post-snapshot",
	[WRITER_FAILED_AT_BACKUP_COMPLETE] = "Failed at backup-complete",
	[WRITER_FAILED_AT_PRE_RESTORE] = "Failed at pre-restore",
	[WRITER_FAILED_AT_POST_RESTORE] = "Failed at post-restore",
	[WRITER_FAILED_AT_BACKUP_SHUTDOWN] = "Failed at backup shutdown",
};

/* PHASE_FAILED is never reached by a step, so it can say "none". */
static enum state_phase
next_phase(enum state_phase from, enum writer_event event)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i].from == from && steps[i].event == event)
			return steps[i].to;
	return PHASE_FAILED;
}

static void
enter(struct state *s, enum state_phase phase)
{
	s->phase = phase;
	s->shown = shown_in[phase];
}

bool
state_accepts(const struct state *s, enum writer_event event)
{
	if (event == EVENT_THAW || event == EVENT_ABORT)
		return true;
	return next_phase(s->phase, event) != PHASE_FAILED;
}

void
state_done(struct state *s, enum writer_event event)
{
	assert(state_accepts(s, event));

	enum state_phase next = next_phase(s->phase, event);
	if (next != PHASE_FAILED)
		enter(s, next);
	else if (event == EVENT_ABORT && s->phase != PHASE_NEW)
		enter(s, PHASE_STARTED);
	/* Otherwise a thaw that had nothing to thaw: all stays as it was. */
}

void
state_failed(struct state *s, enum writer_event event)
{
	assert(state_accepts(s, event));

	s->phase = PHASE_FAILED;
	s->shown = events[event].failed;
}

void
state_lost(struct state *s)
{
	if (s->phase == PHASE_FAILED)
		return;
	s->shown = lost_in[s->phase];
	s->phase = PHASE_FAILED;
}

bool
state_holds(const struct state *s)
{
	return s->phase >= PHASE_PREPARED;
}

const char *
state_event_name(enum writer_event event)
{
	if (event <= EVENT_NONE || (size_t)event >= ARRAY_SIZE(events))
		return NULL;
	return events[event].name;
}

enum writer_event
state_event_find(const char *name)
{
	for (int i = EVENT_NONE + 1; i <= WRITER_EVENT_MAX; i++)
		if (strcmp(events[i].name, name) == 0)
			return (enum writer_event)i;
	return EVENT_NONE;
}

const char *
state_text(enum writer_state state)
{
	if ((unsigned)state >= ARRAY_SIZE(texts))
		return texts[WRITER_UNKNOWN];
	return texts[state];
}
