/* SPDX-License-Identifier: Apache-2.0 */

/* Lower-case hexadecimal, strict both ways. */
#ifndef HF_BASE_HEX_H
#define HF_BASE_HEX_H

#include <stdbool.h>

#include "base/base.h"

/* Writes 2 * n digits and a zero; returns text. */
char *hex_encode(const void *p, size_t n, char *text);
/* Exactly 2 * n lower-case digits at text (no terminator needed). False leaves p undefined. */
CHECKED bool hex_decode(const char *text, size_t text_len, void *p, size_t n);

#endif
