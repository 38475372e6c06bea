/* SPDX-License-Identifier: Apache-2.0 */

/* Wording of progress. */
#include "cli/progress_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/printable.h"
#include "cli/units.h"

bool
progress_line_left(const struct progress_sample *s, uint64_t *ret_seconds)
{
	uint64_t todo;

	if (!s->total_known || s->bytes_done > s->bytes_total || s->rate_bytes == 0)
		return false;
	todo = s->bytes_total - s->bytes_done;
	*ret_seconds = (uint64_t)((__uint128_t)todo * s->rate_ns / s->rate_bytes / NS_PER_S);
	return true;
}

char *
progress_line_text(const struct progress_sample *s, size_t columns, char *text, size_t size)
{
	char done[UNITS_MAX], total[UNITS_MAX] = "", rate[UNITS_MAX], left[UNITS_MAX] = "";
	char files[UNITS_MAX], elapsed[UNITS_MAX];
	char percent[8] = "";
	uint64_t seconds;
	size_t n;

	if (s->total_known && s->bytes_total > 0) {
		uint64_t part = (uint64_t)((__uint128_t)s->bytes_done * 100 / s->bytes_total);

		(void)text_printf(percent, sizeof(percent), "%3u%%  ",
				  (unsigned)MIN(part, UINT64_C(100)));
		(void)text_printf(total, sizeof(total), " of ");
		units_bytes(s->bytes_total, total + strlen(total));
	}
	if (progress_line_left(s, &seconds)) {
		units_clock(seconds, left);
		n = strlen(left);
		(void)text_printf(left + n, sizeof(left) - n, " left  ");
	}
	(void)text_printf(text, size, "%s  %s%s%s  %s  %s%s %s  ",
			  units_clock(s->elapsed_ns / NS_PER_S, elapsed), percent,
			  units_bytes(s->bytes_done, done), total,
			  units_rate(s->rate_bytes, s->rate_ns, rate), left,
			  units_count(s->files_done, files), s->counted);
	n = strlen(text);
	(void)text_printf(text + n, size - n, "%s", s->phase);
	if (strlen(text) > columns)
		(void)text_cut(text, MAX(columns, (size_t)3));
	return text;
}

json_t *
progress_line_json(const struct progress_sample *s)
{
	uint64_t seconds;
	uint64_t per_second = s->rate_ns > 0 ? (uint64_t)((__uint128_t)s->rate_bytes * NS_PER_S /
							  s->rate_ns)
					     : 0;
	json_t *j = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "type", "progress", "phase",
			      json_bytes(s->phase, strlen(s->phase)), "elapsed_ms",
			      (json_int_t)(s->elapsed_ns / NS_PER_MS), "bytes_done",
			      (json_int_t)s->bytes_done, "files_done", (json_int_t)s->files_done,
			      "bytes_per_second", (json_int_t)per_second);

	if (j != NULL && s->total_known) {
		(void)json_object_set_new(j, "bytes_total",
					  json_integer((json_int_t)s->bytes_total));
		(void)json_object_set_new(j, "files_total",
					  json_integer((json_int_t)s->files_total));
	}
	if (j != NULL && progress_line_left(s, &seconds))
		(void)json_object_set_new(j, "seconds_left", json_integer((json_int_t)seconds));
	return j;
}
