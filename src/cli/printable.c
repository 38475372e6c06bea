/* SPDX-License-Identifier: Apache-2.0 */

/* Escaping of what must not reach a terminal as it is. */
#include "cli/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The length of the harmless character at p, 0 if the byte there must be escaped. */
static size_t
harmless(const uint8_t *p, size_t n)
{
	static const struct {
		uint8_t mask, value;
		size_t len;
		uint32_t least; /* anything lower is an overlong form */
	} forms[] = {{0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

	if (p[0] < 0x80)
		return p[0] >= ' ' && p[0] != 0x7f ? 1 : 0;
	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		uint32_t c;

		if ((p[0] & forms[f].mask) != forms[f].value || n < forms[f].len)
			continue;
		c = p[0] & (uint8_t)~forms[f].mask;
		for (size_t i = 1; i < forms[f].len; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[i] & 0x3f);
		}
		/* 0x80 .. 0x9f are control characters, too; U+202A .. U+202E and U+2066 .. U+2069
		 * turn the direction of what follows. */
		if (c < forms[f].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ||
		    c < 0xa0 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
			return 0;
		return forms[f].len;
	}
	return 0;
}

int
printable_name(struct buf *b, struct slice name, struct error *err)
{
	for (size_t i = 0; i < name.n;) {
		size_t n = name.p[i] == '\\' ? 0 : harmless(name.p + i, name.n - i);
		int r = n > 0 ? buf_append(b, name.p + i, n, err)
			      : buf_printf(b, err, "\\x%02x", name.p[i]);

		if (r < 0)
			return r;
		i += MAX(n, (size_t)1);
	}
	return OK;
}

char *
printable_message(const char *message, char *text, size_t size)
{
	const uint8_t *p = (const uint8_t *)message;
	size_t left = strlen(message);
	size_t used = 0;

	while (left > 0) {
		size_t n = harmless(p, left);

		if (used + 5 > size)
			break;
		if (n > 0) {
			memcpy(text + used, p, n);
			used += n;
		} else {
			used += (size_t)snprintf(text + used, size - used, "\\x%02x", *p);
			n = 1;
		}
		p += n;
		left -= n;
	}
	text[used] = '\0';
	return text;
}

size_t
printable_width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}
