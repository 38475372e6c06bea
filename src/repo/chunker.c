/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The gear hash shifts left by one for each byte, so bit 63 has seen the last 64 bytes and low bits
 * only the newest. The masks therefore use the top bits. Before the wanted size two more bits must be
 * zero than after it (normalised chunking, level 2), which narrows the spread of lengths.
 */
#include "repo/chunker.h"

#include "base/le.h"

#define BITS_AVERAGE 18 /* log2(CHUNK_AVERAGE) */
#define MASK(bits) (~UINT64_C(0) << (64 - (bits)))

_Static_assert(CHUNK_AVERAGE == 1 << BITS_AVERAGE, "the masks follow the wanted size");

int
chunker_init(struct chunker *c, const struct secret *key, struct error *err)
{
	uint8_t raw[256 * 8];

	if (crypto_expand(key, SLICE("", 0), "holdfast chunker", raw, sizeof(raw), err) < 0)
		return error_prefix(err, "make the chunker's table");
	for (size_t i = 0; i < ARRAY_SIZE(c->gear); i++)
		c->gear[i] = le64_get(raw + 8 * i);
	crypto_wipe(raw, sizeof(raw));
	return OK;
}

/*
 * Position just after the first byte from `from` on whose hash has the mask's bits all zero, or `to`.
 * The hash is started anew at `from`: 64 bytes later it no longer shows.
 */
static size_t
scan(const struct chunker *c, const uint8_t *p, size_t from, size_t to, uint64_t mask,
     uint64_t *hash)
{
	uint64_t h = *hash;

	for (size_t i = from; i < to; i++) {
		h = (h << 1) + c->gear[p[i]];
		if ((h & mask) == 0) {
			*hash = h;
			return i + 1;
		}
	}
	*hash = h;
	return to;
}

size_t
chunker_cut(const struct chunker *c, const uint8_t *p, size_t n)
{
	uint64_t hash = 0;
	size_t middle = MIN(n, (size_t)CHUNK_AVERAGE);
	size_t end = MIN(n, (size_t)CHUNK_MAX);

	if (n <= CHUNK_MIN)
		return n;
	/* Warm up over the 64 bytes before the first place where a cut may be. */
	for (size_t i = CHUNK_MIN - 64; i < CHUNK_MIN; i++)
		hash = (hash << 1) + c->gear[p[i]];
	size_t cut = scan(c, p, CHUNK_MIN, middle, MASK(BITS_AVERAGE + 2), &hash);
	if (cut < middle)
		return cut;
	return scan(c, p, middle, end, MASK(BITS_AVERAGE - 2), &hash);
}
