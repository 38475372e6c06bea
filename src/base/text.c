/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Formatting with a clean cut. Nothing here allocates, so that errors can be worded when memory is
 * gone.
 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define ELLIPSIS "..."
#define ELLIPSIS_LEN (sizeof(ELLIPSIS) - 1)

/* Write the dots so that text is at most max bytes long, not splitting the character before them. */
static void
put_ellipsis(char *text, size_t max)
{
	size_t at = max - ELLIPSIS_LEN;

	/* At most three continuation bytes belong to one character; more is not UTF-8 anyway. */
	for (int i = 0; i < 3 && at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80; i++)
		at--;
	memcpy(text + at, ELLIPSIS, ELLIPSIS_LEN + 1);
}

bool
text_cut(char *text, size_t max)
{
	if (strlen(text) <= max)
		return false;
	put_ellipsis(text, max);
	return true;
}

bool
text_vprintf(char *text, size_t size, const char *format, va_list ap)
{
	text[0] = '\0';
	int n = vsnprintf(text, size, format, ap);
	if (n >= 0 && (size_t)n < size)
		return true;
	/* It refuses only texts beyond INT_MAX; of those, too, the beginning is there. */
	if (n < 0)
		text[size - 1] = '\0';
	if (n >= 0 || strlen(text) == size - 1)
		put_ellipsis(text, size - 1);
	return false;
}

bool
text_printf(char *text, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	bool whole = text_vprintf(text, size, format, ap);
	va_end(ap);
	return whole;
}

void
text_without_controls(char *text)
{
	for (uint8_t *p = (uint8_t *)text; *p != 0; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
		else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			p[0] = p[1] = ' ';
	}
}
