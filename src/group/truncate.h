/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Letting go of logs: how far, and who is in the way. A decision for the whole group: the least of what
 * everybody needs. Pure; who carries it out is requester/truncation.h.
 *
 * On the active copy the group's slot keeps all logs from its position on. It may move up to the least of
 *
 *	what the repository holds	logs from the beginning of its newest full or incremental restore
 *					point on are needed; or from the end of the logs in it
 *	each copy's need		logs that it has not copied and replayed. A copy that does not answer
 *					needs all of them
 *
 * and never back. Other slots keep logs by themselves: they are told of, and decide nothing.
 */
#ifndef HF_GROUP_TRUNCATE_H
#define HF_GROUP_TRUNCATE_H

#include "group/status.h"

enum { TRUNCATE_MARKS_MAX = GROUP_COPIES_MAX + ENGINE_SLOTS_MAX + 2, TRUNCATE_WHY_MAX = 320 };

enum truncate_who {
	TRUNCATE_REPOSITORY = 1, /* a restore point */
	TRUNCATE_LOGS, /* the log backups: what they do not hold yet would be a gap in them */
	TRUNCATE_COPY,
	TRUNCATE_SLOT, /* not the group's: only told of */
};

/* What one of them needs. */
struct truncate_mark {
	enum truncate_who who;
	char name[64]; /* of the copy or slot; else "" */
	uint64_t position; /* logs from here on are needed; 0: all, or it is not known */
	bool binding; /* false: only told of */
	char why[TRUNCATE_WHY_MAX]; /* in a clause; "" where the position says it all */
};

/* What the repository holds of this group, on the active copy's timeline. A part that does not bind is only
 * told of: the other one goes before it. */
struct truncate_stored {
	uint64_t
		base; /* beginning of the newest full or incremental restore point; 0: there is none */
	bool base_binds;
	char base_why[TRUNCATE_WHY_MAX]; /* which one, or why there is none */
	uint64_t logs; /* up to where log backups reach; 0: there are none */
	bool logs_bind;
	char logs_why[TRUNCATE_WHY_MAX];
};

enum truncate_end {
	TRUNCATE_MOVES = 1, /* from `before` to `to` */
	TRUNCATE_NOTHING_NEW, /* nothing was stored since that could be let go of */
	TRUNCATE_BLOCKED, /* a copy still needs what is stored: marks[blocker] */
	TRUNCATE_BY_COPIER, /* the log copier holds the slot, and moves it itself */
	TRUNCATE_NO_SLOT, /* the group has none: its logs are kept by other means */
	TRUNCATE_NEVER, /* a copy backup: the caller's decision, not made here */
};

struct truncate_plan {
	enum truncate_end end;
	uint64_t
		before; /* where the group's slot stands; 0: there is none on the active copy yet */
	bool lost; /* the slot was invalidated: it is made anew */
	uint64_t to; /* never less than before */
	uint64_t segment_bytes; /* of one log file */
	size_t n;
	struct truncate_mark marks[TRUNCATE_MARKS_MAX];
	size_t blocker; /* the binding mark with the least position; SIZE_MAX: there is none */
};

/* `v` after group_judge(). ERR_GROUP_NO_COPY: nobody knows which copy is the active one. */
CHECKED int truncate_decide(const struct group_view *v, const struct truncate_stored *stored,
			    struct truncate_plan *ret, struct error *err);

/* "copy pg3", "the repository"; into text. */
enum { TRUNCATE_NAME_MAX = 96 };
const char *truncate_mark_name(const struct truncate_mark *m, char text[TRUNCATE_NAME_MAX]);
const char *truncate_end_name(enum truncate_end e); /* "moves", "nothing-new", "blocked" ... */
/* What it comes to, or (`moved`) what has come of it, in a sentence. */
enum { TRUNCATE_SENTENCE_MAX = 640 };
const char *truncate_sentence(const struct truncate_plan *p, const struct group *g, bool moved,
			      char text[TRUNCATE_SENTENCE_MAX]);
/* For --json: new reference, NULL out of memory. */
json_t *truncate_json(const struct truncate_plan *p, const struct group *g);

#endif
