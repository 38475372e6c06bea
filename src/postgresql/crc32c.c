/* SPDX-License-Identifier: Apache-2.0 */

/* Eight bytes at a time, with eight tables that are made when first wanted. */
#include "postgresql/crc32c.h"

#include <pthread.h>

#include "base/le.h"

static uint32_t tables[8][256];
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void
make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = (c & 1) != 0 ? c >> 1 ^ UINT32_C(0x82f63b78) : c >> 1;
		tables[0][i] = c;
	}
	for (int t = 1; t < 8; t++)
		for (int i = 0; i < 256; i++)
			tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xff];
}

uint32_t
crc32c_add(uint32_t crc, struct slice bytes)
{
	const uint8_t *p = bytes.p;
	size_t n = bytes.n;

	(void)pthread_once(&made, make_tables);
	for (; n >= 8; p += 8, n -= 8) {
		uint32_t low = le32_get(p) ^ crc, high = le32_get(p + 4);

		crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^
		      tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^ tables[3][high & 0xff] ^
		      tables[2][high >> 8 & 0xff] ^ tables[1][high >> 16 & 0xff] ^
		      tables[0][high >> 24];
	}
	for (; n > 0; p++, n--)
		crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
	return crc;
}
