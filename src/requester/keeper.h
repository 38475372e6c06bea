/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The keep-alives of one backup: a thread that tells the guest every tenth of the time to live that we
 * are still there, and nothing else, so that no amount of data ever delays one. A keep-alive that is lost
 * for good cancels whatever the guest is being asked to do: from then on there is nothing to copy.
 *
 * It also passes on that the user wants to stop.
 */
#ifndef HF_REQUESTER_KEEPER_H
#define HF_REQUESTER_KEEPER_H

#include "base/base.h"
#include "base/error.h"
#include "mover/progress.h"
#include "requester/guest.h"

struct keeper;

/* Begin before guest->ops->prepare(): the lease begins somewhere within. progress->cancelled is
 * watched. */
CHECKED int keeper_start(struct guest *guest, uint64_t ttl_ns, struct progress *progress,
			 struct keeper **ret, struct error *err);
/* The error of the keep-alive that was lost; OK if all is well. A mover's check. */
CHECKED int keeper_check(void *keeper, struct error *err);
/* The lease is about to be finished: a keep-alive that comes too late is none of ours. Does not wait. */
void keeper_leave(struct keeper *k);
/* Ends the thread, and waits for it. NULL is fine. */
void keeper_stop(struct keeper *k);

#endif
