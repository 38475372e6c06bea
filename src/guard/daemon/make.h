/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From the first source of a set until its snapshots can be read. Each function takes a request of the
 * agent, with h->asker set, and answers it sooner or later; when the lease ends meanwhile, undo.c does.
 *
 *	make_add	journal the intent, prepare, journal where it lies
 *	make_arm	open and flush the file systems, journal that they freeze, run the cap
 *	make_moment	wait for a quiet journal; freeze one by one, create one by one, thaw all
 *	make_held	the writers run again: the lease is held
 *	make_exposed	expose one by one
 */
#ifndef HF_GUARD_DAEMON_MAKE_H
#define HF_GUARD_DAEMON_MAKE_H

#include "guard/daemon/guardian.h"

void make_add(struct hold *h, const struct wire_add *add);
void make_arm(struct hold *h, uint64_t cap_ns);
void make_moment(struct hold *h);
void make_held(struct hold *h);
void make_exposed(struct hold *h);

/* Go on with what waited for something: for a thread, for silence, for a thaw. */
void make_go_on(struct hold *h);
/* A writer's process has ended. */
void make_writer_ended(struct hold *h, size_t nth);

#endif
