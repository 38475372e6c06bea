/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Formatting into a buffer of fixed size, for messages people read: what does not fit is cut between
 * two UTF-8 characters and ends in "...", so that nobody takes the rest for the whole.
 */
#ifndef HF_BASE_TEXT_H
#define HF_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/base.h"

/* size >= 4. Always leaves a terminated string; false if it was cut. */
bool text_vprintf(char *text, size_t size, const char *format, va_list ap) PRINTF_LIKE(3, 0);
bool text_printf(char *text, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

/* Replace control characters by blanks (C0, DEL, and C1 in its UTF-8 form, which terminals obey, too):
 * what a stranger wrote must not drive anybody's terminal. */
void text_without_controls(char *text);

/* Cut text to at most max bytes (>= 3) without its zero, as above. False if nothing was cut. */
bool text_cut(char *text, size_t max);

#endif
