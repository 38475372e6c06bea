/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Timeline history files ("00000003.history"): from which timeline a timeline came, and where it forked off.
 * A line for each of its ancestors, oldest first: its number, the position up to which it counts, and a
 * reason in words. Pure. Source: PostgreSQL's documentation, "Timelines".
 */
#ifndef HF_POSTGRESQL_TIMELINE_H
#define HF_POSTGRESQL_TIMELINE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum { TIMELINE_NAME_LEN = 16, TIMELINE_ANCESTORS_MAX = 256, TIMELINE_FILE_MAX = 64 << 10 };

struct timeline_history {
	uint32_t timeline; /* whose history it is */
	size_t n;
	struct {
		uint32_t timeline;
		uint64_t end; /* its log counts up to here */
	} ancestors[TIMELINE_ANCESTORS_MAX];
};

/* ERR_CORRUPT if it is none. */
CHECKED int timeline_history_parse(uint32_t timeline, struct slice file,
				   struct timeline_history *ret, struct error *err);
/* Where `ancestor` ends on the way to the history's own timeline. False: it is none of its ancestors. */
bool timeline_end(const struct timeline_history *h, uint32_t ancestor, uint64_t *ret);
/* "00000003.history". Returns text. */
char *timeline_history_name(uint32_t timeline, char text[TIMELINE_NAME_LEN + 1]);

#endif
