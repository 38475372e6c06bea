/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The states of a writer, as a pure machine: no I/O, no clock. Both ends of the protocol run the
 * same one, so each knows what the other may say next.
 *
 *	new -start-> started -identify-> identified -prepare-backup-> prepared
 *	    -prepare-snapshot-> ready -freeze-> frozen -thaw-> thawed -post-snapshot-> snapshot
 *	    -post-copy-> copied -backup-complete-> started
 *	started | identified -pre-restore-> restoring -post-restore-> started
 *	any -abort-> started		any -(an event failed, the session was lost)-> failed
 *
 * thaw and abort are accepted in every phase and may come twice; in a failed writer they are all
 * that is accepted. What an administrator sees is VSS's number of the phase; the last error is kept
 * apart.
 */
#ifndef HF_WRITER_STATE_H
#define HF_WRITER_STATE_H

#include <stdbool.h>

#include "base/base.h"

/* Writer states with VSS's numbers. Source: VSS_WRITER_STATE. */
enum writer_state {
	WRITER_UNKNOWN = 0,
	WRITER_STABLE = 1,
	WRITER_WAITING_FOR_FREEZE = 2,
	WRITER_WAITING_FOR_THAW = 3,
	WRITER_WAITING_FOR_POST_SNAPSHOT = 4,
	WRITER_WAITING_FOR_BACKUP_COMPLETE = 5,
	WRITER_FAILED_AT_IDENTIFY = 6,
	WRITER_FAILED_AT_PREPARE_BACKUP = 7,
	WRITER_FAILED_AT_PREPARE_SNAPSHOT = 8,
	WRITER_FAILED_AT_FREEZE = 9,
	WRITER_FAILED_AT_THAW = 10,
	WRITER_FAILED_AT_POST_SNAPSHOT = 11,
	WRITER_FAILED_AT_BACKUP_COMPLETE = 12,
	WRITER_FAILED_AT_PRE_RESTORE = 13,
	WRITER_FAILED_AT_POST_RESTORE = 14,
	WRITER_FAILED_AT_BACKUP_SHUTDOWN = 15,
};

enum { WRITER_STATE_MAX = WRITER_FAILED_AT_BACKUP_SHUTDOWN };

enum writer_event {
	EVENT_NONE = 0,
	EVENT_START,
	EVENT_IDENTIFY,
	EVENT_PREPARE_BACKUP,
	EVENT_PREPARE_SNAPSHOT,
	EVENT_FREEZE,
	EVENT_THAW,
	EVENT_POST_SNAPSHOT,
	EVENT_POST_COPY,
	EVENT_BACKUP_COMPLETE,
	EVENT_ABORT,
	EVENT_PRE_RESTORE,
	EVENT_POST_RESTORE,
};

enum { WRITER_EVENT_MAX = EVENT_POST_RESTORE };

enum state_phase {
	PHASE_NEW = 1,
	PHASE_STARTED,
	PHASE_IDENTIFIED,
	PHASE_PREPARED,
	PHASE_READY, /* the snapshot may be taken: waiting for freeze */
	PHASE_FROZEN,
	PHASE_THAWED,
	PHASE_SNAPSHOT, /* data moves */
	PHASE_COPIED, /* the application is out of backup mode; its logs are still held */
	PHASE_RESTORING,
	PHASE_FAILED,
};

struct state {
	enum state_phase phase;
	enum writer_state shown; /* fixed by phase, except that a failed writer says at what */
};

#define STATE_INIT ((struct state){.phase = PHASE_NEW, .shown = WRITER_STABLE})

/* May this event come now? */
bool state_accepts(const struct state *s, enum writer_event event);
/* An accepted event succeeded; an accepted event failed. */
void state_done(struct state *s, enum writer_event event);
void state_failed(struct state *s, enum writer_event event);
/* The writer itself found, between two events, that it cannot go on. A failed one stays as it
 * is. */
void state_lost(struct state *s);
/* Does the application need an undo (abort) if everything ends now? */
bool state_holds(const struct state *s);

/* "freeze"; NULL if there is no such event. */
const char *state_event_name(enum writer_event event);
/* EVENT_NONE if the name is unknown. */
enum writer_event state_event_find(const char *name);
/* "Waiting for completion", as administrators know it. */
const char *state_text(enum writer_state state);

#endif
