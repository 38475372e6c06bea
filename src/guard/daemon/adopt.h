/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What earlier guards left. Every journal that nobody has locked is taken over: file systems are thawed
 * first, before anything is written anywhere; then leases that were held go on, if the agent is the same
 * (its token), at their old deadlines; all others are released. A journal of our own agent is taken
 * over even if it is locked: the agent has killed the guard that holds it, which may hang in the
 * kernel and keep its lock.
 *
 * A damaged journal frees what it says is frozen, is told of, and set aside; nothing is removed by it.
 */
#ifndef HF_GUARD_DAEMON_ADOPT_H
#define HF_GUARD_DAEMON_ADOPT_H

#include "guard/daemon/guardian.h"

/* At the start, once. What cannot be read is told, not failed at. */
void adopt_all(struct guardian *g);

#endif
