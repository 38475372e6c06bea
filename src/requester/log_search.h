/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a wish ("14:25:06", a name, a position) to a place in the log: reads the logs that may have it, out of
 * the repository. So the wish is known to be possible, and the base can be chosen, before anything is
 * restored; and the server is told a position, which it either meets exactly or refuses.
 */
#ifndef HF_REQUESTER_LOG_SEARCH_H
#define HF_REQUESTER_LOG_SEARCH_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "mover/progress.h"
#include "repo/read.h"
#include "requester/log_chain.h"

struct log_target {
	enum log_target_kind {
		LOG_TARGET_NONE = 0,
		LOG_TARGET_END, /* as far as the logs go */
		LOG_TARGET_TIME, /* everything committed until then, nothing committed later */
		LOG_TARGET_LSN, /* everything before that position */
		LOG_TARGET_NAME, /* up to and with pg_create_restore_point(NAME) */
	} kind;
	uint64_t time_ns; /* wall clock */
	uint64_t lsn;
	const char *name;
};

struct log_stop {
	bool at_end; /* of the logs: nothing follows there that is not wanted */
	uint64_t lsn; /* else: before the record there, */
	bool inclusive; /* or behind it */
	struct log_need need; /* which base will do */
	/* Nothing of the logs is needed: it is the end of this base. NULL but for LOG_TARGET_END. */
	const struct log_base *alone;
	uint64_t last_commit_ns; /* of what was looked at; 0: there was none */
};

/*
 * `only`: from this base, and no other; NULL: any. ERR_LOG_GAP: the logs do not reach there (the message says what they cover). ERR_NOT_FOUND: no restore point
 * of that name; ERR_AMBIGUOUS: several. ERR_CORRUPT: the logs are not what they should be.
 */
CHECKED int log_search(const struct log_chain *c, struct repo_reader *reader,
		       const struct log_target *target, const struct point *only,
		       struct progress *progress, struct log_stop *ret, struct error *err);

#endif
