/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The backup context's session on the active copy. See engine.h, session_open.
 *
 * What there is in the server while it is open, all of which goes with the session: an advisory lock (of
 * the group, in the database the session is in), a temporary slot (its name begins alike in all databases,
 * so that contexts in two databases see each other), and a line in pg_stat_activity.
 */
#ifndef HF_GROUP_POSTGRESQL_CHANNEL_H
#define HF_GROUP_POSTGRESQL_CHANNEL_H

#include "group/engine.h"

CHECKED int channel_open(const struct group *g, const struct group_copy *active,
			 const struct engine_session_order *order, uint64_t deadline_ns,
			 struct engine_session **ret, struct error *err);
const struct engine_mark *channel_mark(const struct engine_session *s);
CHECKED int channel_beat(struct engine_session *s, uint64_t needed, uint64_t deadline_ns,
			 uint64_t *ret_end, struct error *err);
int channel_fd(const struct engine_session *s);
CHECKED int channel_hear(struct engine_session *s, struct error *err);
void channel_close(struct engine_session *s, uint64_t deadline_ns);
CHECKED int channel_clear(const struct group *g, const struct group_copy *active,
			  const struct engine_mark *mark, uint64_t deadline_ns, struct error *err);

#endif
