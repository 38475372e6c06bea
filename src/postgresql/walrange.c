/* SPDX-License-Identifier: Apache-2.0 */

/* Arithmetic on log positions. */
#include "postgresql/walrange.h"

#include <inttypes.h>
#include <stdio.h>

#define PART_BYTES (UINT64_C(1) << 32)

/* One to eight hexadecimal digits; returns how many, 0 if it is none or too many. */
static size_t
hex_word(const char *text, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 0;

	for (;; n++) {
		char c = text[n];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'A' && c <= 'F')
			digit = (unsigned)(c - 'A') + 10;
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			break;
		if (n == 8)
			return 0;
		v = v << 4 | digit;
	}
	*ret = v;
	return n;
}

bool
walrange_parse_lsn(const char *text, uint64_t *ret)
{
	uint64_t high, low;

	size_t n = hex_word(text, &high);
	if (n == 0 || text[n] != '/')
		return false;
	text += n + 1;
	n = hex_word(text, &low);
	if (n == 0 || text[n] != 0 || (high << 32 | low) > WALRANGE_LSN_MAX)
		return false;
	*ret = high << 32 | low;
	return true;
}

char *
walrange_format_lsn(uint64_t lsn, char text[WALRANGE_LSN_LEN + 1])
{
	(void)snprintf(text, WALRANGE_LSN_LEN + 1, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32),
		       (uint32_t)lsn);
	return text;
}

bool
walrange_make(uint32_t timeline, uint64_t start, uint64_t stop, uint64_t segment_bytes,
	      struct walrange *ret)
{
	bool is_power = segment_bytes != 0 && (segment_bytes & (segment_bytes - 1)) == 0;

	if (!is_power || segment_bytes < 1 << 20 || segment_bytes > 1 << 30)
		return false;
	if (timeline == 0 || start == 0 || stop <= start)
		return false;
	*ret = (struct walrange){
		.timeline = timeline,
		.segment_bytes = segment_bytes,
		.first = start / segment_bytes,
		.last = (stop - 1) / segment_bytes,
	};
	return true;
}

uint64_t
walrange_count(const struct walrange *r)
{
	return r->last - r->first + 1;
}

char *
walrange_name(const struct walrange *r, uint64_t number, char text[WALRANGE_NAME_LEN + 1])
{
	uint64_t per_part = PART_BYTES / r->segment_bytes;

	(void)snprintf(text, WALRANGE_NAME_LEN + 1, "%08" PRIX32 "%08" PRIX32 "%08" PRIX32,
		       r->timeline, (uint32_t)(number / per_part), (uint32_t)(number % per_part));
	return text;
}
