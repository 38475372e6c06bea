/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls over connections that break. Whoever calls is stuck until there is an answer or the lease is
 * over, and people are told in the meantime: when the first connection breaks, every half a minute while
 * none comes back, and when one does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error_json.h"
#include "base/eventlog.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "requester/guest_remote_internal.h"

enum {
	HOLD_MS_MAX = 10000,
	TELL_EVERY_S = 30,
	WAIT_MS_MIN = 50,
	WAIT_MS_MAX = 1000,
	BODY_MAX = 256 << 10,
};

static void
format_left(uint64_t ns, char text[32])
{
	uint64_t s = (ns + NS_PER_S - 1) / NS_PER_S;

	if (s >= 3600)
		(void)snprintf(text, 32, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else if (s >= 60)
		(void)snprintf(text, 32, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else
		(void)snprintf(text, 32, "%" PRIu64 "s", s);
}

/* Notes --------------------------------------------------------------------------------------- */

static void note_locked(struct remote *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* If nobody says them the oldest ones go. */
static void
note_locked(struct remote *r, const char *format, ...)
{
	va_list ap;

	if (r->n_notes == REMOTE_NOTES_MAX) {
		memmove(r->notes, r->notes + 1, sizeof(r->notes) - sizeof(r->notes[0]));
		r->n_notes--;
	}
	va_start(ap, format);
	(void)text_vprintf(r->notes[r->n_notes++], REMOTE_NOTE_MAX, format, ap);
	va_end(ap);
}

void
guest_remote_say_notes(struct remote *r)
{
	char notes[REMOTE_NOTES_MAX][REMOTE_NOTE_MAX];
	size_t n;

	(void)pthread_mutex_lock(&r->lock);
	n = r->n_notes;
	memcpy(notes, r->notes, sizeof(notes));
	r->n_notes = 0;
	(void)pthread_mutex_unlock(&r->lock);
	for (size_t i = 0; i < n; i++) {
		if (r->base.say != NULL)
			r->base.say(r->base.say_arg, notes[i]);
		if (r->note != NULL)
			r->note(r->note_arg, notes[i]);
	}
}

static void
say_if_driving(struct remote *r)
{
	if (pthread_equal(r->driver, pthread_self()))
		guest_remote_say_notes(r);
}

/* The lease ----------------------------------------------------------------------------------- */

uint64_t
guest_remote_patience(const struct remote *r)
{
	uint64_t ttl = atomic_load(&r->ttl_ns);

	if (ttl == 0)
		return 10 * NS_PER_S;
	ttl = MAX(ttl / 5, NS_PER_S);
	return MIN(ttl, 15 * NS_PER_S);
}

int
guest_remote_check(struct remote *r, struct error *err)
{
	int rc;

	(void)pthread_mutex_lock(&r->lock);
	rc = r->ended.code;
	if (rc < 0)
		*err = r->ended;
	(void)pthread_mutex_unlock(&r->lock);
	return rc;
}

static void
end_lease(struct remote *r, const struct error *why)
{
	(void)pthread_mutex_lock(&r->lock);
	if (r->ended.code == OK)
		r->ended = *why;
	(void)pthread_mutex_unlock(&r->lock);
}

/* "KeepSnapshotEx" is what is called, "KeepSnapshot" what administrators look for. */
static void
word_lease_ended(const char *function, const char *cause, struct error *err)
{
	int n = (int)strlen(function);

	if (n > 2 && strcmp(function + n - 2, "Ex") == 0)
		n -= 2;
	error_set(err, ERR_LEASE_ENDED,
		  "Failed to call RPC function 'Vss.%.*s': Error code: 0x%08" PRIx32
		  ". Failed to invoke func [%.*s]: %s",
		  n, function, error_hresult(ERR_LEASE_ENDED), n, function, cause);
}

/* No keep-alive arrived for the time to live: nobody has to tell us that it is over. */
static enum err
lease_ran_out(struct remote *r, const char *function, struct error *err)
{
	char last[32], cause[sizeof(err->msg)];
	const struct error why = *err;

	(void)text_printf(cause, sizeof(cause),
			  "no keep-alive has reached %s since %s, for longer than the snapshot "
			  "timeout of %" PRIu64 " s: %s",
			  r->name, clock_format_utc(atomic_load(&r->kept_wall_ns), last),
			  atomic_load(&r->ttl_ns) / NS_PER_S, err->msg);
	word_lease_ended(function, cause, err);
	eventlog_add(r->events, EVENT_KEEP_GIVEN_UP, r->job,
		     "ttl_s=%" PRIu64 " since_ms=%" PRIu64 " error=%s",
		     atomic_load(&r->ttl_ns) / NS_PER_S,
		     (clock_wall_ns() - atomic_load(&r->kept_wall_ns)) / NS_PER_MS, why.msg);
	end_lease(r, err);
	return err->code;
}

/* What the agent remembers of the lease, in its own times. */
static void
describe(const json_t *lease, const char *message, char text[512])
{
	const char *end = json_string_value(json_object_get(lease, "End"));
	const char *kept = json_string_value(json_object_get(lease, "LastKeep"));
	const char *ended = json_string_value(json_object_get(lease, "Ended"));
	json_int_t ttl = json_integer_value(json_object_get(lease, "TTL"));
	char now[32];

	if (end == NULL || kept == NULL || ended == NULL)
		(void)text_printf(text, 512, "%s", message);
	else
		(void)text_printf(
			text, 512,
			"%s (%s: last keep-alive %s, snapshot timeout %lld s, ended %s by "
			"the guest's clock; this call %s by ours)",
			message, end, kept, (long long)ttl, ended,
			clock_format_utc(clock_wall_ns(), now));
}

enum err
guest_remote_refused(struct remote *r, const char *function, unsigned status, struct slice body,
		     struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	struct error e = ERROR_INIT, bad = ERROR_INIT;
	char cause[512];

	if (json_parse(body, "a reply", &reply, &bad) < 0 ||
	    error_json_unpack(json_object_get(reply, "error"), &e, &bad) < 0)
		return error_set(err, ERR_PROTOCOL, "%s answered %s with status %u", r->name,
				 function, status);
	if (e.code == ERR_LEASE_ENDED) {
		describe(json_object_get(json_object_get(reply, "error"), "lease"), e.msg, cause);
		word_lease_ended(function, cause, err);
		if (e.hint[0] != '\0')
			(void)error_hint(err, "%s", e.hint);
		/* Unless it is none of this job's. */
		if (r->job[0] != '\0' &&
		    (!atomic_load(&r->finishing) || strncmp(function, "Keep", 4) != 0))
			end_lease(r, err);
		return err->code;
	}
	*err = e;
	return error_prefix(err, "%s: %s", r->name, function);
}

/* Connections --------------------------------------------------------------------------------- */

void
guest_remote_up(struct remote *r, struct remote_link *link)
{
	char time[32];

	(void)pthread_mutex_lock(&r->lock);
	if (link->down) {
		link->down = false;
		if (r->outage) {
			r->outage = false;
			format_left(clock_boot_ns() - r->down_ns, time);
			note_locked(r, "connected to %s again after %s", r->name, time);
			eventlog_add(r->events, EVENT_AGENT_REACHED_AGAIN, r->job,
				     "agent=%s away_ms=%" PRIu64, r->name,
				     (clock_boot_ns() - r->down_ns) / NS_PER_MS);
		}
	}
	(void)pthread_mutex_unlock(&r->lock);
	say_if_driving(r);
}

static void
tell_down(struct remote *r, struct remote_link *link, const struct error *why)
{
	uint64_t now = clock_boot_ns(), end = atomic_load(&r->lease_end_ns);
	char left[32];

	(void)pthread_mutex_lock(&r->lock);
	if (!link->down) {
		link->down = true;
		if (!r->outage) {
			r->outage = true;
			r->down_ns = now;
			r->told_ns = 0;
			eventlog_add(r->events, EVENT_AGENT_UNREACHABLE, r->job,
				     "agent=%s error=%s", r->name, why->msg);
		}
	}
	if (r->outage && (r->told_ns == 0 || now - r->told_ns >= TELL_EVERY_S * NS_PER_S)) {
		format_left(end > now ? end - now : 0, left);
		note_locked(r, "connection to %s lost (%s); trying again, lease ends in %s",
			    r->name, why->msg, left);
		r->told_ns = now;
	}
	(void)pthread_mutex_unlock(&r->lock);
	say_if_driving(r);
}

/* A little longer each time, and no longer than the lease. */
static void
pause_for(struct remote *r, unsigned tries, uint64_t until_ns)
{
	uint64_t ms = tries < 5 ? (uint64_t)WAIT_MS_MIN << tries : WAIT_MS_MAX;
	uint64_t end = MIN(clock_boot_ns() + ms * NS_PER_MS, until_ns);
	struct timespec at;

	(void)pthread_mutex_lock(&r->lock);
	for (uint64_t now; (now = clock_boot_ns()) < end && !atomic_load(&r->cancelled) &&
			   r->ended.code == OK && !atomic_load(&r->closing);) {
		(void)clock_gettime(CLOCK_MONOTONIC, &at);
		uint64_t ns = (uint64_t)at.tv_nsec + (end - now);
		at.tv_sec += (time_t)(ns / NS_PER_S);
		at.tv_nsec = (long)(ns % NS_PER_S);
		(void)pthread_cond_timedwait(&r->wake, &r->lock, &at);
	}
	(void)pthread_mutex_unlock(&r->lock);
}

int
guest_remote_again(struct remote *r, struct remote_link *link, const char *function, unsigned tries,
		   struct error *err)
{
	uint64_t end = atomic_load(&r->lease_end_ns);

	if (err->code != ERR_AGENT_LOST && err->code != ERR_TIMEOUT)
		return err->code;
	if (atomic_load(&r->ttl_ns) == 0)
		return err->code;
	tell_down(r, link, err);
	if (clock_boot_ns() < end)
		pause_for(r, tries, end);
	if (atomic_load(&r->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	struct error ended = ERROR_INIT;
	if (guest_remote_check(r, &ended) < 0) {
		*err = ended;
		return err->code;
	}
	/* A keep-alive on another connection may have come through meanwhile. */
	if (clock_boot_ns() >= atomic_load(&r->lease_end_ns))
		return lease_ran_out(r, function, err);
	return 1;
}

/* Calls --------------------------------------------------------------------------------------- */

json_t *
guest_remote_identity(const struct remote *r, bool with_set)
{
	if (with_set && r->set[0] != '\0')
		return json_pack("{s:s, s:s, s:I}", "JobId", r->job, "SetId", r->set, "Epoch",
				 (json_int_t)r->epoch);
	return json_pack("{s:s}", "JobId", r->job);
}

static int
make_body(struct remote *r, const struct remote_call *call, uint64_t hold_ms,
	  const char *request_id, struct buf *body, struct error *err)
{
	CLEAN(json_done)
	json_t *json = r->job[0] != '\0' ? guest_remote_identity(r, call->names_set)
					 : json_object();

	if (json == NULL || (call->args != NULL && json_object_update(json, call->args) < 0))
		return error_no_memory(err);
	if (call->order &&
	    (json_object_set_new(json, "RequestId", json_string(request_id)) < 0 ||
	     json_object_set_new(json, "Hold", json_integer((json_int_t)hold_ms)) < 0))
		return error_no_memory(err);
	body->n = 0;
	return json_write(json, body, err);
}

static int
try_once(struct remote *r, struct remote_link *link, const struct remote_call *call,
	 struct slice body, uint64_t silence_ns, unsigned *ret_status, json_t **ret,
	 struct error *err)
{
	CLEAN(buf_done) struct buf reply = BUF_INIT(REMOTE_REPLY_MAX);
	char path[80];

	(void)snprintf(path, sizeof(path), "/v1/%s", call->function);
	const struct http_request request = {
		.path = path,
		.body = body,
		.deadline_ns = call->attempt_ns != 0 ? clock_boot_ns() + call->attempt_ns
						     : UINT64_MAX,
		.silence_ns = silence_ns,
		.reply_max = REMOTE_REPLY_MAX,
	};
	if (http_post(link->http, &request, ret_status, &reply, err) < 0)
		return err->code;
	guest_remote_up(r, link);
	if (*ret_status != 200 && *ret_status != 202)
		return guest_remote_refused(r, call->function, *ret_status, buf_slice(&reply), err);
	return json_parse(buf_slice(&reply), "a reply", ret, err);
}

/* Still at work over there: say at what, and keep the lease that the order may have begun. */
static void
still_running(struct remote *r, const json_t *reply, char phase[REMOTE_NOTE_MAX])
{
	const json_t *running = json_object_get(reply, "Running");
	const char *text = json_string_value(json_object_get(running, "Phase"));
	struct error ignored = ERROR_INIT;

	if (text != NULL && text[0] != '\0' && strcmp(text, phase) != 0) {
		(void)text_printf(phase, REMOTE_NOTE_MAX, "%s", text);
		text_without_controls(phase);
		if (pthread_equal(r->driver, pthread_self()) && r->base.say != NULL)
			r->base.say(r->base.say_arg, phase);
	}
	if (r->set[0] == '\0' && atomic_load(&r->ttl_ns) != 0)
		(void)!r->base.ops->keep(&r->base, atomic_load(&r->ttl_ns), &ignored);
}

static int
new_request_id(char text[UUID_TEXT_SIZE], struct error *err)
{
	uint8_t id[UUID_SIZE];

	if (crypto_random(id, sizeof(id), err) < 0)
		return err->code;
	(void)uuid_text(id, text);
	return OK;
}

int
guest_remote_ask(struct remote *r, struct remote_link *link, const struct remote_call *call,
		 json_t **ret, struct error *err)
{
	CLEAN(buf_done) struct buf body = BUF_INIT(BODY_MAX);
	char request_id[UUID_TEXT_SIZE] = "", phase[REMOTE_NOTE_MAX] = "";
	uint64_t patience = guest_remote_patience(r);
	uint64_t hold_ms = MIN(patience / NS_PER_MS / 2, (uint64_t)HOLD_MS_MAX);
	uint64_t silence = patience + (call->order ? hold_ms * NS_PER_MS : 0);
	unsigned tries = 0;

	if (call->order && new_request_id(request_id, err) < 0)
		return err->code;
	for (;;) {
		CLEAN(json_done) json_t *reply = NULL;
		unsigned status = 0;

		if (make_body(r, call, hold_ms, request_id, &body, err) < 0)
			return err->code;
		int rc = try_once(r, link, call, buf_slice(&body), silence, &status, &reply, err);
		if (rc == OK && status == 202 && call->order) {
			tries = 0;
			still_running(r, reply, phase);
			continue;
		}
		if (rc == OK) {
			*ret = STEAL_PTR(reply);
			return OK;
		}
		if (call->once || guest_remote_again(r, link, call->function, tries++, err) != 1)
			return err->code;
	}
}

int
guest_remote_open_links(struct remote *r, struct error *err)
{
	for (unsigned i = 0; i < r->connections; i++)
		if (http_open(r->place, &r->data[i].http, err) < 0)
			return err->code;
	if (http_open(r->place, &r->control.http, err) < 0 ||
	    http_open(r->place, &r->keeper.http, err) < 0 ||
	    http_open(r->place, &r->stream.http, err) < 0)
		return err->code;
	return OK;
}
