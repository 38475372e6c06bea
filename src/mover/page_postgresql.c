/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PostgreSQL's page checksum: FNV-1a, varied so that it runs in parallel. The page is read as rows
 * of 32 words; each column is hashed by itself, two rows of zeroes stir what came last, the 32
 * results are folded by XOR, and the block number and a reduction to 1 .. 65535 follow. The field
 * that holds the checksum counts as zero.
 *
 * With AVX2 it is several times as fast, which is why that is compiled beside the plain version and
 * chosen at run time.
 *
 * Source: PostgreSQL, "Page checksums" in src/backend/storage/page/README and the algorithm's
 * description in its checksum implementation header; the page header's layout is that of the
 * documentation's chapter "Database Page Layout". Numbers in a page are in the machine's own order.
 */
#include "mover/page_postgresql.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { COLUMNS = 32, ROW_BYTES = COLUMNS * 4 };
enum { AT_LSN_HIGH = 0, AT_LSN_LOW = 4, AT_CHECKSUM = 8, AT_UPPER = 14 };

static const uint32_t seeds[COLUMNS] = {
	0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2,
	0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c,
	0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979,
	0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e,
	0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
};

enum { PRIME = 16777619 };

/* Hash n rows into the sums of the columns. */
typedef void hash_rows_fn(uint32_t sums[COLUMNS], const uint8_t *rows, size_t n);

static void
hash_rows_plain(uint32_t sums[COLUMNS], const uint8_t *rows, size_t n)
{
	uint32_t words[COLUMNS];

	for (; n > 0; n--, rows += ROW_BYTES) {
		memcpy(words, rows, ROW_BYTES);
		for (int i = 0; i < COLUMNS; i++) {
			uint32_t mixed = sums[i] ^ words[i];

			sums[i] = (mixed * PRIME) ^ (mixed >> 17);
		}
	}
}

#if defined(__x86_64__)

/* The same, eight columns to a register. By hand: gcc splits generic vectors before it knows that a
 * function is for AVX2. */
__attribute__((target("avx2"))) static void
hash_rows_avx2(uint32_t sums[COLUMNS], const uint8_t *rows, size_t n)
{
	const __m256i prime = _mm256_set1_epi32(PRIME);
	__m256i sum[COLUMNS / 8];

	memcpy(sum, sums, sizeof(sum));
	for (; n > 0; n--, rows += ROW_BYTES) {
#pragma GCC unroll 4
		for (size_t i = 0; i < ARRAY_SIZE(sum); i++) {
			__m256i words, mixed;

			memcpy(&words, rows + i * sizeof(words), sizeof(words));
			mixed = _mm256_xor_si256(sum[i], words);
			sum[i] = _mm256_xor_si256(_mm256_mullo_epi32(mixed, prime),
						  _mm256_srli_epi32(mixed, 17));
		}
	}
	memcpy(sums, sum, sizeof(sum));
}

static hash_rows_fn *
hash_rows_best(void)
{
	return __builtin_cpu_supports("avx2") ? hash_rows_avx2 : hash_rows_plain;
}

#else

static hash_rows_fn *
hash_rows_best(void)
{
	return hash_rows_plain;
}

#endif

static uint16_t
checksum(hash_rows_fn *hash_rows, const uint8_t *page, uint32_t page_size, uint32_t block)
{
	const uint8_t zeroes[2 * ROW_BYTES] = {0};
	uint8_t first[ROW_BYTES];
	uint32_t sums[COLUMNS];
	uint32_t folded = 0;

	memcpy(sums, seeds, sizeof(sums));
	memcpy(first, page, ROW_BYTES);
	memset(first + AT_CHECKSUM, 0, 2);
	hash_rows(sums, first, 1);
	hash_rows(sums, page + ROW_BYTES, page_size / ROW_BYTES - 1);
	hash_rows(sums, zeroes, 2);
	for (int i = 0; i < COLUMNS; i++)
		folded ^= sums[i];
	return (uint16_t)((folded ^ block) % 65535 + 1);
}

uint16_t
page_postgresql_checksum(const uint8_t *page, uint32_t page_size, uint32_t block)
{
	return checksum(hash_rows_best(), page, page_size, block);
}

uint16_t
page_postgresql_checksum_plain(const uint8_t *page, uint32_t page_size, uint32_t block)
{
	return checksum(hash_rows_plain, page, page_size, block);
}

static uint16_t
get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t
page_lsn(const uint8_t *page)
{
	uint32_t high, low;

	memcpy(&high, page + AT_LSN_HIGH, sizeof(high));
	memcpy(&low, page + AT_LSN_LOW, sizeof(low));
	return (uint64_t)high << 32 | low;
}

static bool
is_zero(const uint8_t *p, uint32_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static enum page_verdict
page_postgresql_check(const uint8_t *page, uint32_t page_size, uint64_t block, uint64_t start_lsn)
{
	/* A page that was added to its relation but never filled is all zeroes, and has no
	 * checksum. Its "upper" is what PostgreSQL itself looks at first. */
	if (get16(page + AT_UPPER) == 0 && is_zero(page, page_size))
		return PAGE_GOOD;
	if (page_postgresql_checksum(page, page_size, (uint32_t)block) == get16(page + AT_CHECKSUM))
		return PAGE_GOOD;
	/* Written while we read: what is missing comes from the full image in the log. */
	return page_lsn(page) > start_lsn ? PAGE_NEWER : PAGE_BAD;
}

const struct page_inspector page_postgresql = {
	.format = "postgresql",
	.check = page_postgresql_check,
};
