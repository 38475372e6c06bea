/* SPDX-License-Identifier: Apache-2.0 */

/* Timeline history files: the first byte says of which timeline, the rest is the file. */
#include "postgresql/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct timeline_history h;

	if (size == 0)
		return 0;
	if (timeline_history_parse(data[0], SLICE(data + 1, size - 1), &h, &err) < 0) {
		if (err.code != ERR_CORRUPT && err.code != ERR_LIMIT)
			abort();
		return 0;
	}
	if (h.timeline != data[0] || h.n > TIMELINE_ANCESTORS_MAX)
		abort();
	for (size_t i = 0; i < h.n; i++) {
		uint64_t end;

		/* In order, and each is found again. */
		if (h.ancestors[i].timeline == 0 || h.ancestors[i].timeline >= h.timeline ||
		    (i > 0 && h.ancestors[i].timeline <= h.ancestors[i - 1].timeline))
			abort();
		if (!timeline_end(&h, h.ancestors[i].timeline, &end) || end != h.ancestors[i].end)
			abort();
	}
	return 0;
}
