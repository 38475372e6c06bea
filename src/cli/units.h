/* SPDX-License-Identifier: Apache-2.0 */

/* Numbers as people read them. */
#ifndef HF_CLI_UNITS_H
#define HF_CLI_UNITS_H

#include "base/base.h"

enum { UNITS_MAX = 40 };

/* All return text. */
char *units_bytes(uint64_t bytes, char text[UNITS_MAX]); /* "1.23 GiB" */
char *units_rate(uint64_t bytes, uint64_t ns, char text[UNITS_MAX]); /* "480 MiB/s" */
char *units_elapsed(uint64_t ns, char text[UNITS_MAX]); /* "0.31 s", "12.3 s", "1:02:03" */
char *units_clock(uint64_t seconds, char text[UNITS_MAX]); /* "0:42", "1:02:03" */
char *units_count(uint64_t n, char text[UNITS_MAX]); /* "1,234,567" */
/* "1 file", "1,234 files": what is counted must take an s. */
char *units_of(uint64_t n, const char *what, char text[UNITS_MAX]);
/* Local time, "2026-11-22 21:06:28". */
char *units_time(uint64_t wall_ns, char text[UNITS_MAX]);

#endif
