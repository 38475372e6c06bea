/* SPDX-License-Identifier: Apache-2.0 */

/* What an agent reads from a caller: the head of a request, then its body, as JSON or framed, against the table. */
#include <string.h>

#include "agent/service_internal.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_head(const struct http_head *head, size_t used, size_t size)
{
	if (used > size || used > HTTP_HEAD_MAX || strlen(head->target) >= HTTP_TARGET_MAX ||
	    head->target[0] != '/' || (!head->has_length && head->length != 0))
		abort();
}

static void
take_body(enum api_function function, struct slice body)
{
	struct request r = {.function = function, .body = BUF_INIT(body.n + 1)};
	struct error err = ERROR_INIT;

	if (body.n > api_table_of(function)->body_max)
		return;
	if (buf_append(&r.body, body.p, body.n, &err) == OK) {
		int rc = service_route_parse(&r, &err);

		/* What was accepted is what the handlers count on. */
		if (rc == OK) {
			uint8_t id[UUID_SIZE];
			const char *job = request_text(&r, "JobId");

			if (!json_is_object(r.json) || (job != NULL && !uuid_parse(job, id)))
				abort();
		} else if (err.code == OK || memchr(err.msg, 0, sizeof(err.msg)) == NULL) {
			abort();
		}
	}
	json_decref(r.json);
	buf_done(&r.body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head head = {0};
	enum api_function function;
	size_t used = 0;

	if (http_parse_head(SLICE(data, size), &head, &used) == 200) {
		check_head(&head, used, size);
		if (service_route_body_max(&head, &function) > 0)
			take_body(function,
				  SLICE(data + used, MIN(size - used, (size_t)head.length)));
	}
	/* The same bytes as a body of some function: the first one says of which. */
	if (size > 0)
		take_body((enum api_function)(1 + data[0] % (API_COUNT - 1)),
			  SLICE(data + 1, size - 1));
	return 0;
}
