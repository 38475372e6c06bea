/* SPDX-License-Identifier: Apache-2.0 */

/* Which log files the active copy has. See engine.h, log_range. */
#ifndef HF_GROUP_POSTGRESQL_RANGE_H
#define HF_GROUP_POSTGRESQL_RANGE_H

#include <stdbool.h>

#include "group/engine.h"

CHECKED int range_ask(const struct group *g, const struct group_copy *active, uint64_t limit_ns,
		      const _Atomic bool *stop, struct log_range *ret, struct error *err);

/* What the server answers, as text: pure, for tests. */
struct range_answer {
	const char *end; /* position */
	const char *end_name; /* of the file it lies in */
	const char *required;
	const char *segment_bytes;
	const char *files;
	/* Of the first file, its number before its timeline, so that the database could compare:
	 * digits 9 to 24 of its name, then 1 to 8. */
	const char *oldest;
};

/* ERR_PROTOCOL: it makes no sense. */
CHECKED int range_read(const struct range_answer *a, struct log_range *ret, struct error *err);

/* A limit that is enough for what took so long: half as much again, a full number of seconds. */
uint64_t range_enough_s(uint64_t took_ns);

#endif
