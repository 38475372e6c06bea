/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The loop's end of a job's mover: MoveData's stream of lines, which can be lost and taken up again, and the
 * data connections, which fetch what the outbox holds.
 */
#include <string.h>

#include "agent/service_move.h"
#include "base/clock.h"
#include "base/error_json.h"
#include "base/eventlog.h"

enum { STREAM_HIGH = 256 << 10, MEMORY_OUTBOX = 0 };

/* ---- the stream ------------------------------------------------------------------------------- */

static json_t *
show_progress(const struct move *m)
{
	const struct progress *p = &m->progress;
	const struct job *job = m->job;
	uint64_t now = clock_boot_ns();
	json_t *j = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "type", "progress",
		"elapsed_ms", (json_int_t)((now - m->begun_ns) / NS_PER_MS), "left_ms",
		(json_int_t)(job->deadline_ns > now ? (job->deadline_ns - now) / NS_PER_MS : 0),
		"files_done", (json_int_t)atomic_load(&p->files_done), "bytes_done",
		(json_int_t)atomic_load(&p->bytes_done), "files_new",
		(json_int_t)atomic_load(&p->files_new), "files_changed",
		(json_int_t)atomic_load(&p->files_changed), "files_unchanged",
		(json_int_t)atomic_load(&p->files_unchanged), "dirs",
		(json_int_t)atomic_load(&p->dirs), "bytes_stored",
		(json_int_t)atomic_load(&p->bytes_stored));

	if (j != NULL && atomic_load(&p->total_known)) {
		(void)json_object_set_new(j, "bytes_total",
					  json_integer((json_int_t)atomic_load(&p->bytes_total)));
		(void)json_object_set_new(j, "files_total",
					  json_integer((json_int_t)atomic_load(&p->files_total)));
	}
	return j;
}

static void
put(struct request *r, json_t *line)
{
	request_stream_line(r, line);
	json_decref(line);
}

static uint64_t
oldest_seq(const struct move *m)
{
	return m->last_seq > MOVE_LINES_MAX ? m->last_seq - MOVE_LINES_MAX + 1 : 1;
}

/* Tell the listener what it has not been told, as much as it takes. */
static void
flow(struct move *m)
{
	struct request *r = m->stream;

	if (r == NULL)
		return;
	if (m->told_seq + 1 < oldest_seq(m)) {
		uint64_t lost = oldest_seq(m) - m->told_seq - 1;

		put(r, json_pack("{s:s, s:I}", "type", "skipped", "lines", (json_int_t)lost));
		m->told_seq += lost;
	}
	while (m->told_seq < m->last_seq && request_stream_waiting(r) < STREAM_HIGH)
		request_stream_line(r, m->lines[++m->told_seq % MOVE_LINES_MAX]);
	if (!m->done || m->told_seq < m->last_seq)
		return;
	m->stream = NULL;
	put(r, show_progress(m));
	if (m->error != NULL)
		put(r, json_pack("{s:s, s:O}", "type", "error", "error", m->error));
	else
		put(r, json_pack("{s:s, s:O}", "type", "result", "result", m->result));
	service_log(r->service, LOG_LEVEL_INFO, "RPC: MoveData. %s",
		    m->error != NULL ? "Failed." : "Ok.");
	request_stream_end(r);
}

static void
stream_drained(struct request *r)
{
	flow(r->owner);
}

static void
stream_lost(struct request *r)
{
	struct move *m = r->owner;

	service_log(r->service, LOG_LEVEL_WARN, "Connection of MoveData lost. JobId: %s",
		    m->job->id_text);
	m->stream = NULL;
	m->lost_ns = clock_boot_ns();
	eventlog_add(r->service->options->session.events, EVENT_REQUESTER_DISCONNECTED,
		     m->job->id_text, "left_ms=%u peer=%s",
		     m->job->deadline_ns > m->lost_ns
			     ? (unsigned)((m->job->deadline_ns - m->lost_ns) / NS_PER_MS)
			     : 0U,
		     r->peer.name);
	request_stream_end(r); /* frees it */
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct move *m = arg;

	(void)fd, (void)what;
	if (m->stream != NULL && !m->done && request_stream_waiting(m->stream) < STREAM_HIGH)
		put(m->stream, show_progress(m));
}

static void
add_line(struct move *m, json_t *line)
{
	json_t **at;

	if (line == NULL)
		return;
	(void)json_object_set_new(line, "seq", json_integer((json_int_t)++m->last_seq));
	at = &m->lines[m->last_seq % MOVE_LINES_MAX];
	json_decref(*at);
	*at = line;
	flow(m);
}

struct line_post {
	struct service_post post;
	struct move *move;
	json_t *line;
};

static void
line_arrived(struct service_post *post)
{
	struct line_post *p = CONTAINER_OF(post, struct line_post, post);

	add_line(p->move, p->line);
	free(p);
}

void
service_move_say(struct move *m, json_t *line)
{
	struct line_post *p = calloc(1, sizeof(*p));

	if (p == NULL || line == NULL) {
		json_decref(line);
		free(p);
		return;
	}
	*p = (struct line_post){.move = m, .line = line};
	service_post(m->job->service, &p->post, line_arrived);
}

void
service_move_phase(struct job *job, const char *text)
{
	if (job->move != NULL)
		add_line(job->move, json_pack("{s:s, s:s}", "type", "phase", "text", text));
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static void outbox_ready(void *arg);

static int
begin(struct request *r, struct job *job, struct error *err)
{
	const struct timeval second = {.tv_sec = 1};
	json_t *asked = json_object_get(r->json, "Order");
	const char *store = json_string_value(json_object_get(asked, "store"));
	struct move *m;
	struct order *o;

	if (asked == NULL)
		return error_set(err, ERR_USAGE, "the first MoveData of a job needs an 'Order'");
	if (store == NULL)
		return error_set(err, ERR_USAGE, "field 'store' of 'Order' is missing");
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return error_no_memory(err);
	job->move = m;
	m->job = job;
	m->asked = json_incref(asked);
	m->begun_ns = clock_boot_ns();
	TAILQ_INIT(&m->waiting);
	m->tick = event_new(job->service->base, -1, EV_PERSIST, on_tick, m);
	if (m->tick == NULL || event_add(m->tick, &second) < 0) {
		(void)error_no_memory(err);
		goto fail;
	}
	if (strcmp(store, "outbox") == 0) {
		const struct outbox_options options = {.memory_max = MEMORY_OUTBOX};

		if (outbox_open(&options, &m->outbox, err) < 0)
			goto fail;
		outbox_set_ready(m->outbox, outbox_ready, m);
	}
	if (service_job_add_order(job, API_MOVE_DATA, r->json, &o, err) == OK)
		return OK;
fail:
	service_move_free(job);
	return err->code;
}

void
service_move_request(struct request *r)
{
	struct error err = ERROR_INIT;
	struct job *job = service_job_of(r);
	bool resumed;
	struct move *m;

	if (job == NULL)
		return;
	resumed = job->move != NULL;
	if (!resumed && begin(r, job, &err) < 0) {
		request_fail(r, &err);
		return;
	}
	m = job->move;
	if (m->stream != NULL) {
		struct request *old = m->stream;

		m->stream = NULL;
		old->lost = NULL;
		put(old, json_pack("{s:s}", "type", "superseded"));
		request_stream_end(old);
	}
	service_log(r->service, LOG_LEVEL_INFO, "Move data. JobId: %s%s", job->id_text,
		    resumed ? ", again" : "");
	if (m->lost_ns != 0)
		eventlog_add(r->service->options->session.events, EVENT_REQUESTER_RECONNECTED,
			     job->id_text, "away_ms=%u peer=%s",
			     (unsigned)((clock_boot_ns() - m->lost_ns) / NS_PER_MS), r->peer.name);
	m->lost_ns = 0;
	r->owner = m;
	r->lost = stream_lost;
	r->drained = stream_drained;
	m->stream = r;
	m->told_seq = MIN(request_number(r, "After", 0), m->last_seq);
	request_stream_begin(r);
	put(r, json_pack("{s:s, s:s, s:b}", "type", "attached", "phase", job->phase, "resumed",
			 resumed ? 1 : 0));
	flow(m);
}

static void tell_exchanges(struct move *m);

void
service_move_done(struct order *o)
{
	struct move *m = o->job->move;

	m->done = true;
	(void)event_del(m->tick);
	if (o->error.code != OK) {
		m->error = error_json_pack(&o->error);
		if (m->error != NULL)
			(void)json_object_set_new(m->error, "function", json_string("MoveData"));
		if (m->error != NULL && o->error.code == ERR_LEASE_ENDED)
			(void)json_object_set_new(m->error, "lease",
						  service_ended_show(&o->job->lease));
		if (m->outbox != NULL)
			outbox_end(m->outbox, &o->error);
	} else {
		m->result = json_incref(o->reply);
	}
	if (m->outbox != NULL)
		outbox_close(m->outbox);
	tell_exchanges(m);
	flow(m);
}

void
service_move_cancel(struct job *job, const struct error *why)
{
	struct move *m = job->move;

	if (m == NULL)
		return;
	atomic_store(&m->progress.cancelled, true);
	if (m->outbox != NULL)
		outbox_end(m->outbox, why);
}

bool
service_move_running(const struct job *job)
{
	return job->move != NULL && !job->move->done;
}

void
service_move_free(struct job *job)
{
	struct move *m = job->move;
	struct request *r;

	if (m == NULL)
		return;
	job->move = NULL;
	if (m->stream != NULL) {
		m->stream->lost = NULL;
		request_stream_end(m->stream);
	}
	while ((r = TAILQ_FIRST(&m->waiting)) != NULL) {
		TAILQ_REMOVE(&m->waiting, r, next);
		r->lost = NULL;
		request_reply(r, 503, NULL);
	}
	if (m->outbox != NULL)
		outbox_set_ready(m->outbox, NULL, NULL);
	outbox_free(m->outbox);
	if (m->tick != NULL)
		event_free(m->tick);
	for (size_t i = 0; i < MOVE_LINES_MAX; i++)
		json_decref(m->lines[i]);
	json_decref(m->asked);
	json_decref(m->result);
	json_decref(m->error);
	free(m);
}

/* ---- data connections ------------------------------------------------------------------------- */

/* Its name in the outbox: the requester's, or the connection's own, out of the way of those. */
static uint64_t
conn_name(const struct request *r)
{
	return request_number(r, "Connection", request_conn_id(r) + (UINT64_C(1) << 54));
}

/* True if it was answered. */
static bool
try_exchange(struct move *m, struct request *r, bool hold)
{
	CLEAN(buf_done) struct buf frame = BUF_INIT(5 << 20);
	struct error err = ERROR_INIT;
	int next = outbox_next(m->outbox, conn_name(r), &frame, &err);

	if (next == 0 && hold)
		return false;
	if (next < 0)
		request_fail(r, &err);
	else
		request_reply_bytes(r, &frame);
	return true;
}

static void
leave_exchange(struct move *m, struct request *r)
{
	TAILQ_REMOVE(&m->waiting, r, next);
	r->lost = NULL;
}

static void
exchange_held_out(struct request *r)
{
	struct move *m = r->owner;

	leave_exchange(m, r);
	(void)try_exchange(m, r, false);
}

static void
exchange_lost(struct request *r)
{
	leave_exchange(r->owner, r);
	request_reply(r, 503, NULL); /* frees it */
}

static void
tell_exchanges(struct move *m)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&m->waiting)) != NULL) {
		leave_exchange(m, r);
		if (try_exchange(m, r, true))
			continue;
		r->lost = exchange_lost;
		TAILQ_INSERT_HEAD(&m->waiting, r, next);
		return;
	}
}

static void
outbox_woke(struct service_post *post)
{
	struct move *m = CONTAINER_OF(post, struct move, ready_post);

	atomic_store(&m->ready_posted, false);
	tell_exchanges(m);
}

/* Any thread, under the outbox's lock. */
static void
outbox_ready(void *arg)
{
	struct move *m = arg;

	if (!atomic_exchange(&m->ready_posted, true))
		service_post(m->job->service, &m->ready_post, outbox_woke);
}

void
service_move_exchange(struct request *r)
{
	struct error err = ERROR_INIT;
	struct job *job = service_job_of(r);
	const json_t *answer;
	struct move *m;

	if (job == NULL)
		return; /* r was answered, and is gone */
	answer = json_object_get(r->json, "Answer");
	m = job->move;
	if (m == NULL || m->outbox == NULL)
		(void)error_set(&err, ERR_BAD_STATE, "no MoveData with an outbox is under way");
	else if (json_is_object(answer))
		(void)!outbox_answer(m->outbox, answer, r->data, &err);
	if (err.code != OK) {
		request_fail(r, &err);
		return;
	}
	if (r->conn != NULL) {
		r->conn->exchange_conn = conn_name(r);
		memcpy(r->conn->exchange_job, job->id, UUID_SIZE);
	}
	buf_done(&r->body);
	if (try_exchange(m, r, true))
		return;
	r->owner = m;
	r->lost = exchange_lost;
	TAILQ_INSERT_TAIL(&m->waiting, r, next);
	if (request_hold(r, request_number(r, "Hold", 1000), exchange_held_out, &err) < 0)
		exchange_held_out(r);
}

void
service_move_conn_lost(struct service *s, struct conn *c)
{
	struct job *job = c->exchange_conn != 0 ? service_job_find(s, c->exchange_job) : NULL;

	if (job != NULL && job->move != NULL && job->move->outbox != NULL)
		outbox_lost(job->move->outbox, c->exchange_conn);
}
