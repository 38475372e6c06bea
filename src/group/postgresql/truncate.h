/* SPDX-License-Identifier: Apache-2.0 */

/* Letting go of logs: a persistent physical replication slot is moved forward. */
#ifndef HF_GROUP_POSTGRESQL_TRUNCATE_H
#define HF_GROUP_POSTGRESQL_TRUNCATE_H

#include "group/engine.h"

/*
 * engine->truncate. The server removes the log files before it at its next checkpoint. A slot that was
 * invalidated is of no use any more: it is dropped, and made anew where the server's logs begin.
 * ERR_BUSY: somebody streams from it.
 */
int truncate_slot(const struct group *g, const struct group_copy *active, uint64_t position,
		  uint64_t deadline_ns, uint64_t *ret_before, struct error *err);

#endif
