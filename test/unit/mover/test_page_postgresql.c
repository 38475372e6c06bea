/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The page inspector against values that PostgreSQL itself computed (page_checksum() of its
 * extension pageinspect, version 15) for pages anybody can generate.
 *
 * With arguments the program is a checker of real files: START_LSN FILE... prints how many of their
 * pages are good, newer and bad. An end-to-end test runs it over a whole cluster.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mover/page_postgresql.h"
#include "mover/pages.h"

enum { PAGE = 8192, SEGMENT_PAGES = 131072 };

static void
generate(uint32_t seed, uint8_t *page, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		page[i] = (uint8_t)(seed >> 16);
	}
}

static void
test_known_values(void **arg)
{
	static const struct known {
		uint32_t seed, block;
		uint16_t checksum;
	} known[] = {
		{1, 0, 27575},           {1, 1, 27576},  {2, 131072, 21471},
		{3, 4294967294u, 29682}, {7, 77, 17094},
	};
	uint8_t page[PAGE];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct known *k = &known[i];

		generate(k->seed, page, PAGE);
		assert_int_equal(page_postgresql_checksum(page, PAGE, k->block), k->checksum);
		assert_int_equal(page_postgresql_checksum_plain(page, PAGE, k->block), k->checksum);
		/* What the page says its checksum is has no part in it. */
		page[8] ^= 0xff;
		page[9] ^= 0xff;
		assert_int_equal(page_postgresql_checksum(page, PAGE, k->block), k->checksum);
	}
}

/* Both ways of computing it agree, for every size of page and any alignment. */
static void
test_both_agree(void **arg)
{
	uint8_t pages[65536 + 64];

	(void)arg;
	for (uint32_t size = 4096; size <= 65536; size *= 2)
		for (uint32_t shift = 0; shift < 64; shift += 3) {
			generate(size + shift, pages, sizeof(pages));
			assert_int_equal(
				page_postgresql_checksum(pages + shift, size, shift),
				page_postgresql_checksum_plain(pages + shift, size, shift));
		}
}

/* A page as the database writes it: its LSN, a plausible header, its checksum. */
static void
make_page(uint8_t *page, uint64_t lsn, uint32_t block)
{
	uint32_t high = (uint32_t)(lsn >> 32), low = (uint32_t)lsn;
	uint16_t upper = 400, sum;

	generate((uint32_t)lsn, page, PAGE);
	memcpy(page, &high, 4);
	memcpy(page + 4, &low, 4);
	memcpy(page + 14, &upper, 2);
	sum = page_postgresql_checksum(page, PAGE, block);
	memcpy(page + 8, &sum, 2);
}

static void
test_verdicts(void **arg)
{
	const struct page_inspector *p = page_inspector_find("postgresql");
	const uint64_t lsn = UINT64_C(0x500000028);
	uint8_t page[PAGE];

	(void)arg;
	assert_non_null(p);
	assert_string_equal(p->format, "postgresql");
	assert_null(page_inspector_find("oracle"));
	assert_null(page_inspector_find(""));

	make_page(page, lsn, 7);
	assert_int_equal(p->check(page, PAGE, 7, 0), PAGE_GOOD);
	assert_int_equal(p->check(page, PAGE, 7, lsn + 1), PAGE_GOOD);
	/* The same bytes elsewhere: a misplaced write. */
	assert_int_equal(p->check(page, PAGE, 8, lsn), PAGE_BAD);
	/* Beyond 2^32 blocks numbers wrap as in the database. */
	assert_int_equal(p->check(page, PAGE, 7 + (UINT64_C(1) << 32), lsn), PAGE_GOOD);

	/* One bit, anywhere: bad, unless it was written after the backup began. */
	for (size_t at = 8; at < PAGE; at += 37) {
		page[at] ^= 0x10;
		assert_int_equal(p->check(page, PAGE, 7, lsn), PAGE_BAD);
		assert_int_equal(p->check(page, PAGE, 7, lsn - 1), PAGE_NEWER);
		page[at] ^= 0x10;
	}
	assert_int_equal(p->check(page, PAGE, 7, lsn), PAGE_GOOD);
}

static void
test_new_pages(void **arg)
{
	const struct page_inspector *p = page_inspector_find("postgresql");
	uint8_t page[PAGE] = {0};

	(void)arg;
	assert_int_equal(p->check(page, PAGE, 3, 0), PAGE_GOOD);
	/* Zeroes with something in them are no new page. */
	for (size_t at = 16; at < PAGE; at += 511) {
		page[at] = 1;
		assert_int_equal(p->check(page, PAGE, 3, 1), PAGE_BAD);
		page[at] = 0;
	}
	page[PAGE - 1] = 1;
	assert_int_equal(p->check(page, PAGE, 3, 1), PAGE_BAD);
}

/* The number after the last point of "16384.2" is that of its segment. */
static uint64_t
segment_of(const char *file)
{
	const char *point = strrchr(file, '.');

	return point != NULL && strchr(point, '/') == NULL ? strtoull(point + 1, NULL, 10) : 0;
}

static int
check_files(uint64_t start_lsn, char *const files[], int n)
{
	uint64_t count[PAGE_BAD + 1] = {0};
	uint8_t page[PAGE];

	for (int i = 0; i < n; i++) {
		uint64_t block = segment_of(files[i]) * SEGMENT_PAGES;
		FILE *f = fopen(files[i], "rb");

		for (; f != NULL && fread(page, PAGE, 1, f) == 1; block++)
			count[page_postgresql.check(page, PAGE, block, start_lsn)]++;
		if (f == NULL || fclose(f) != 0)
			return EXIT_FAILURE;
	}
	printf("good %" PRIu64 " newer %" PRIu64 " bad %" PRIu64 "\n", count[PAGE_GOOD],
	       count[PAGE_NEWER], count[PAGE_BAD]);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_values),
		cmocka_unit_test(test_both_agree),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_new_pages),
	};

	if (argc > 2)
		return check_files(strtoull(argv[1], NULL, 10), argv + 2, argc - 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
