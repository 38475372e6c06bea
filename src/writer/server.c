/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The loop of a writer program: wait for a request, for the application, or for the next look at
 * it. Every way out of the loop goes through the same end: if anything may still be held, abort.
 */
#include "writer/server.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "writer/lines.h"
#include "writer/state.h"
#include "writer/wire.h"

#define REPLY_LIMIT_NS (30 * NS_PER_S)
#define EVENT_LIMIT_NS (15 * 60 * NS_PER_S) /* where the request says nothing */
#define ABORT_LIMIT_NS (5 * NS_PER_S)

struct server {
	const struct writer_ops *ops;
	void *self;
	int in, out;
	struct lines lines;
	struct state state;
	json_int_t last_seq;
	uint64_t next_tick_ns;
};

static writer_event_fn *
op_of(const struct writer_ops *ops, enum writer_event event)
{
	switch (event) {
	case EVENT_START:
		return ops->start;
	case EVENT_IDENTIFY:
		return ops->identify;
	case EVENT_PREPARE_BACKUP:
		return ops->prepare_backup;
	case EVENT_PREPARE_SNAPSHOT:
		return ops->prepare_snapshot;
	case EVENT_FREEZE:
		return ops->freeze;
	case EVENT_THAW:
		return ops->thaw;
	case EVENT_POST_SNAPSHOT:
		return ops->post_snapshot;
	case EVENT_POST_COPY:
		return ops->post_copy;
	case EVENT_BACKUP_COMPLETE:
		return ops->backup_complete;
	case EVENT_ABORT:
		return ops->abort;
	case EVENT_PRE_RESTORE:
		return ops->pre_restore;
	case EVENT_POST_RESTORE:
		return ops->post_restore;
	case EVENT_NONE:
		break;
	}
	return NULL;
}

static int
send_line(struct server *s, json_t *line, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(WIRE_LARGE_MAX + 1);

	int rc = json_write(line, &b, err);
	if (rc == OK)
		rc = buf_u8(&b, '\n', err);
	if (rc < 0)
		return rc;
	return lines_write(s->out, buf_slice(&b), clock_boot_ns() + REPLY_LIMIT_NS, err);
}

/* Set state and error; seq 0: unsolicited. Consumes nothing of `line`. */
static int
answer(struct server *s, json_t *line, json_int_t seq, const struct error *failure,
       struct error *err)
{
	int bad = seq > 0 ? json_object_set_new(line, "seq", json_integer(seq)) : 0;

	bad |= json_object_set_new(line, "state", json_integer((json_int_t)s->state.shown));
	bad |= json_object_set_new(line, "error",
				   failure != NULL ? wire_error_pack(failure) : json_null());
	if (bad != 0)
		return error_no_memory(err);
	return send_line(s, line, err);
}

static int
answer_failure(struct server *s, json_int_t seq, const struct error *failure, struct error *err)
{
	CLEAN(json_done) json_t *line = json_object();

	if (line == NULL)
		return error_no_memory(err);
	return answer(s, line, seq, failure, err);
}

/* `start` is ours as much as the writer's: the version of the protocol must fit before any other
 * field is believed. */
static int
check_version(const json_t *body, json_t *reply, const char *name, struct error *err)
{
	uint64_t version;

	int rc = json_get_u64(body, "protocol", &version, err);
	if (rc < 0)
		return rc;
	if (version != WIRE_PROTOCOL)
		return error_set(err, ERR_PROTOCOL,
				 "protocol %llu is asked for, this writer speaks %d",
				 (unsigned long long)version, WIRE_PROTOCOL);
	if (json_object_set_new(reply, "protocol", json_integer(WIRE_PROTOCOL)) < 0 ||
	    json_object_set_new(reply, "name", json_string(name)) < 0)
		return error_no_memory(err);
	return OK;
}

static int
call(struct server *s, enum writer_event event, const struct writer_request *request, json_t *reply,
     struct error *err)
{
	writer_event_fn *op = op_of(s->ops, event);

	if (event == EVENT_START) {
		int rc = check_version(request->body, reply, s->ops->name, err);
		if (rc < 0)
			return rc;
	}
	return op != NULL ? op(s->self, request, reply, err) : OK;
}

/* Run an event that came as `body` and answer it. An error here means that no answer could be
 * given. */
static int
serve_event(struct server *s, enum writer_event event, json_int_t seq, const json_t *body,
	    struct error *err)
{
	CLEAN(json_done) json_t *reply = json_object();
	struct error failure = ERROR_INIT;
	uint64_t limit_ms;

	if (reply == NULL)
		return error_no_memory(err);
	int rc = json_opt_u64(body, "timeout_ms", EVENT_LIMIT_NS / NS_PER_MS, &limit_ms, err);
	if (rc < 0)
		return rc;
	if (!state_accepts(&s->state, event)) {
		(void)error_set(&failure, ERR_BAD_STATE, "'%s' cannot come now: the writer is '%s'",
				state_event_name(event), state_text(s->state.shown));
		return answer_failure(s, seq, &failure, err);
	}

	struct writer_request request = {
		.body = body,
		.deadline_ns = clock_boot_ns() + MIN(limit_ms, (uint64_t)INT_MAX) * NS_PER_MS,
		.requester_fd = s->in,
	};
	if (call(s, event, &request, reply, &failure) < 0) {
		state_failed(&s->state, event);
		s->next_tick_ns = UINT64_MAX;
		return answer_failure(s, seq, &failure, err);
	}
	state_done(&s->state, event);
	s->next_tick_ns = clock_boot_ns();
	return answer(s, reply, seq, NULL, err);
}

static int
serve_line(struct server *s, struct slice line, struct error *err)
{
	CLEAN(json_done) json_t *body = NULL;
	const char *name;
	uint64_t seq;

	int rc = wire_parse(line, &body, err);
	if (rc < 0)
		return rc;
	if (json_get_u64(body, "seq", &seq, err) < 0 || json_get_str(body, "event", &name, err) < 0)
		return ERR_PROTOCOL;
	if ((json_int_t)seq <= s->last_seq)
		return error_set(err, ERR_PROTOCOL, "sequence number %llu after %lld",
				 (unsigned long long)seq, (long long)s->last_seq);
	s->last_seq = (json_int_t)seq;
	enum writer_event event = state_event_find(name);
	if (event == EVENT_NONE)
		return error_set(err, ERR_PROTOCOL, "unknown event '%s'", name);
	return serve_event(s, event, (json_int_t)seq, body, err);
}

/* Serve the lines that are here. */
static int
serve_input(struct server *s, struct error *err)
{
	struct slice line;

	int rc = lines_fill(&s->lines, s->in, err);
	while (rc >= 0) {
		rc = lines_next(&s->lines, WIRE_LARGE_MAX, &line, err);
		if (rc <= 0)
			return rc;
		rc = serve_line(s, line, err);
	}
	return rc;
}

static int
look_after(struct server *s, struct error *err)
{
	struct error failure = ERROR_INIT;

	s->next_tick_ns = UINT64_MAX;
	if (s->ops->tick == NULL || s->state.phase == PHASE_FAILED)
		return OK;
	if (s->ops->tick(s->self, &s->next_tick_ns, &failure) == OK)
		return OK;
	s->next_tick_ns = UINT64_MAX;
	state_lost(&s->state);
	return answer_failure(s, 0, &failure, err);
}

/* Wait for whichever comes first, and serve it. */
static int
turn(struct server *s, struct error *err)
{
	struct pollfd p[2] = {{.fd = s->in, .events = POLLIN}, {.fd = -1, .events = POLLIN}};

	if (s->ops->poll_fd != NULL && s->state.phase != PHASE_FAILED)
		p[1].fd = s->ops->poll_fd(s->self);
	if (poll(p, ARRAY_SIZE(p), clock_left_ms(s->next_tick_ns)) < 0)
		return errno == EINTR ? OK : error_sys(err, ERR_IO, "wait for a request");

	if (p[1].revents != 0 || clock_boot_ns() >= s->next_tick_ns) {
		int rc = look_after(s, err);
		if (rc < 0)
			return rc;
	}
	return p[0].revents != 0 ? serve_input(s, err) : OK;
}

static void
undo(struct server *s)
{
	CLEAN(json_done) json_t *nothing = json_object();
	struct writer_request request = {
		.body = nothing,
		.deadline_ns = clock_boot_ns() + ABORT_LIMIT_NS,
		.requester_fd = -1,
	};

	/* The best that can be done; when the process ends, its sessions end, too. */
	if (nothing != NULL && state_holds(&s->state))
		(void)!s->ops->abort(s->self, &request, nothing, NULL);
}

int
server_run(const struct writer_ops *ops, void *self, int in, int out, struct error *err)
{
	struct server s = {
		.ops = ops,
		.self = self,
		.in = in,
		.out = out,
		.state = STATE_INIT,
		.next_tick_ns = UINT64_MAX,
	};
	int rc = OK;

	lines_init(&s.lines, WIRE_LARGE_MAX);
	while (rc == OK && !s.lines.eof)
		rc = turn(&s, err);
	if (rc < 0 && err != NULL) {
		state_lost(&s.state);
		(void)!answer_failure(&s, 0, err, NULL);
	}
	undo(&s);
	lines_done(&s.lines);
	return rc;
}
