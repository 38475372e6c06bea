/* SPDX-License-Identifier: Apache-2.0 */

/* Heads of requests: what is understood, and that everything else is refused. */
#include "agent/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static int
parse(const char *text, struct http_head *head)
{
	size_t used = 0;
	int status = http_parse_head(SLICE(text, strlen(text)), head, &used);

	if (status == 200)
		assert_true(used <= strlen(text));
	return status;
}

static void
test_good(void **state)
{
	struct http_head head;
	size_t used;
	const char text[] = "POST /v1/Hello HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  12 \r\n"
			    "Connection: Close\r\nExpect: 100-continue\r\nX: y\r\n\r\nrest";

	(void)state;
	assert_int_equal(http_parse_head(SLICE(text, sizeof(text) - 1), &head, &used), 200);
	assert_int_equal(used, sizeof(text) - 1 - 4);
	assert_int_equal(head.method, HTTP_POST);
	assert_string_equal(head.target, "/v1/Hello");
	assert_true(head.has_length);
	assert_int_equal(head.length, 12);
	assert_true(head.close);
	assert_true(head.expects_continue);
	/* Every beginning of it asks for more. */
	for (size_t n = 0; n < used; n++)
		assert_int_equal(http_parse_head(SLICE(text, n), &head, &used), 0);
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost:\r\n\r\n", &head), 200);
	assert_int_equal(head.method, HTTP_GET);
	assert_false(head.has_length);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{"\r\n\r\n", 400},
		{"GET\r\n\r\n", 400},
		{"GET /\r\n\r\n", 400},
		{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 505},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"GET / HTTX/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n\r\n", 400}, /* no Host */
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: \x7f\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
		{"POST / HTTP/1.1\r\nHost: a\r\nExpect: nothing\r\n\r\n", 417},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head head;

		if (parse(cases[i].text, &head) != cases[i].status)
			fail_msg("case %zu: %d, not %d", i, parse(cases[i].text, &head),
				 cases[i].status);
	}
	struct http_head head;
	size_t used;

	assert_int_equal(
		http_parse_head(SLICE("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29), &head, &used),
		400);
}

static void
test_limits(void **state)
{
	char text[HTTP_HEAD_MAX + 16];
	struct http_head head;
	size_t used, n;

	(void)state;
	/* A head without end. */
	memset(text, 'a', sizeof(text));
	assert_int_equal(http_parse_head(SLICE(text, HTTP_HEAD_MAX - 1), &head, &used), 0);
	assert_int_equal(http_parse_head(SLICE(text, HTTP_HEAD_MAX), &head, &used), 431);
	/* Too many headers. */
	n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "X: y\r\n");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
	assert_int_equal(http_parse_head(SLICE(text, n), &head, &used), 431);
	/* A target that is too long. */
	n = (size_t)snprintf(text, sizeof(text), "GET /%0200d HTTP/1.1\r\nHost: a\r\n\r\n", 1);
	assert_int_equal(http_parse_head(SLICE(text, n), &head, &used), 414);
}

static void
test_status(void **state)
{
	(void)state;
	assert_int_equal(http_status_of(OK), 200);
	assert_int_equal(http_status_of(ERR_LEASE_ENDED), 410);
	assert_int_equal(http_status_of(ERR_STORE_FULL), 500);
	assert_string_equal(http_reason(410), "Gone");
	assert_string_equal(http_reason(999), "Internal Server Error");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
