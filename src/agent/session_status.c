/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What other threads see of a session. The driving thread shows it after each step, so that nobody has
 * to wait for a step that is going on.
 */
#include <stdarg.h>
#include <string.h>

#include "agent/session_internal.h"
#include "agent/writer_status.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "base/uuid.h"
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

/* Once for each failure. */
static void
tell_failure(const struct session *s, const struct writer_status *now)
{
	static const char failed[] = "Failed at ";
	const struct error *e = &now->last_error;
	const char *state = writer_state_text(now->state);
	const char *step = strncmp(state, failed, strlen(failed)) == 0 ? state + strlen(failed)
								       : "";
	struct writer_status before;

	/* What the requester gave up for is in its own log. */
	if (e->code == OK || (s->blamed != NULL && s->blamed->code == e->code))
		return;
	if (writer_status_load(s->setup.state_dir, now->name, &before) > 0 &&
	    before.last_error.code == e->code && strcmp(before.job, now->job) == 0)
		return;
	eventlog_add(s->setup.events,
		     e->code == ERR_WRITER_TIMEOUT ? EVENT_WRITER_HUNG
		     : e->code == ERR_WRITER_DIED  ? EVENT_WRITER_DIED
						   : EVENT_WRITER_FAILED,
		     s->order.job, "writer=%s step=%s retry=%s code=%s error=%s", now->title, step,
		     error_retryable(e->code) ? "yes" : "no", error_name(e->code), e->msg);
}

/* For those who ask after we are gone. */
static void
keep_states(const struct session *s)
{
	static const struct error none;

	if (s->setup.state_dir == NULL)
		return;
	for (size_t i = 0; i < s->writers.n; i++) {
		const struct writers_member *m = &s->writers.members[i];
		struct writer_status status;

		writer_status_of(m->name, m->writer,
				 m->writer != NULL ? writer_last_error(m->writer) : &none,
				 s->order.job, &status);
		tell_failure(s, &status);
		writer_status_store(s->setup.state_dir, &status);
	}
}

void
session_show_writers(struct session *s)
{
	json_t *shown, *old;

	keep_states(s);
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
session_show_members(struct session *s, const struct snapshot *snapshots, size_t n,
		     struct error *err)
{
	CLEAN(json_done) json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct snapshot *m = &snapshots[i];

		if (json_array_append_new(
			    list, json_pack("{s:s, s:o, s:o}", "provider", m->provider, "source",
					    json_bytes(m->source, strlen(m->source)), "exposed",
					    json_bytes(m->exposed, strlen(m->exposed)))) < 0)
			return error_no_memory(err);
	}
	if (list == NULL)
		return error_no_memory(err);
	(void)pthread_mutex_lock(&s->lock);
	s->members = STEAL_PTR(list);
	(void)pthread_mutex_unlock(&s->lock);
	return OK;
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
shown_state(const struct session *s, const struct lease *lease)
{
	if (lease->state == LEASE_ENDED && lease->end != LEASE_FINISHED)
		return "aborted";
	if (lease->state == LEASE_FROZEN)
		return "frozen";
	switch (s->state) {
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
		if (s->driving)
			return s->members != NULL ? "held" : "preparing";
		break;
	case SESSION_ABORTED:
		break;
	}
	return "aborted";
}

static int
add_lease(json_t *j, const struct lease *l)
{
	char set[UUID_TEXT_SIZE];
	uint64_t now_ns = clock_boot_ns();
	uint64_t left_ns = l->state != LEASE_ENDED && l->deadline_ns > now_ns
				   ? l->deadline_ns - now_ns
				   : 0;

	if (json_object_set_new(j, "set", json_string(uuid_text(l->key.set, set))) < 0 ||
	    json_object_set_new(j, "epoch", json_integer((json_int_t)l->key.epoch)) < 0 ||
	    json_object_set_new(j, "ttl_ms", json_integer((json_int_t)(l->ttl_ns / NS_PER_MS))) <
		    0 ||
	    json_object_set_new(j, "left_ms", json_integer((json_int_t)(left_ns / NS_PER_MS))) < 0)
		return -1;
	if (l->state == LEASE_ENDED)
		return json_object_set_new(j, "end", json_string(lease_end_name(l->end)));
	return 0;
}

int
session_status(struct session *s, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *j = NULL;
	CLEAN(json_done) json_t *members = NULL;
	struct lease lease;
	bool leased = session_lease(s, &lease);

	(void)pthread_mutex_lock(&s->lock);
	members = s->members != NULL ? json_deep_copy(s->members) : json_array();
	j = json_pack("{s:s, s:s, s:s, s:O}", "state", shown_state(s, &lease), "job",
		      s->order.job != NULL ? s->order.job : "", "phase", s->doing, "members",
		      members);
	(void)pthread_mutex_unlock(&s->lock);
	if (j == NULL || (leased && add_lease(j, &lease) < 0))
		return error_no_memory(err);
	*ret = STEAL_PTR(j);
	return OK;
}
