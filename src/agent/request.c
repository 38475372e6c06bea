/* SPDX-License-Identifier: Apache-2.0 */

/* Answers: whole ones, and streams. */
#include <event2/buffer.h>

#include "agent/service_internal.h"
#include "base/error_json.h"
#include "base/json.h"

enum {
	REPLY_MAX = 64 << 20,
	WRITE_LOW = 64 << 10, /* below that a stream may go on */
};

static void
request_free(struct request *r)
{
	request_hold_end(r);
	json_decref(r->json);
	service_route_body_done(r);
	free(r);
}

static struct conn *
take_conn(struct request *r)
{
	struct conn *c = r->conn;

	r->conn = NULL;
	return c;
}

void
request_reply(struct request *r, int status, json_t *json)
{
	CLEAN(json_done) json_t *j = json;
	CLEAN(buf_done) struct buf text = BUF_INIT(REPLY_MAX);
	struct conn *c = take_conn(r);

	request_free(r);
	if (c == NULL)
		return;
	if (j == NULL || json_write(j, &text, NULL) < 0 || buf_u8(&text, '\n', NULL) < 0) {
		c->request = NULL;
		service_conn_refuse(c, 503, ERR_NO_MEMORY, "out of memory");
		return;
	}
	service_conn_head(c, status, "application/json", text.n, c->close);
	(void)evbuffer_add(bufferevent_get_output(c->bev), text.p, text.n);
	service_conn_answered(c);
}

void
request_fail_ended(struct request *r, const struct error *e, const struct ended *lease)
{
	const char *name = api_table_of(r->function)->name;
	json_t *error = error_json_pack(e);
	json_t *j;

	service_log(r->service, e->code == ERR_LEASE_ENDED ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
		    "RPC: %s. Failed: 0x%08x %s", name, error_hresult(e->code), e->msg);
	if (error != NULL)
		(void)json_object_set_new(error, "function", json_string(name));
	if (error != NULL && e->code == ERR_LEASE_ENDED)
		(void)json_object_set_new(error, "lease", service_ended_show(lease));
	j = json_pack("{s:o}", "error", error);
	request_reply(r, http_status_of(e->code), j);
}

void
request_fail(struct request *r, const struct error *e)
{
	request_fail_ended(r, e, NULL);
}

static void
free_bytes(const void *data, size_t n, void *arg)
{
	(void)data, (void)n;
	free(arg);
}

void
request_reply_bytes(struct request *r, struct buf *bytes)
{
	struct conn *c = take_conn(r);

	request_free(r);
	if (c == NULL)
		return;
	service_conn_head(c, 200, "application/octet-stream", bytes->n, c->close);
	/* Megabytes: handed over, not copied. */
	if (bytes->n > 0 && evbuffer_add_reference(bufferevent_get_output(c->bev), bytes->p,
						   bytes->n, free_bytes, bytes->p) == 0)
		*bytes = BUF_INIT(bytes->max);
	service_conn_answered(c);
}

void
request_stream_begin(struct request *r)
{
	struct conn *c = r->conn;

	if (c == NULL)
		return;
	c->state = CONN_STREAM;
	(void)evtimer_del(c->timer);
	bufferevent_setwatermark(c->bev, EV_WRITE, WRITE_LOW, 0);
	(void)evbuffer_add_printf(bufferevent_get_output(c->bev),
				  "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
				  "Transfer-Encoding: chunked\r\nCache-Control: no-store\r\n"
				  "Connection: close\r\n\r\n");
}

void
request_stream_line(struct request *r, const json_t *line)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(REPLY_MAX);
	struct conn *c = r->conn;

	if (c == NULL || line == NULL || json_write(line, &text, NULL) < 0 ||
	    buf_u8(&text, '\n', NULL) < 0)
		return;
	struct evbuffer *out = bufferevent_get_output(c->bev);
	if (evbuffer_get_length(out) == 0)
		service_conn_written(c);
	(void)evbuffer_add_printf(out, "%zx\r\n", text.n);
	(void)evbuffer_add(out, text.p, text.n);
	(void)evbuffer_add(out, "\r\n", 2);
}

size_t
request_stream_waiting(const struct request *r)
{
	return r->conn != NULL ? evbuffer_get_length(bufferevent_get_output(r->conn->bev)) : 0;
}

void
request_stream_end(struct request *r)
{
	struct conn *c = take_conn(r);

	request_free(r);
	if (c == NULL)
		return;
	c->request = NULL;
	(void)evbuffer_add(bufferevent_get_output(c->bev), "0\r\n\r\n", 5);
	bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
	(void)bufferevent_disable(c->bev, EV_READ);
	c->state = CONN_CLOSING;
	service_conn_timer(c, SERVICE_TAKE_S);
}

static void
hold_over(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd, (void)what;
	r->held_out(r);
}

int
request_hold(struct request *r, uint64_t ms, void (*held_out)(struct request *r), struct error *err)
{
	const struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
				   .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	r->held_out = held_out;
	r->hold = evtimer_new(r->service->base, hold_over, r);
	if (r->hold == NULL || evtimer_add(r->hold, &tv) < 0)
		return error_no_memory(err);
	return OK;
}

void
request_hold_end(struct request *r)
{
	if (r->hold != NULL)
		event_free(r->hold);
	r->hold = NULL;
}

uint64_t
request_number(const struct request *r, const char *field, uint64_t fallback)
{
	const json_t *v = json_object_get(r->json, field);

	return v != NULL ? (uint64_t)json_integer_value(v) : fallback;
}

const char *
request_text(const struct request *r, const char *field)
{
	return json_string_value(json_object_get(r->json, field));
}

uint64_t
request_conn_id(const struct request *r)
{
	return r->conn != NULL ? r->conn->id : 0;
}
