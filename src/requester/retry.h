/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A backup that failed of something that passes is repeated as a whole: so many tries, so long between them.
 * What VSS's documentation asks of requesters ("wait ten minutes and repeat, up to three times") is done here
 * without a person. Pure but for retry_wait().
 */
#ifndef HF_REQUESTER_RETRY_H
#define HF_REQUESTER_RETRY_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "group/choose.h"
#include "mover/progress.h"

struct retry_policy {
	unsigned tries; /* in all; 0 and 1: once */
	uint64_t wait_ns; /* between two */
};

/* After the try with this number (from 1) failed: is there to be another? */
bool retry_again(const struct retry_policy *p, unsigned try_number, const struct error *failure);

/*
 * Of a failure while the copy was being backed up, but not of the context on the active copy: was it the copy's
 * (its agent, its writer, its snapshot, its database), so that another one may do better? The repository's
 * failures are nobody's there.
 */
bool retry_blames_copy(const struct error *failure);
/* Remember that; copies beyond GROUP_COPIES_MAX are not. `copy` is lent for as long as the history is used. */
void retry_blame(struct choose_history *history, const char *copy);

/*
 * Wait for so long, or until progress->cancelled (ERR_CANCELLED). say: what is being waited for, called at the
 * beginning and every second after it with what is left; NULL: nobody wants to know.
 */
typedef void retry_say_fn(void *arg, uint64_t left_ns);
CHECKED int retry_wait(uint64_t wait_ns, struct progress *progress, retry_say_fn *say, void *arg,
		       struct error *err);

/* Counters begin anew with each try; the wish to stop stays. */
void retry_reset(struct progress *p);

#endif
