/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One connection to an agent: HTTP/1.1 POST requests, one after the other, over a unix socket or over TLS
 * with pinned certificates. libcurl does the work; what this adds is that nothing lasts beyond its
 * deadline, that silence counts as loss, and that another thread may stop it at once.
 *
 * A connection that breaks is opened anew by the next request; whether to make one is for the caller.
 * Errors of the way there: ERR_AGENT_LOST (no connection, or it broke, or fell silent), ERR_TIMEOUT (the
 * request's deadline), ERR_AGENT_TRUST (one side does not know the other), ERR_CANCELLED, ERR_LIMIT
 * (the reply is too large). An HTTP status is not an error here.
 *
 * A struct http belongs to one thread at a time, but for http_cancel().
 */
#ifndef HF_REQUESTER_HTTP_H
#define HF_REQUESTER_HTTP_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "crypto/tls.h"

/* Where an agent answers. Borrowed by every connection to it. */
struct http_place {
	const char *unix_path; /* NULL: TLS */
	const char *host; /* a name, or an address; IPv6 without brackets */
	unsigned port;
	const struct tls_identity *identity; /* ours */
	tls_admit_fn *admit; /* is this the agent we mean? */
	void *admit_arg;
};

/* One line of a reply, without its end. < 0 ends the request with it. */
typedef int http_line_fn(void *arg, struct slice line, struct error *err);

struct http_request {
	const char *path; /* "/v1/Hello" */
	const char *content_type; /* NULL: application/json */
	struct slice body;
	uint64_t deadline_ns; /* of the whole, boot clock; UINT64_MAX: none */
	uint64_t silence_ns; /* lost if not a byte moves for so long; 0: as long as it likes */
	size_t reply_max; /* bytes; with `line`: of one line */
	/* A reply with status 200 is handed over line by line, as it comes. NULL: it is collected. */
	http_line_fn *line;
	void *line_arg;
	/* Asked every 100 ms or so; < 0 ends the request with it. May be NULL. */
	int (*check)(void *arg, struct error *err);
	void *check_arg;
};

struct http;

CHECKED int http_open(const struct http_place *place, struct http **ret, struct error *err);
void http_close(struct http *h); /* NULL is fine */
void http_closep(struct http **h);
/* The reply's body is put in place of what `reply` held; its maximum is raised to reply_max. */
CHECKED int http_post(struct http *h, const struct http_request *request, unsigned *ret_status,
		      struct buf *reply, struct error *err);
/* From any thread: a request that runs, and every later one, fails with ERR_CANCELLED. */
void http_cancel(struct http *h);

#endif
