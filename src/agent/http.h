/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The head of an HTTP/1.1 request, parsed strictly: what is not exactly as RFC 9112 wants it is refused, and
 * what the agent has no use for (transfer codings, folded lines, HTTP/1.0, other forms of a target) is
 * refused, too. So there is one reading of every request, here and in whatever stands in front.
 *
 * Pure: bytes in, a head out.
 */
#ifndef HF_AGENT_HTTP_H
#define HF_AGENT_HTTP_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum {
	HTTP_HEAD_MAX = 8 * 1024, /* the request line and all headers */
	HTTP_HEADERS_MAX = 64,
	HTTP_TARGET_MAX = 128,
};

enum http_method {
	HTTP_OTHER,
	HTTP_GET,
	HTTP_POST,
};

struct http_head {
	enum http_method method;
	char target[HTTP_TARGET_MAX]; /* "/v1/Hello"; printable ASCII, no query */
	bool has_length;
	uint64_t length; /* of the body; 0 without one */
	bool close; /* the connection ends with this request */
	bool expects_continue;
};

/*
 * Parse what has arrived so far. Returns 0: the head is not complete yet; 200: it is, *ret_used bytes
 * long; else the HTTP status to refuse it with (400, 411, 414, 417, 431, 501, 505), after which the rest of the
 * connection means nothing.
 */
int http_parse_head(struct slice in, struct http_head *ret, size_t *ret_used);

/* "Not Found" for 404. */
const char *http_reason(int status);
/* The status that fits an error's code. */
int http_status_of(enum err code);

#endif
