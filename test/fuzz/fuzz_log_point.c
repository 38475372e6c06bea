/* SPDX-License-Identifier: Apache-2.0 */

/* "logs" in the record of a restore point. What was read can be written and read again. */
#include "requester/log_point.h"

#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(json_done) json_t *j = NULL, *again = NULL;
	struct error err = ERROR_INIT;
	struct log_point p, q;

	if (json_parse(SLICE(data, size), "logs", &j, &err) < 0)
		return 0;
	if (log_point_parse(j, &p, &err) < 0) {
		if (err.code != ERR_CORRUPT)
			abort();
		return 0;
	}
	if (p.from > p.to || p.segment_bytes == 0 || p.n_history == 0 ||
	    p.n_history > LOG_HISTORY_MAX || p.history[p.n_history - 1].timeline != p.timeline)
		abort();
	again = log_point_json(&p);
	if (again == NULL || log_point_parse(again, &q, &err) < 0)
		abort();
	if (p.from != q.from || p.to != q.to || p.timeline != q.timeline ||
	    p.n_history != q.n_history || strcmp(p.identity, q.identity) != 0)
		abort();
	return 0;
}
