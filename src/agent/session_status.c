/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What other threads see of a session. The driving thread shows it after each step, so that nobody has
 * to wait for a step that is going on.
 */
#include <stdarg.h>

#include "agent/session_internal.h"
#include "base/text.h"
#include "writer/client.h"

void
session_phase(struct session *s, const char *format, ...)
{
	char text[sizeof(s->doing)];
	va_list ap;

	va_start(ap, format);
	(void)text_vprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)pthread_mutex_lock(&s->lock);
	(void)text_printf(s->doing, sizeof(s->doing), "%s", text);
	(void)pthread_mutex_unlock(&s->lock);
	if (s->setup.phase != NULL)
		s->setup.phase(s->setup.phase_arg, text);
}

void
session_show_writers(struct session *s)
{
	json_t *shown, *old;

	/* Without memory, what was shown before stays. */
	if (writers_states(&s->writers, &shown, NULL) < 0)
		return;
	(void)pthread_mutex_lock(&s->lock);
	old = s->shown;
	s->shown = shown;
	(void)pthread_mutex_unlock(&s->lock);
	json_decref(old);
}

int
session_writers(struct session *s, json_t **ret, struct error *err)
{
	json_t *copy;

	(void)pthread_mutex_lock(&s->lock);
	copy = s->shown != NULL ? json_deep_copy(s->shown) : json_array();
	(void)pthread_mutex_unlock(&s->lock);
	if (copy == NULL)
		return error_no_memory(err);
	*ret = copy;
	return OK;
}

static const char *
shown_state(enum session_state state)
{
	switch (state) {
	case SESSION_NEW:
	case SESSION_PREPARED:
		return "preparing";
	case SESSION_CREATED:
	case SESSION_MOVED:
		return "held";
	case SESSION_FINISHED:
	case SESSION_COMPLETE:
		return "finished";
	case SESSION_FAILED:
	case SESSION_ABORTED:
		break;
	}
	return "aborted";
}

int
session_status(struct session *s, json_t **ret, struct error *err)
{
	json_t *j;

	(void)pthread_mutex_lock(&s->lock);
	j = json_pack("{s:s, s:s, s:s, s:[]}", "state", shown_state(s->state), "job",
		      s->order.job != NULL ? s->order.job : "", "phase", s->doing, "members");
	(void)pthread_mutex_unlock(&s->lock);
	if (j == NULL)
		return error_no_memory(err);
	*ret = j;
	return OK;
}
