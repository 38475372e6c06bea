/* SPDX-License-Identifier: Apache-2.0 */

/* One pass over the lines of a head, once its end is there. */
#include "agent/http.h"

#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS_MAX = 10, OK_STATUS = 200 };

static bool
is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
same(struct slice s, const char *text)
{
	return s.n == strlen(text) && strncasecmp((const char *)s.p, text, s.n) == 0;
}

/* METHOD SP target SP HTTP/1.1 */
static int
parse_request_line(struct slice line, struct http_head *head)
{
	const uint8_t *end = line.p + line.n;
	const uint8_t *target = memchr(line.p, ' ', line.n);
	size_t method_n, n;

	if (target == NULL || target == line.p)
		return 400;
	method_n = (size_t)(target - line.p);
	for (size_t i = 0; i < method_n; i++)
		if (!is_token(line.p[i]))
			return 400;
	target++;
	const uint8_t *version = memchr(target, ' ', (size_t)(end - target));
	if (version == NULL)
		return 400;
	n = (size_t)(version - target);
	version++;
	if (end - version != 8 || memcmp(version, "HTTP/", 5) != 0)
		return 400;
	if (memcmp(version, "HTTP/1.1", 8) != 0)
		return 505;
	if (n == 0 || target[0] != '/')
		return 400;
	if (n >= sizeof(head->target))
		return 414;
	for (size_t i = 0; i < n; i++)
		if (target[i] <= ' ' || target[i] >= 0x7f)
			return 400;
	memcpy(head->target, target, n);
	head->target[n] = '\0';
	/* Methods, unlike header names, have one spelling. */
	if (method_n == 4 && memcmp(line.p, "POST", 4) == 0)
		head->method = HTTP_POST;
	else if (method_n == 3 && memcmp(line.p, "GET", 3) == 0)
		head->method = HTTP_GET;
	return OK_STATUS;
}

static int
parse_length(struct slice value, struct http_head *head)
{
	uint64_t length = 0;

	/* Twice, even with the same value: two parsers might see two requests. */
	if (head->has_length || value.n == 0)
		return 400;
	if (value.n > LENGTH_DIGITS_MAX)
		return 413;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return 400;
		length = length * 10 + (uint64_t)(value.p[i] - '0');
	}
	head->has_length = true;
	head->length = length;
	return OK_STATUS;
}

static int
parse_header(struct slice line, struct http_head *head, bool *has_host)
{
	const uint8_t *colon = memchr(line.p, ':', line.n);
	struct slice name, value;

	if (colon == NULL || colon == line.p)
		return 400;
	name = SLICE(line.p, (size_t)(colon - line.p));
	/* This also refuses folded lines and blanks before the colon. */
	for (size_t i = 0; i < name.n; i++)
		if (!is_token(name.p[i]))
			return 400;
	value = SLICE(colon + 1, line.n - name.n - 1);
	for (; value.n > 0 && (value.p[0] == ' ' || value.p[0] == '\t'); value.n--)
		value.p++;
	while (value.n > 0 && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
		value.n--;
	for (size_t i = 0; i < value.n; i++)
		if ((value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f)
			return 400;

	if (same(name, "content-length"))
		return parse_length(value, head);
	if (same(name, "transfer-encoding"))
		return 411;
	if (same(name, "host")) {
		if (*has_host)
			return 400;
		*has_host = true;
	} else if (same(name, "connection")) {
		head->close = head->close || same(value, "close");
	} else if (same(name, "expect")) {
		if (!same(value, "100-continue"))
			return 417;
		head->expects_continue = true;
	}
	return OK_STATUS;
}

int
http_parse_head(struct slice in, struct http_head *ret, size_t *ret_used)
{
	struct http_head head = {0};
	bool has_host = false;
	size_t scope = MIN(in.n, (size_t)HTTP_HEAD_MAX);
	const uint8_t *end = memmem(in.p, scope, "\r\n\r\n", 4);
	size_t lines = 0;
	int status;

	if (end == NULL)
		return in.n >= HTTP_HEAD_MAX ? 431 : 0;
	for (const uint8_t *p = in.p, *next; p < end + 2; p = next + 2, lines++) {
		next = memmem(p, (size_t)(end + 2 - p), "\r\n", 2);
		struct slice line = SLICE(p, (size_t)(next - p));

		if (lines > HTTP_HEADERS_MAX)
			return 431;
		/* A bare CR or LF, or a zero, is a line end to some. */
		if (memchr(line.p, '\r', line.n) != NULL || memchr(line.p, '\n', line.n) != NULL ||
		    memchr(line.p, '\0', line.n) != NULL)
			return 400;
		status = lines == 0 ? parse_request_line(line, &head)
				    : parse_header(line, &head, &has_host);
		if (status != OK_STATUS)
			return status;
	}
	if (!has_host)
		return 400;
	*ret = head;
	*ret_used = (size_t)(end + 4 - in.p);
	return OK_STATUS;
}

const char *
http_reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 202:
		return "Accepted";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 409:
		return "Conflict";
	case 410:
		return "Gone";
	case 411:
		return "Length Required";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 417:
		return "Expectation Failed";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}

int
http_status_of(enum err code)
{
	switch (code) {
	case OK:
		return 200;
	case ERR_USAGE:
	case ERR_PROTOCOL:
	case ERR_CONFIG:
		return 400;
	case ERR_PERMISSION:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_BAD_STATE:
	case ERR_BUSY:
	case ERR_EXISTS:
		return 409;
	case ERR_LEASE_ENDED:
		return 410;
	case ERR_LIMIT:
		return 413;
	case ERR_NO_MEMORY:
		return 503;
	default:
		return 500;
	}
}
