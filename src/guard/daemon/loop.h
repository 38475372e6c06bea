/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The guard's main loop: it waits for the agent, its end, a deadline, a signal, a thread that is done,
 * a writer's end; and after each does what has become possible. It never blocks elsewhere.
 */
#ifndef HF_GUARD_DAEMON_LOOP_H
#define HF_GUARD_DAEMON_LOOP_H

#include "guard/daemon/guardian.h"

/* Everything that the process needs for good: memory, threads, descriptors. */
CHECKED int loop_init(struct guardian *g, int socket, struct error *err);
/* Returns when all is undone and the agent gone, or has said stop. */
void loop_run(struct guardian *g);

#endif
