/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a group needs of a database system, as a table of functions. PostgreSQL's is in
 * group/postgresql/; another's has to do the same.
 *
 * A position is a place in the log that all copies share: a number of bytes that only grows (of
 * PostgreSQL: the LSN). Every call ends at its deadline (boot clock), also when the link is dead and
 * nobody answers; a failure says which copy it was about. One thread uses a session at a time.
 */
#ifndef HF_GROUP_ENGINE_H
#define HF_GROUP_ENGINE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "group/group.h"

enum {
	ENGINE_TEXT_MAX = 128,
	ENGINE_ADDRESS_MAX = 64,
	ENGINE_POSITION_MAX = 24,
	ENGINE_LOG_NAME_MAX = 32,
	ENGINE_CONTEXTS_MAX = 8,
	ENGINE_SLOTS_MAX = 64
};

enum copy_role {
	COPY_ROLE_UNKNOWN = 0, /* could not be asked */
	COPY_ROLE_ACTIVE,
	COPY_ROLE_PASSIVE,
};

/* A backup context that is held on the active copy. */
struct copy_context {
	char holder[ENGINE_TEXT_MAX]; /* "pg2 by backup1": which copy is backed up, from where */
	uint64_t since_ns; /* wall clock */
};

/* What holds back the logs of a copy. */
struct copy_slot {
	char name[64];
	bool temporary, active;
	bool lost; /* invalidated: the logs it needs are gone */
	uint64_t position; /* logs from here on are kept; 0: none yet */
};

/* What one copy says of itself. Times are wall clock of the copy, 0: not known. */
struct copy_facts {
	enum err failure; /* OK: it answered. Else nothing below is known, and message says why */
	char message[256];
	char hint[256]; /* what to do about it, "" if nobody knows */
	bool starting; /* the failure is that the server is starting up, and takes nobody in yet */
	uint64_t asked_ns; /* how long the answer took */

	enum copy_role role;
	char identity[32]; /* the same for all copies of a database */
	char version[64];
	uint32_t timeline;
	uint64_t segment_bytes; /* of one log file */

	uint64_t generated; /* active: the end of the log, durable */
	uint64_t generated_time_ns;
	uint64_t copied, replayed; /* passive: durable here, and applied */
	uint64_t copied_time_ns,
		replayed_time_ns; /* last message from the active; last commit applied */
	bool receiving; /* passive: its log copier is connected */
	char source[ENGINE_TEXT_MAX]; /* passive: "host:port" it copies from */
	char source_slot[64]; /* passive: the slot there that keeps logs for it; "" none */
	bool replay_paused;
	bool in_backup_mode; /* some other program's or ours */

	size_t n_contexts; /* active */
	struct copy_context contexts[ENGINE_CONTEXTS_MAX];
	size_t n_slots;
	struct copy_slot slots[ENGINE_SLOTS_MAX];
};

/* The logs that a backup may need, as the active copy has them. */
struct log_range {
	uint32_t timeline;
	uint64_t oldest; /* first position that is still there */
	uint64_t required; /* where a recovery would have to begin now */
	uint64_t end; /* durable */
	uint64_t segment_bytes;
	uint64_t n_files;
	char oldest_name[ENGINE_LOG_NAME_MAX], end_name[ENGINE_LOG_NAME_MAX];
	uint64_t took_ns;
};

struct engine_session; /* the backup context's, on the active copy */

/*
 * What a session of the backup context was: for whoever opens another in its place, after the channel was
 * lost. It must find the same server as it was.
 */
struct engine_mark {
	char token[ENGINE_TEXT_MAX]; /* finds what is left of the session in the server */
	/* Where the server was: nobody has to be asked for it again. "" on a socket. */
	char address[ENGINE_ADDRESS_MAX];
	char identity[32]; /* of the database */
	uint32_t timeline;
	uint64_t pinned; /* logs from here on are held, as long as the session is */
};

struct engine_session_order {
	const char *holder; /* shown in the database, and to whom is refused: "pg2 by backup1" */
	uint64_t lease_ns; /* the server ends the session after that long without a sign of life */
	const struct engine_mark *before; /* NULL: the first one */
	/* Opening again: the first position that is still needed. */
	uint64_t needed;
	const _Atomic bool *stop; /* of the opening, as in log_range; may be NULL */
};

/* What a passive copy says of itself while it is backed up. */
struct watch_facts {
	bool passive; /* still */
	uint32_t timeline; /* the latest it knows of */
	uint64_t started; /* another number: the server was restarted */
	bool receiving; /* its log copier is connected */
	uint64_t
		silent_ns; /* since the active copy last said something to it; 0: now, or not known */
	uint64_t received, replayed;
	char source[ENGINE_TEXT_MAX]; /* "host:port" it copies from; "" not known */
};
struct engine_watch; /* a session with the passive copy */

struct log_source_ops; /* group/log_source.h */

struct engine {
	const char *name; /* "postgresql" */
	const char *writer; /* its writer's name on an agent */

	/* Never fails but for memory: what went wrong is in ret->failure. */
	int (*look)(const struct group *g, const struct group_copy *c, uint64_t deadline_ns,
		    struct copy_facts *ret, struct error *err);
	/*
	 * Ask the active copy for its logs. ERR_GROUP_LOG_RANGE (retryable) if it takes longer than
	 * `limit_ns`. Then, if the server is alive, the answer is waited for as long again, so that the
	 * message has the time it took, and the limit that would have been enough. `stop`, which may be
	 * NULL: once it is true ERR_CANCELLED within a second, and the statement is cancelled in the server.
	 */
	int (*log_range)(const struct group *g, const struct group_copy *active, uint64_t limit_ns,
			 const _Atomic bool *stop, struct log_range *ret, struct error *err);

	/*
	 * The backup context: a session that holds the group's lock, pins the logs from now on, and is
	 * seen by name in the server. ERR_GROUP_BUSY: someone else holds the lock (the message says who,
	 * since when). ERR_GROUP_ROLE: this is not the active copy (any more). ERR_LOG_DISK_FULL.
	 *
	 * With order->before: what is left of that session is ended first, its pin taken over. Then also
	 * ERR_CONTEXT_LOST: another database or timeline, or logs from `needed` on were removed meanwhile;
	 * ERR_LOGS_GONE: removed although they were pinned. ERR_DB_CONNECT, ERR_DB_SESSION_LOST,
	 * ERR_TIMEOUT: worth trying again.
	 */
	int (*session_open)(const struct group *g, const struct group_copy *active,
			    const struct engine_session_order *order, uint64_t deadline_ns,
			    struct engine_session **ret, struct error *err);
	const struct engine_mark *(*session_mark)(const struct engine_session *s);
	/* A sign of life: it is still the active copy, on the same timeline; lock, pin and logs from
	 * `needed` on are there. ret_end: its log's end now. ERR_DB_SESSION_LOST, ERR_TIMEOUT: worth
	 * reopening. Any other failure: the backup is worth nothing. */
	int (*session_beat)(struct engine_session *s, uint64_t needed, uint64_t deadline_ns,
			    uint64_t *ret_end, struct error *err);
	/* Between beats: the descriptor that is ready (POLLIN) as soon as the far end, or anything on the way,
	 * ends the session, or the server says something of its own accord. -1: there is none. */
	int (*session_fd)(const struct engine_session *s);
	/* It is ready: ERR_DB_SESSION_LOST, with the reason; OK: it was nothing. Takes what there is, never
	 * waits. */
	int (*session_hear)(struct engine_session *s, struct error *err);
	/* Lets go of lock and pin. NULL is fine. */
	void (*session_close)(struct engine_session *s, uint64_t deadline_ns);
	/* The session is lost and not wanted any more: end what is left of it in the server. OK: nothing
	 * is left. */
	int (*session_clear)(const struct group *g, const struct group_copy *active,
			     const struct engine_mark *mark, uint64_t deadline_ns,
			     struct error *err);

	/* An eye on the passive copy. address: "" if it is not known. stop: as in log_range. Failures of ask: ERR_DB_SESSION_LOST, ERR_TIMEOUT: open another. */
	int (*watch_open)(const struct group *g, const struct group_copy *passive,
			  const char *address, uint64_t deadline_ns, const _Atomic bool *stop,
			  struct engine_watch **ret, struct error *err);
	/* Where it was found, for the next watch_open; as engine_mark.address. */
	const char *(*watch_address)(const struct engine_watch *w);
	int (*watch_ask)(struct engine_watch *w, uint64_t deadline_ns, const _Atomic bool *stop,
			 struct watch_facts *ret, struct error *err);
	int (*watch_fd)(const struct engine_watch *w); /* as session_fd and session_hear */
	int (*watch_hear)(struct engine_watch *w, struct error *err);
	void (*watch_close)(struct engine_watch *w); /* NULL is fine */

	/* "16/B374D848" */
	char *(*position_text)(uint64_t position, char text[ENGINE_POSITION_MAX]);
	bool (*position_parse)(const char *text, uint64_t *ret);
	/* Copying logs as they are written; NULL: cannot be had. */
	const struct log_source_ops *logs;
	/* Let go of logs: move the group's slot on the active copy up to `position`, never back. Makes the
	 * slot if there is none. *ret_before: where it stood. */
	int (*truncate)(const struct group *g, const struct group_copy *active, uint64_t position,
			uint64_t deadline_ns, uint64_t *ret_before, struct error *err);
};

/* NULL if there is none of that name. */
const struct engine *engine_find(const char *name);
extern const struct engine engine_postgresql;

#endif
