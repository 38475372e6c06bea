/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One connection: a request, its reply, the next request. Every state has a time that ends it, counted from
 * when it began and not from the last byte, so that nobody stays by trickling.
 *
 *	HANDSHAKE -> HEAD -> BODY -> WORKING -> HEAD ...
 *	                              `-> STREAM -> CLOSING
 *	any refusal -> CLOSING (what was written is flushed, then closed)
 */
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <inttypes.h>
#include <string.h>

#include "agent/peers.h"
#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/error_json.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"

enum {
	HANDSHAKE_S = 10,
	HEAD_S = 10,
	BODY_S = 60,
	IDLE_S = 600,
	TAKE_S = SERVICE_TAKE_S,
	CLOSING_S = 5,
	UNTAKEN_MAX = 256 << 10,
};

static void read_more(struct conn *c);

void
service_conn_timer(struct conn *c, unsigned seconds)
{
	const struct timeval tv = {.tv_sec = seconds};

	c->writing_timed = false;
	if (evtimer_add(c->timer, &tv) < 0)
		c->state = CONN_CLOSING;
}

void
service_conn_close(struct conn *c)
{
	struct service *s = c->service;
	struct request *r = c->request;

	if (r != NULL) {
		r->conn = NULL;
		c->request = NULL;
		if (r->lost != NULL)
			r->lost(r);
	}
	service_move_conn_lost(s, c);
	TAILQ_REMOVE(&s->conns, c, next);
	service_limits_leave(s->limits, c->counted ? c->peer.key : NULL);
	if (c->timer != NULL)
		event_free(c->timer);
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	free(c);
	service_look_idle(s);
}

/* ---- writing --------------------------------------------------------------------------------- */

void
service_conn_head(struct conn *c, int status, const char *type, size_t length, bool close_after)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	(void)evbuffer_add_printf(out,
				  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
				  "Cache-Control: no-store\r\n%s\r\n",
				  status, http_reason(status), type, length,
				  close_after ? "Connection: close\r\n" : "");
}

/* What was asked makes no sense, or takes too long: say so, and end. */
void
service_conn_refuse(struct conn *c, int status, enum err code, const char *why)
{
	CLEAN(json_done) json_t *j = NULL;
	CLEAN(buf_done) struct buf text = BUF_INIT(4096);
	struct error e = ERROR_INIT;

	(void)error_set(&e, code, "%s", why);
	j = json_pack("{s:o}", "error", error_json_pack(&e));
	(void)bufferevent_disable(c->bev, EV_READ);
	c->state = CONN_CLOSING;
	if (j == NULL || json_write(j, &text, NULL) < 0 || buf_u8(&text, '\n', NULL) < 0)
		buf_reset(&text);
	service_conn_head(c, status, "application/json", text.n, true);
	(void)evbuffer_add(bufferevent_get_output(c->bev), text.p, text.n);
	service_conn_timer(c, CLOSING_S);
}

static void
timed_out(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd, (void)what;
	switch (c->state) {
	case CONN_HEAD:
		/* Between two requests silence is no fault. */
		if (evbuffer_get_length(bufferevent_get_input(c->bev)) == 0)
			break;
		service_conn_refuse(c, 408, ERR_TIMEOUT, "the headers did not come in time");
		return;
	case CONN_BODY:
		service_conn_refuse(c, 408, ERR_TIMEOUT, "the body did not come in time");
		return;
	case CONN_HANDSHAKE:
	case CONN_WORKING:
	case CONN_STREAM:
	case CONN_CLOSING:
		break;
	}
	service_conn_close(c);
}

/* A reply has begun its way out: it must be taken in time. */
void
service_conn_written(struct conn *c)
{
	service_conn_timer(c, TAKE_S);
	c->writing_timed = true;
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;
	struct request *r = c->request;
	bool empty = evbuffer_get_length(bufferevent_get_output(bev)) == 0;

	if (c->state == CONN_CLOSING && empty) {
		service_conn_close(c);
		return;
	}
	if (c->state == CONN_STREAM) {
		if (empty)
			(void)evtimer_del(c->timer);
		else
			service_conn_written(c); /* some of it was taken */
		if (r != NULL && r->drained != NULL)
			r->drained(r);
		return;
	}
	if (empty && c->writing_timed && c->state == CONN_HEAD)
		service_conn_timer(c, IDLE_S);
	if (empty)
		read_more(c);
}

/* The answer is on its way; the next request may be there already. */
void
service_conn_answered(struct conn *c)
{
	c->request = NULL;
	if (c->close) {
		c->state = CONN_CLOSING;
		(void)bufferevent_disable(c->bev, EV_READ);
		service_conn_timer(c, CLOSING_S);
		return;
	}
	c->state = CONN_HEAD;
	service_conn_written(c);
	/* Not now and here: a peer that sends many at once would be answered ever deeper in the stack. */
	if (evbuffer_get_length(bufferevent_get_input(c->bev)) > 0)
		bufferevent_trigger(c->bev, EV_READ,
				    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* Revoked since the handshake? */
static bool
still_known(struct conn *c)
{
	struct peer peer;

	return c->peer.kind == PEER_UNIX ||
	       (peers_find(c->service->options->state_dir, c->peer.fingerprint, &peer, NULL) > 0 &&
		peer.requester);
}

static void
dispatch(struct conn *c, enum api_function function, size_t body_n)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct request *r = calloc(1, sizeof(*r));

	if (!still_known(c)) {
		free(r);
		service_refused(c->service, c->peer.name, "its certificate was revoked");
		service_conn_refuse(c, 403, ERR_PERMISSION, "this certificate was revoked");
		return;
	}
	if (r != NULL)
		*r = (struct request){.service = c->service,
				      .conn = c,
				      .peer = c->peer,
				      .function = function,
				      .body = BUF_INIT(body_n)};
	if (r == NULL || (body_n > 0 && buf_reserve(&r->body, body_n, NULL) < 0)) {
		free(r);
		service_conn_refuse(c, 503, ERR_NO_MEMORY, "out of memory");
		return;
	}
	(void)evbuffer_remove(in, r->body.p, body_n);
	r->body.n = body_n;
	c->state = CONN_WORKING;
	c->request = r;
	(void)evtimer_del(c->timer);
	bufferevent_setwatermark(c->bev, EV_READ, 0, HTTP_HEAD_MAX);
	service_route(r);
}

/* A head is complete: is it one that we answer? */
static void
take_head(struct conn *c)
{
	enum api_function function;
	size_t body_max = service_route_body_max(&c->head, &function);

	c->close = c->close || c->head.close;
	if (body_max == 0)
		service_conn_refuse(c, 404, ERR_NOT_FOUND,
				    "there is no such function; see doc/api.md");
	else if (c->head.method == HTTP_GET && function == API_HELLO && c->head.length == 0)
		dispatch(c, function, 0);
	else if (c->head.method != HTTP_POST)
		service_conn_refuse(c, 405, ERR_USAGE, "functions are called with POST");
	else if (!c->head.has_length)
		service_conn_refuse(c, 411, ERR_USAGE, "a Content-Length is needed");
	else if (c->head.length > body_max)
		service_conn_refuse(c, 413, ERR_LIMIT, "the body is too long");
	else {
		c->state = CONN_BODY;
		service_conn_timer(c, BODY_S);
		bufferevent_setwatermark(c->bev, EV_READ, c->head.length,
					 MAX((size_t)c->head.length, (size_t)HTTP_HEAD_MAX));
		if (c->head.expects_continue)
			(void)evbuffer_add_printf(bufferevent_get_output(c->bev),
						  "HTTP/1.1 100 Continue\r\n\r\n");
	}
}

static void
read_head(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	uint8_t head[HTTP_HEAD_MAX];
	ssize_t n = evbuffer_copyout(in, head, sizeof(head));
	size_t used = 0;
	int status;

	if (n <= 0)
		return;
	status = http_parse_head(SLICE(head, n), &c->head, &used);
	if (status == 0) {
		/* The time for a head begins with its first byte, once. */
		if (c->writing_timed || !event_pending(c->timer, EV_TIMEOUT, NULL) ||
		    !c->head_timed) {
			service_conn_timer(c, HEAD_S);
			c->head_timed = true;
		}
		return;
	}
	c->head_timed = false;
	if (status != 200) {
		service_conn_refuse(c, status,
				    status == 431 || status == 413 ? ERR_LIMIT : ERR_PROTOCOL,
				    "this is no request that an agent understands");
		return;
	}
	(void)evbuffer_drain(in, used);
	take_head(c);
}

static void
read_more(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	enum api_function function;

	/* Who does not take his replies gets no more of them. */
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) > UNTAKEN_MAX)
		return;
	if (c->state == CONN_HEAD)
		read_head(c);
	if (c->state == CONN_BODY && evbuffer_get_length(in) >= c->head.length) {
		(void)service_route_body_max(&c->head, &function);
		dispatch(c, function, (size_t)c->head.length);
	}
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	read_more(arg);
}

/* It is known now who this is: the handshake admitted nobody else. */
static void
know(struct conn *c)
{
	struct ssl_st *tls = bufferevent_openssl_get_ssl(c->bev);
	char hex[2 * TLS_FINGERPRINT_SIZE + 1];
	struct peer peer;

	if (c->peer.kind == PEER_TLS) {
		if (!tls_session_peer(tls, c->peer.fingerprint) ||
		    peers_find(c->service->options->state_dir, c->peer.fingerprint, &peer, NULL) <=
			    0) {
			service_conn_close(c);
			return;
		}
		(void)text_printf(c->peer.key, sizeof(c->peer.key), "tls:%s",
				  hex_encode(c->peer.fingerprint, TLS_FINGERPRINT_SIZE, hex));
		(void)text_printf(c->peer.name, sizeof(c->peer.name), "%s", peer.name);
	}
	if (!service_limits_know(c->service->limits, c->peer.key)) {
		service_refused(c->service, c->peer.name, "too many connections");
		service_conn_close(c);
		return;
	}
	c->counted = true;
	c->state = CONN_HEAD;
	c->head_timed = true; /* the first request has the time of a head from now on */
	service_conn_timer(c, HEAD_S);
	bufferevent_setwatermark(c->bev, EV_READ, 0, HTTP_HEAD_MAX);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* Whoever only looks whether somebody listens here is no stranger who tries to get in. */
static void
no_handshake(struct conn *c)
{
	const char *why = tls_reason(bufferevent_get_openssl_error(c->bev));

	if (why[0] != '\0')
		service_refused(c->service, c->peer.name, why);
	else
		service_log(c->service, LOG_LEVEL_INFO, "TLS handshake with %s failed",
			    c->peer.name);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0 && c->state == CONN_HANDSHAKE) {
		know(c);
		return;
	}
	if (c->state == CONN_HANDSHAKE)
		no_handshake(c);
	service_conn_close(c);
}

void
service_conn_new(struct service *s, int fd, struct ssl_st *tls, const struct service_peer *peer)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		service_limits_leave(s->limits, NULL);
		(void)close(fd); /* and a TLS session is lost with the memory */
		return;
	}
	*c = (struct conn){
		.service = s, .id = ++s->last_conn, .state = CONN_HANDSHAKE, .peer = *peer};
	TAILQ_INSERT_TAIL(&s->conns, c, next);
	service_look_idle(s);
	c->timer = evtimer_new(s->base, timed_out, c);
	c->bev = tls != NULL ? bufferevent_openssl_socket_new(s->base, fd, tls,
							      BUFFEREVENT_SSL_ACCEPTING,
							      BEV_OPT_CLOSE_ON_FREE)
			     : bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL)
		(void)close(fd);
	if (c->timer == NULL || c->bev == NULL) {
		service_conn_close(c);
		return;
	}
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	service_conn_timer(c, HANDSHAKE_S);
	if (tls == NULL)
		know(c);
	else
		(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}
