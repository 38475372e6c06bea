/* SPDX-License-Identifier: Apache-2.0 */

/* UUIDs as text, and back. */
#include "base/uuid.h"

#include <ctype.h>
#include <string.h>

#include "base/hex.h"

/* Where the dashes are, counted in digits. */
static bool
dash_before(size_t digit)
{
	return digit == 8 || digit == 12 || digit == 16 || digit == 20;
}

char *
uuid_text(const uint8_t uuid[UUID_SIZE], char text[UUID_TEXT_SIZE])
{
	char digits[2 * UUID_SIZE + 1];
	char *p = text;

	hex_encode(uuid, UUID_SIZE, digits);
	*p++ = '{';
	for (size_t i = 0; i < 2 * UUID_SIZE; i++) {
		if (dash_before(i))
			*p++ = '-';
		*p++ = digits[i];
	}
	*p++ = '}';
	*p = '\0';
	return text;
}

bool
uuid_parse(const char *text, uint8_t uuid[UUID_SIZE])
{
	char digits[2 * UUID_SIZE];
	bool braces = *text == '{';
	bool dashes = strchr(text, '-') != NULL;
	const char *p = text + braces;

	for (size_t i = 0; i < sizeof(digits); i++) {
		if (dashes && dash_before(i) && *p++ != '-')
			return false;
		if (!isxdigit((unsigned char)*p))
			return false;
		digits[i] = (char)tolower((unsigned char)*p++);
	}
	if (braces && *p++ != '}')
		return false;
	return *p == '\0' && hex_decode(digits, sizeof(digits), uuid, UUID_SIZE);
}
