/* SPDX-License-Identifier: Apache-2.0 */

/* The moment: everything stands still, snapshots are taken, everything goes on. */
#include "agent/session_internal.h"

#include "base/clock.h"

/* From here to the thaw the applications wait, so nothing else happens in between. */
static int
freeze_snapshot_thaw(struct session *s, struct error *err)
{
	uint64_t cap_ns = s->order.freeze_cap_ns > 0 ? s->order.freeze_cap_ns
						     : LEASE_FREEZE_DEFAULT_NS;

	if (writers_freeze(&s->writers, clock_boot_ns() + cap_ns, err) < 0)
		return err->code;
	return writers_thaw(&s->writers, err);
}

int
session_create(struct session *s, struct session_moment *ret, struct error *err)
{
	CLEAN(session_moment_done)
	struct session_moment moment = {.proven = true, .members = json_array()};

	if (session_enter(s, SESSION_PREPARED, "create", err) < 0)
		return err->code;
	if (moment.members == NULL)
		return error_no_memory(err);
	if (freeze_snapshot_thaw(s, err) < 0 || writers_post_snapshot(&s->writers, err) < 0)
		return err->code;
	session_leave(s, SESSION_CREATED);
	*ret = moment;
	moment = (struct session_moment){0};
	return OK;
}
