/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Positions in the write-ahead log and the files they lie in. Pure.
 *
 * A log file's name is 24 hexadecimal digits: timeline, then the segment's number as (number of the
 * 4 GiB part, segment within it). Source: PostgreSQL's documentation, "WAL Internals".
 */
#ifndef HF_POSTGRESQL_WALRANGE_H
#define HF_POSTGRESQL_WALRANGE_H

#include <stdbool.h>

#include "base/base.h"

enum { WALRANGE_NAME_LEN = 24, WALRANGE_LSN_LEN = 17 };

/* No log is that long: whoever names a position beyond it, a server or a repository, means ill. What is below may be
 * counted on from, segment by segment, without running over. */
#define WALRANGE_LSN_MAX ((uint64_t)INT64_MAX)

/* "16/B374D848"; exact, and not beyond WALRANGE_LSN_MAX; false if it is anything else. */
CHECKED bool walrange_parse_lsn(const char *text, uint64_t *ret);
char *walrange_format_lsn(uint64_t lsn, char text[WALRANGE_LSN_LEN + 1]);

/* The segments that hold the bytes from start up to, not including, stop. segment_bytes: a power of
 * two from 1 MiB to 1 GiB. */
struct walrange {
	uint32_t timeline;
	uint64_t segment_bytes;
	uint64_t first, last;
};

/* False if there is no such range. */
CHECKED bool walrange_make(uint32_t timeline, uint64_t start, uint64_t stop, uint64_t segment_bytes,
			   struct walrange *ret);
uint64_t walrange_count(const struct walrange *r);
/* The name of segment `number`, first .. last. */
char *walrange_name(const struct walrange *r, uint64_t number, char text[WALRANGE_NAME_LEN + 1]);

#endif
