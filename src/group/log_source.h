/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a group's logs come from: what an engine has to do so that they can be copied as they are written.
 *
 *	open -> slot_look, slot_make -> start -> read ... confirm ... -> (end of timeline: history, start) -> close
 *
 * Positions are those of engine.h. One thread uses a source at a time. Every call ends at its deadline (boot
 * clock). ERR_DB_SESSION_LOST, ERR_DB_CONNECT, ERR_TIMEOUT: worth opening anew.
 */
#ifndef HF_GROUP_LOG_SOURCE_H
#define HF_GROUP_LOG_SOURCE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "group/group.h"

enum { LOG_SLOT_NAME_MAX = 64, LOG_FILE_NAME_MAX = 32 };

struct log_source;

struct log_source_facts {
	char identity[32];
	uint32_t timeline; /* the copy's own, now */
	uint64_t end; /* of its log, durable */
	uint64_t segment_bytes; /* of one log file */
};

/* What holds back logs for us. */
struct log_slot {
	bool exists, active, lost;
	uint64_t position; /* logs from here on are kept; 0: none yet */
	char user[128]; /* active: who */
	uint64_t user_s; /* active: since how long */
	/* By slot_make(): it is a new one; and it was there, but had been invalidated. */
	bool made, was_lost;
};

/* A moment: every commit that was answered before `time_ns` lies before `end`. */
struct log_mark {
	uint64_t time_ns; /* wall clock of the server */
	uint64_t end;
};

enum log_piece_kind {
	LOG_PIECE_NONE = 0, /* nothing until the deadline */
	LOG_PIECE_DATA,
	LOG_PIECE_ALIVE, /* the server is there, and has nothing new */
	LOG_PIECE_END, /* this timeline is complete: it goes on as another */
};

struct log_source_piece {
	enum log_piece_kind kind;
	uint64_t position; /* DATA */
	struct slice data; /* DATA: until the next call */
	uint64_t time_ns; /* DATA, ALIVE: when it was sent; the server's wall clock */
	uint32_t next_timeline; /* END */
	uint64_t next_from; /* END: where that one forks off */
};

struct log_source_ops {
	/* `application`: what the server shows of us. ERR_GROUP_ROLE: it is not the active copy. */
	int (*open)(const struct group *g, const struct group_copy *copy, const char *application,
		    uint64_t deadline_ns, struct log_source **ret, struct error *err);
	void (*close)(struct log_source *s); /* NULL is fine */
	const struct log_source_facts *(*facts)(const struct log_source *s);

	/* The slot for the group's copier: "holdfast_NAME_copier". */
	char *(*slot_name)(const struct group *g, char text[LOG_SLOT_NAME_MAX]);
	int (*slot_look)(struct log_source *s, const char *name, uint64_t deadline_ns,
			 struct log_slot *ret, struct error *err);
	/* It holds the logs from now on, and what of them is there anyway. One that was lost is made anew. */
	int (*slot_make)(struct log_source *s, const char *name, uint64_t deadline_ns,
			 struct log_slot *ret, struct error *err);
	/* Up to there, never back. */
	int (*slot_move)(struct log_source *s, const char *name, uint64_t position,
			 uint64_t deadline_ns, struct error *err);

	int (*mark)(struct log_source *s, uint64_t deadline_ns, struct log_mark *ret,
		    struct error *err);
	/*
	 * Stream from `position` on this timeline. slot NULL: without one. ERR_LOGS_GONE: they are not there
	 * any more. ERR_GROUP_ROLE: the copy's history has no such place on that timeline; see history().
	 * ERR_GROUP_BUSY: somebody else uses the slot.
	 */
	int (*start)(struct log_source *s, const char *slot, uint32_t timeline, uint64_t position,
		     uint64_t deadline_ns, struct error *err);
	int (*read)(struct log_source *s, uint64_t deadline_ns, struct log_source_piece *ret,
		    struct error *err);
	/* Up to `received` it is here, up to `durable` it is safe (0: nothing; the slot stays). ask: have
	 * the server answer. */
	int (*confirm)(struct log_source *s, uint64_t received, uint64_t durable, bool ask,
		       uint64_t deadline_ns, struct error *err);

	/* Not while it streams. The history file of a timeline, appended. */
	int (*history)(struct log_source *s, uint32_t timeline, uint64_t deadline_ns,
		       struct buf *ret, struct error *err);
	/* Pure. Where `ancestor` ends in that file: 1, 0 it is not in it. */
	int (*history_end)(uint32_t timeline, struct slice file, uint32_t ancestor, uint64_t *ret,
			   struct error *err);
	/* Pure. Names of files as the server has them. */
	char *(*segment_name)(uint32_t timeline, uint64_t position, uint64_t segment_bytes,
			      char text[LOG_FILE_NAME_MAX]);
	char *(*history_name)(uint32_t timeline, char text[LOG_FILE_NAME_MAX]);
	/* A copy that is not the active one keeps logs, too, from `position` on, so that nothing is missing
	 * when it is promoted. */
	int (*slot_keep)(const struct group *g, const struct group_copy *copy, const char *name,
			 uint64_t position, uint64_t deadline_ns, struct error *err);
	/* Let go: drop it. A missing one is fine. */
	int (*slot_drop)(const struct group *g, const struct group_copy *copy, const char *name,
			 uint64_t deadline_ns, struct error *err);
};

#endif
