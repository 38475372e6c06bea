/* SPDX-License-Identifier: Apache-2.0 */

/* global/pg_control as it lies in a restored folder, and the names of the logs that follow from it. */
#include <string.h>

#include "postgresql/control.h"
#include "postgresql/walrange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_logs(const struct control *c, uint64_t stop)
{
	char first[WALRANGE_NAME_LEN + 1], last[WALRANGE_NAME_LEN + 1];
	struct walrange range;

	for (uint64_t segment = 1 << 20; segment <= 1 << 30; segment *= 2) {
		if (!walrange_make(c->timeline, c->redo_lsn, stop, segment, &range)) {
			/* Nothing but what makes no range is refused. */
			if (c->timeline != 0 && c->redo_lsn != 0 && stop > c->redo_lsn)
				abort();
			continue;
		}
		if (range.first > range.last || range.first * segment > c->redo_lsn ||
		    walrange_count(&range) == 0)
			abort();
		(void)walrange_name(&range, range.first, first);
		(void)walrange_name(&range, range.last, last);
		if (strlen(first) != WALRANGE_NAME_LEN ||
		    strspn(first, "0123456789ABCDEF") != WALRANGE_NAME_LEN ||
		    strcmp(first, last) > 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control c;
	struct error err = ERROR_INIT;

	if (control_parse(SLICE(data, size), &c, &err) < 0) {
		if (err.code != ERR_CORRUPT)
			abort();
		return 0;
	}
	check_logs(&c, c.redo_lsn + 1);
	check_logs(&c, c.min_recovery_lsn);
	return 0;
}
