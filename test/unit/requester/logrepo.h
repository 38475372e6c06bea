/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A repository in memory with restore points of logs that a test made (postgresql/walmake.h), stored as the log copier
 * stores them, and with backups that are nothing but a record.
 */
#ifndef HF_TEST_UNIT_REQUESTER_LOGREPO_H
#define HF_TEST_UNIT_REQUESTER_LOGREPO_H

#include <stdbool.h>

#include "postgresql/walmake.h"
#include "repo/rig.h"
#include "requester/log_chain.h"

/* The log of most tests: 4 segments from here on. */
#define LOGREPO_START (UINT64_C(5) << 20)
enum { LOGREPO_SIZE = 4 << 20 };

struct logrepo {
	struct rig *rig;
	char dir[64];
	struct walmake wal; /* begun on timeline 1 */
	struct point_list list; /* of the last chain */
};

int logrepo_setup(void **state);
int logrepo_teardown(void **state);

struct logrepo_logs {
	uint64_t from, to;
	unsigned from_s, to_s;
	uint64_t
		from_part; /* it says that it begins that much later, in the middle of its first file */
	uint64_t says_to; /* 0: `to`; else the record claims more than there is */
	uint64_t
		fork; /* 0: none; else from there on it is the timeline of the log, before it the one before */
	const char *identity; /* NULL: the log's */
	bool no_names; /* as of an earlier version */
	bool false_names; /* it says that there are none */
};
void logrepo_store(struct logrepo *r, const struct logrepo_logs *l);
/* A backup in backup mode if held = stop. */
void logrepo_base(struct logrepo *r, uint64_t start, uint64_t held, uint64_t stop, unsigned stop_s);
/* All of it, and the rig's reader. The chain lives until the next one is read. */
void logrepo_chain(struct logrepo *r, struct log_chain *ret);
/* No log can be read any more. */
void logrepo_lose_data(struct logrepo *r);

#endif
