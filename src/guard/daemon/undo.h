/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is done for a lease that ended, whatever the reason: at once, thaw and (unless its agent gave it
 * up in good order) kill the writers; then remove the snapshots, the last first, again and again until
 * it works; then remember it as a tombstone.
 */
#ifndef HF_GUARD_DAEMON_UNDO_H
#define HF_GUARD_DAEMON_UNDO_H

#include "guard/daemon/guardian.h"

/* Do whatever can be done now, for all of them. */
void undo_go_on(struct guardian *g);
/* When something is to be tried again; UINT64_MAX: nothing. */
uint64_t undo_next_ns(const struct guardian *g);

#endif
