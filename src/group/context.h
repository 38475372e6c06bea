/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The backup context: while a copy is backed up, a channel to the active copy that says so, holds the
 * group's lock and pins its logs; and an eye on the copy that is backed up. Each has a thread of its own,
 * which beats at group->heartbeat_ns, and listens in between: what ends a session is seen at once. One that does
 * not answer never delays the other.
 *
 *	open -> (check, at least every second) -> prove -> close
 *
 * A channel that is lost is opened again, as long as context_lease has not passed since the last sign
 * of life, and provided nothing was lost meanwhile: same active copy, same timeline, the lock free, the
 * logs from the range's beginning still there. Until it is known the backup goes on; when it is certain
 * that it is lost, context_check() fails at once. What is decided when is pure: context_policy.h.
 */
#ifndef HF_GROUP_CONTEXT_H
#define HF_GROUP_CONTEXT_H

#include "group/status.h"

struct context;
struct eventlog;

/* Everything is lent, for as long as the context lives. */
struct context_order {
	const struct group *group;
	const struct group_copy *active,
		*passive; /* the same one: the active copy itself is backed up */
	const char *holder; /* who: this host and its job, printable */
	struct eventlog *events; /* CONTEXT_*, LOG_COPIER_*; NULL: none */
	const char *job; /* for events; NULL: none */
	/* What happens, for people: "the backup context on pg1 was lost: ...; trying again". From one of
	 * the context's threads. May be NULL. */
	void (*note)(void *arg, const char *text);
	void *note_arg;
	/* While it is opened: once that is true ERR_CANCELLED, within a second. May be NULL. */
	const _Atomic bool *stop;
	/* Set to true, before that is reported, if what opening or the backup fails of is the passive copy:
	 * another may do better. May be NULL. */
	bool *passive_at_fault;
};

/* What was true at a moment; for the restore point and for showing. */
struct context_state {
	bool connected;
	uint64_t opened_ns, last_beat_ns; /* boot clock */
	unsigned reopened; /* how often */
	unsigned copier_lost; /* how often the passive copy's log copier was disconnected */
	uint64_t
		needed; /* logs from here on are held on the active copy, or were found there at each beat */
	uint64_t end; /* of the active copy's log, as of the last beat */
};

/*
 * Opens, and returns when the lock is held and the passive copy has answered. Errors as
 * engine->session_open(); ERR_GROUP_ROLE also if the passive copy is none. `range`: what the backup needs of
 * the logs, as engine->log_range() said; if the active copy has let go of its beginning since then (a
 * checkpoint came between), state.needed is where it begins now.
 */
CHECKED int context_open(const struct context_order *order, const struct log_range *range,
			 struct context **ret, struct error *err);
/* Any thread; never waits. OK, also while a lost channel may still come back; else the reason, for good. */
CHECKED int context_check(struct context *c, struct error *err);
/* Asks both copies now, and waits for the answers: the channel is open, all of it was true from open to now.
 * For the end of the copy, before the restore point is stored. ERR_CONTEXT_LOST if that is not known by
 * the deadline. */
CHECKED int context_prove(struct context *c, uint64_t deadline_ns, struct error *err);
/* Something else failed: is what this watches the reason, and has not been seen yet? Asks both copies now, if they can
 * be asked, and waits for the answers, until the deadline at most. As context_check(). */
CHECKED int context_look(struct context *c, uint64_t deadline_ns, struct error *err);
void context_state(struct context *c, struct context_state *ret);
/* NULL is fine. Leaves nothing on the active copy; if that cannot be reached any more, it lets go by
 * itself after context_lease. Takes five seconds at most. */
void context_close(struct context *c);
void context_closep(struct context **c);

#endif
