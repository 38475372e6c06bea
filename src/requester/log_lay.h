/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Laying out the logs that a restored cluster recovers with: a folder of whole segments, one file for each,
 * named as the server will ask for them, put together from however many restore points and timelines; and
 * the history of the timeline. Everything belongs to the owner of the restored folder.
 */
#ifndef HF_REQUESTER_LOG_LAY_H
#define HF_REQUESTER_LOG_LAY_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore.h"
#include "repo/read.h"
#include "requester/log_chain.h"

/* Below the restored folder. Until recovery has ended. */
#define LOG_LAY_FOLDER "holdfast_recovery"

struct log_lay {
	struct repo *repo;
	struct repo_index *index;
	struct repo_reader *reader;
	const struct log_chain *chain;
	const struct log_base *base;
	uint64_t end; /* logs are wanted up to here; the base leads there */
	const char *target; /* where the base was restored */
	const struct restore_options *options; /* warn, progress, workers */
};

/* Which segments that will be: from the first byte of `from` to the last before `to`. */
void log_lay_range(const struct log_chain *chain, const struct log_base *base, uint64_t end,
		   uint64_t *ret_from, uint64_t *ret_to);
CHECKED int log_lay_run(const struct log_lay *lay, struct restore_stats *ret, struct error *err);

#endif
