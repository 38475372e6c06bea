/* SPDX-License-Identifier: Apache-2.0 */

/* A task without data. */
#include "agent/session_internal.h"
#include "agent/task.h"

int
task_skip(struct session *s, struct error *err)
{
	if (session_enter(s, SESSION_CREATED, "moving data", err) < 0 || session_check(s, err) < 0)
		return err->code;
	for (size_t i = 0; i < s->writers.n; i++) {
		CLEAN(component_tail_freep) struct component_tail *tail = NULL;

		if (writers_post_copy(&s->writers.members[i], &tail, err) < 0)
			return session_failed(s, err);
	}
	session_leave(s, SESSION_MOVED);
	return OK;
}
