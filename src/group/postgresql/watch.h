/* SPDX-License-Identifier: Apache-2.0 */

/* An eye on a passive copy while it is backed up. See engine.h, watch_open. */
#ifndef HF_GROUP_POSTGRESQL_WATCH_H
#define HF_GROUP_POSTGRESQL_WATCH_H

#include "group/engine.h"

CHECKED int watch_open(const struct group *g, const struct group_copy *passive, const char *address,
		       uint64_t deadline_ns, const _Atomic bool *stop, struct engine_watch **ret,
		       struct error *err);
const char *watch_address(const struct engine_watch *w);
CHECKED int watch_ask(struct engine_watch *w, uint64_t deadline_ns, const _Atomic bool *stop,
		      struct watch_facts *ret, struct error *err);
int watch_fd(const struct engine_watch *w);
CHECKED int watch_hear(struct engine_watch *w, struct error *err);
void watch_close(struct engine_watch *w);

#endif
