/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The journal is written by the scribe, a thread of its own, so that a disk that hangs does not keep
 * the main loop from thawing. Its file comes into being with the first thing worth it; when it has
 * grown to several times of what it says, all is written anew into another file that takes its name.
 *
 * Never call anything here while guardian_frozen(); record_dirty() afterwards makes up for it.
 */
#ifndef HF_GUARD_DAEMON_RECORD_H
#define HF_GUARD_DAEMON_RECORD_H

#include "guard/daemon/guardian.h"

/* rc: OK, or why it is not in the journal. */
typedef void record_then_fn(struct hold *h, int rc, struct error *err);

/* Say what changed about the hold, durably; then call back (`then` may be NULL). */
void record_hold(struct hold *h, record_then_fn *then);
/* What became dirty: lease deadlines without a flush to the disk (a machine that loses its power
 * loses its deadlines with it), everything else with one. */
void record_dirty(struct guardian *g);
/* Write all anew, if what was taken over from earlier guards is still only in their journals. */
void record_taken_over(struct guardian *g);
/* A hold is done with: remember it as a tombstone, in memory and, if it was journaled, in the file. */
void record_tombstone(struct hold *h, const struct lease *l);
/* Nothing is on its way to the disk. */
bool record_idle(const struct guardian *g);

#endif
