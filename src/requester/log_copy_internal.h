/* SPDX-License-Identifier: Apache-2.0 */

/* What log_copy.c and log_copy_follow.c have between them. All but the last are for an open source that does not
 * stream. */
#ifndef HF_REQUESTER_LOG_COPY_INTERNAL_H
#define HF_REQUESTER_LOG_COPY_INTERNAL_H

#include "base/clock.h"
#include "requester/log_copy.h"

/* Find out with which range to go on, and have the spool so. */
CHECKED int log_copy_plan(struct log_copy *c, struct error *err);
/* Was the slot that held the logs we go on with gone? For who looks for the reason of a gap. */
void log_copy_tell_of_slot(const struct log_copy *c);
/* Stream from where the spool ends; past gaps and forks, if it has to be. */
CHECKED int log_copy_start(struct log_copy *c, struct error *err);
/* End the range, and begin one of timeline `next`, which forked off from ours at `fork`. */
CHECKED int log_copy_follow(struct log_copy *c, uint32_t next, uint64_t fork, struct error *err);

/* The deadline of one question. */
static inline uint64_t
log_copy_soon(void)
{
	return clock_boot_ns() + 15 * NS_PER_S;
}

#endif
