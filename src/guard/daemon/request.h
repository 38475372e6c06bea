/* SPDX-License-Identifier: Apache-2.0 */

/* What the agent asks for: one function looks at a message and starts what it wants. */
#ifndef HF_GUARD_DAEMON_REQUEST_H
#define HF_GUARD_DAEMON_REQUEST_H

#include "guard/daemon/guardian.h"

/* Takes the descriptor, or closes it. A malformed order of messages ends the process: the agent is a
 * program of ours. */
void request_take(struct guardian *g, const struct wire_message *m, int fd);
/* Answer those who wait for all to be undone, if it is. */
void request_settle(struct guardian *g);

#endif
