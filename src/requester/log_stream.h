/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The bytes of a chain's log, in order, out of the repository: from the beginning of a segment on for as long
 * as there is no gap. Across restore points and timelines, as the server would read them.
 */
#ifndef HF_REQUESTER_LOG_STREAM_H
#define HF_REQUESTER_LOG_STREAM_H

#include "base/base.h"
#include "base/error.h"
#include "mover/progress.h"
#include "repo/read.h"
#include "requester/log_chain.h"

/* < 0 error; 1: enough; 0: go on. */
typedef int log_stream_fn(void *arg, struct slice bytes, struct error *err);

/* position: where a segment begins. *ret_end: where it ended, behind the last byte given. Progress may be
 * NULL; if it is cancelled the stream ends with ERR_CANCELLED. */
CHECKED int log_stream(const struct log_chain *c, struct repo_reader *reader, uint64_t position,
		       struct progress *progress, log_stream_fn *each, void *arg, uint64_t *ret_end,
		       struct error *err);

/* In the tree of a log point, the file that has the byte at `position` of that timeline: 1 found, 0 not.
 * After a switch it may be in a file of the later timeline. Memory of *ret is in `hold`. */
struct node;
struct buf;
CHECKED int log_stream_file(const struct log_chain *c, struct repo_reader *reader,
			    const struct log_piece *piece, uint64_t position, struct buf *hold,
			    struct node *ret, struct error *err);

#endif
