/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hexadecimal digits by table and comparison. Upper case is refused: an id has one spelling, so that
 * names can be compared as text.
 */
#include "base/hex.h"

char *
hex_encode(const void *p, size_t n, char *text)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = p;

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	text[2 * n] = '\0';
	return text;
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
hex_decode(const char *text, size_t text_len, void *p, size_t n)
{
	uint8_t *bytes = p;

	if (text_len / 2 != n || text_len % 2 != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = digit_value(text[2 * i]);
		int low = digit_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
