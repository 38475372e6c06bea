/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Values as people write them: numbers, sizes ("128MiB"), durations ("1h30m"), yes and no. Strict:
 * the whole text must be the value, nothing overflows, and a duration needs its unit, because a
 * number whose unit one has to guess is how a limit ends up a thousand times too large.
 */
#ifndef HF_CONFIG_VALUE_H
#define HF_CONFIG_VALUE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum { VALUE_TEXT_MAX = 48 };

/* All of them: ERR_CONFIG, the message says what was given and what is expected. */
CHECKED int value_parse_number(const char *text, uint64_t *ret, struct error *err);
/* B, KiB, MiB, GiB, TiB (K, M, G, T for short), kB, MB, GB, TB; a bare number is bytes. */
CHECKED int value_parse_size(const char *text, uint64_t *ret_bytes, struct error *err);
/* s, m, h, d, w, y (365 days), also in a row as in "1h30m"; "0" needs no unit. */
CHECKED int value_parse_duration(const char *text, uint64_t *ret_s, struct error *err);
/* yes, true, on, 1; no, false, off, 0 */
/* As above, and "ms". */
CHECKED int value_parse_duration_ms(const char *text, uint64_t *ret_ms, struct error *err);
CHECKED int value_parse_bool(const char *text, bool *ret, struct error *err);

/* The shortest exact form that parses back to the same value; returns text. */
char *value_format_size(uint64_t bytes, char text[VALUE_TEXT_MAX]);
char *value_format_duration(uint64_t s, char text[VALUE_TEXT_MAX]);
char *value_format_duration_ms(uint64_t ms, char text[VALUE_TEXT_MAX]);

#endif
