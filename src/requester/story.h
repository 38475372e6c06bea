/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The story of a job, told from its events in plain words: what happened when, why it ended as it did, and
 * which setting would have helped. What an administrator would otherwise gather from two logs and a
 * knowledge-base article.
 *
 * Pure: events in, words out. The events may come from the requester's log, the protected host's, or
 * both, and some may be missing: what is not known is not said. Times of day are local (TZ).
 */
#ifndef HF_REQUESTER_STORY_H
#define HF_REQUESTER_STORY_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/event_list.h"

enum story_ending {
	STORY_UNFINISHED, /* still running, or nobody was left to tell */
	STORY_GOOD,
	STORY_WEAKER, /* a restore point, but of less consistency than asked for */
	STORY_NETWORK, /* keep-alives were lost on the way: expired */
	STORY_STANDSTILL, /* the requester came back, nobody saw a connection break: expired */
	STORY_REQUESTER_GONE, /* never heard again: expired */
	STORY_FREEZE_LIMIT,
	STORY_AGENT_HUNG, /* in the freeze */
	STORY_WRITER_HUNG,
	STORY_WRITER_FAILED,
	STORY_AGENT_LOST,
	STORY_GUARD_LOST,
	STORY_NO_SPACE,
	STORY_BY_HAND,
	STORY_FOREIGN, /* somebody else froze or thawed */
	STORY_CANCELLED,
	STORY_FAILED, /* of another error */
};

enum { STORY_TEXT_MAX = 1536 };

struct story_line {
	uint64_t time_ns;
	enum log_level level;
	char text[512];
};

struct story {
	enum story_ending ending;
	char job[64];
	uint64_t start_ns, end_ns; /* of the first and last event */
	char headline[256];
	size_t n_lines;
	struct story_line *lines;
	char cause[STORY_TEXT_MAX]; /* "" if there is nothing to explain */
	char advice[STORY_TEXT_MAX];
	/* A setting that would have helped: its name, its value then, and one that is enough; all "" if
	 * there is none. */
	char setting[48], now[24], proposed[24];
};

/* The events of one job, in order of time. ERR_NOT_FOUND if there is none. */
CHECKED int story_tell(const struct event_list *events, struct story *ret, struct error *err);
void story_done(struct story *s); /* for CLEAN(), too */

/* "network", "requester-gone" ...: for programs. */
const char *story_ending_name(enum story_ending ending);

/* "14:25:06"; "180 ms", "8.2 s", "22 min 24 s". For story*.c, and whoever shows one. Return text. */
char *story_clock(uint64_t wall_ns, char text[24]);
char *story_span(uint64_t ms, char text[32]);

#endif
