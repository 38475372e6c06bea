/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One copy of logs in progress: a source, a spool and a repository, and where they stand. The log copier
 * (log_copier.h) does this for ever, a LOG backup (log_backup.h) once; this is what both do.
 *
 *	open -> connect -> step ... -> stage, store, stored -> ...
 *
 * Anything that fails between the server and the spool leaves both as they were, and connect() goes on from there.
 */
#ifndef HF_REQUESTER_LOG_COPY_H
#define HF_REQUESTER_LOG_COPY_H

#include <stdatomic.h>

#include "base/eventlog.h"
#include "group/group.h"
#include "group/log_source.h"
#include "mover/progress.h"
#include "requester/log_plan.h"
#include "requester/log_spool.h"
#include "requester/log_store.h"

enum { LOG_COPY_TEXT_MAX = 200 };

/* Lent; all of it outlives the copy. */
struct log_copy_order {
	struct repo *repo;
	const struct group *group;
	const char *state_dir;
	struct repo_write_options write;
	size_t n_tags;
	const char *const *tags;
	struct eventlog *events;
	const char *job;
	const char *application; /* shown in the server */
	/* A log copier: its id, of this process alone, and its host, for others who look into the repository.
	 * NULL: what is stored is of a LOG backup. */
	const char *copier, *holder;
	bool by_slot; /* stream by the copier's slot, and move it; else it is only seen to that a slot holds logs */
	void (*say)(void *arg, const char *text); /* may be NULL */
	void *say_arg;
	const _Atomic bool *stop; /* may be NULL */
	/* Called before the copy stores something by itself (a range that a promotion ends): a store that
	 * runs in another thread must have ended when it returns. May be NULL. */
	int (*settle)(void *arg, struct error *err);
	void *settle_arg;
};

struct log_copy {
	const struct log_copy_order *order;
	const struct log_source_ops *ops;
	struct log_spool spool;
	bool planned; /* the spool's range is the one to go on with */
	struct log_source *source; /* NULL: not connected */
	const struct group_copy *active; /* where the source is */
	char slot[LOG_SLOT_NAME_MAX];
	uint64_t slot_position; /* the slot is never moved back before it */
	bool slot_made, slot_was_lost; /* just now: see struct log_slot */
	bool was_copied; /* a copier has stored logs of the active copy's own timeline */
	/* What other copiers had stored last when the plan was made: more of theirs means that one is at work. */
	uint64_t others_ns;
	uint64_t stored; /* durable in the repository up to here; 0 not known */
	uint64_t stored_ns; /* commits answered before that are in the repository; 0 not known */
	bool gone; /* the server does not have the logs that follow: start() deals with it */
	uint64_t covered_ns; /* commits answered before that lie before spool.written */
	bool heard; /* something came since it was connected */
	uint64_t heard_ns; /* boot clock: the server's last sign of life */
	uint64_t asked_ns; /* when it was last asked for one */
	bool has_open; /* the restore point of the spool's range so far */
	struct object_id open_id;
	bool has_tree; /* to compare with */
	struct blob_id tree;
	uint64_t received; /* bytes, ever */
	/* The last gap that was met; both 0: none. */
	uint64_t gap_from, gap_to;
	struct progress progress; /* of the store that runs */
};

CHECKED int log_copy_open(const struct log_copy_order *order, struct log_copy *ret,
			  struct error *err);
void log_copy_close(struct log_copy *c); /* for CLEAN(), too */

/* To whichever copy is the active one now, going on where it was left. Follows promotions. */
CHECKED int log_copy_connect(struct log_copy *c, struct error *err);
void log_copy_disconnect(struct log_copy *c);
/* Sets `active`. ERR_GROUP_NO_COPY. */
CHECKED int log_copy_find_active(struct log_copy *c, struct error *err);
/* Take what comes until the deadline (boot clock), or one piece of it. Any failure ends the connection;
 * one that promotes to another timeline is followed. 1 something came, 0 not. */
CHECKED int log_copy_step(struct log_copy *c, uint64_t deadline_ns, struct error *err);
/* Tell the server how far it is. */
CHECKED int log_copy_confirm(struct log_copy *c, struct error *err);
/* Now: see struct log_mark. */
CHECKED int log_copy_mark(struct log_copy *c, struct log_mark *ret, struct error *err);

/* A store in three parts, so that the middle one may run in another thread while the log goes on. */
struct log_copy_store {
	const struct log_source_ops *ops;
	struct log_stage stage;
	struct log_point logs;
	struct log_names names; /* of a closed one */
	uint64_t start_ns;
	struct log_store_order order; /* its pointers lead into the copy and to this */
	struct object_id replaces;
	struct blob_id tree;
	uint64_t others_ns;
	struct log_stored stored;
};
/* `close`: no later one replaces it. The struct must not move afterwards. */
CHECKED int log_copy_stage(struct log_copy *c, bool close, struct log_copy_store *ret,
			   struct error *err);
/* From any thread. ERR_GROUP_BUSY: another copier has stored logs of this database since the plan was made; then
 * nothing was stored, and it needs another plan. */
CHECKED int log_copy_store(struct log_copy_store *s, struct error *err);
/* It went well: note it; */
void log_copy_note(struct log_copy *c, const struct log_copy_store *s);
/* and also begin the next range if it was closed. */
CHECKED int log_copy_stored(struct log_copy *c, const struct log_copy_store *s, struct error *err);
void log_copy_store_done(struct log_copy_store *s); /* for CLEAN(), too */

/* Does the range reach far enough to be stored? */
bool log_copy_is_whole(const struct log_copy *c);
/* Is there anything that the repository does not have? */
bool log_copy_has_more(const struct log_copy *c);
void log_copy_say(const struct log_copy *c, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
