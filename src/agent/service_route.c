/* SPDX-License-Identifier: Apache-2.0 */

/* From bytes to a checked request, and on to whoever answers it. */
#include <string.h>

#include "agent/service_internal.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "store/frame.h"

#define PREFIX "/v1/"

size_t
service_route_body_max(const struct http_head *head, enum api_function *ret)
{
	if (strncmp(head->target, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	*ret = api_table_find(head->target + strlen(PREFIX));
	return *ret != API_NONE ? api_table_of(*ret)->body_max : 0;
}

/* Of MoveData it held the keys of a repository; of StoreExchange it is much, and sealed. */
void
service_route_body_done(struct request *r)
{
	if (api_table_of(r->function)->kind == API_EXCHANGE)
		buf_done(&r->body);
	else
		crypto_buf_done(&r->body);
}

int
service_route_parse(struct request *r, struct error *err)
{
	const struct api_def *def = api_table_of(r->function);
	struct slice text = buf_slice(&r->body);

	if (def->kind == API_EXCHANGE) {
		if (frame_read(text, &r->json, &r->data, err) < 0)
			return err->code;
	} else if (text.n == 0) {
		r->json = json_object();
		if (r->json == NULL)
			return error_no_memory(err);
	} else if (json_depth_check(text, SERVICE_JSON_DEPTH, def->name, err) < 0 ||
		   json_parse(text, def->name, &r->json, err) < 0) {
		return err->code;
	} else {
		service_route_body_done(r);
	}
	return api_table_check(def, r->json, err);
}

void
service_route(struct request *r)
{
	const struct api_def *def = api_table_of(r->function);
	struct error err = ERROR_INIT;

	/* The data connections would be all there is in the log. */
	if (def->kind != API_EXCHANGE)
		service_log(r->service, LOG_LEVEL_INFO, "RPC: %s", def->name);
	if (service_route_parse(r, &err) < 0) {
		request_fail(r, &err);
		return;
	}
	switch (def->kind) {
	case API_QUICK:
		service_quick(r);
		return;
	case API_LEASE:
		service_job_keep(r);
		return;
	case API_ORDER:
		service_job_order(r);
		return;
	case API_ERRAND:
		service_errand(r);
		return;
	case API_STREAM:
		service_move_request(r);
		return;
	case API_EXCHANGE:
		service_move_exchange(r);
		return;
	}
}
