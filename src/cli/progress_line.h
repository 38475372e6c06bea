/* SPDX-License-Identifier: Apache-2.0 */

/* What the progress line says, from numbers alone: no clock, no screen. */
#ifndef HF_CLI_PROGRESS_LINE_H
#define HF_CLI_PROGRESS_LINE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"

struct progress_sample {
	uint64_t elapsed_ns;
	uint64_t bytes_done, bytes_total;
	uint64_t files_done, files_total;
	const char *counted; /* what they are: "files", "packs" */
	bool total_known; /* totals are final */
	uint64_t rate_bytes, rate_ns; /* the rate of late: so many bytes in so long */
	const char *phase;
};

/* Seconds left; false if nobody can tell. */
bool progress_line_left(const struct progress_sample *s, uint64_t *ret_seconds);
/* One line of at most `columns` characters, into text. The phase gives way first. */
char *progress_line_text(const struct progress_sample *s, size_t columns, char *text, size_t size);
/* {"type": "progress", ...}; NULL when out of memory. */
json_t *progress_line_json(const struct progress_sample *s);

#endif
