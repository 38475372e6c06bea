/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The keep-alives of one backup: a thread that tells the guest every tenth of the time to live that we
 * are still there, and nothing else, so that no amount of data ever delays one. A keep-alive that is lost
 * for good cancels whatever the guest is being asked to do: from then on there is nothing to copy.
 *
 * It also passes on that the user wants to stop, and looks at whatever else has to stay as it is: what is lost
 * there stops the guest in the same way, whichever step it is in.
 */
#ifndef HF_REQUESTER_KEEPER_H
#define HF_REQUESTER_KEEPER_H

#include "base/base.h"
#include "base/error.h"
#include "mover/progress.h"
#include "requester/guest.h"

struct keeper;

/* Beside the guest: something that has to hold from before the guest is prepared until the restore point is
 * written. */
struct keeper_watch {
	/* Asked about every 100 ms from the keeper's thread; must not wait. What it fails of is final. */
	int (*check)(void *arg, struct error *err);
	void *arg;
};

/* Begin before guest->ops->prepare(): the lease begins somewhere within. progress->cancelled is
 * watched. watch: NULL if there is nothing else; copied. */
CHECKED int keeper_start(struct guest *guest, uint64_t ttl_ns, struct progress *progress,
			 const struct keeper_watch *watch, struct keeper **ret, struct error *err);
/* The error of the keep-alive that was lost, or of the watch; OK if all is well. A mover's check. */
CHECKED int keeper_check(void *keeper, struct error *err);
/* Was it the watch that failed? */
bool keeper_watch_failed(struct keeper *k);
/* The lease is about to be finished: a keep-alive that comes too late is none of ours. Does not wait. The watch
 * goes on. */
void keeper_leave(struct keeper *k);
/* Ends the thread, and waits for it. NULL is fine. */
void keeper_stop(struct keeper *k);

#endif
