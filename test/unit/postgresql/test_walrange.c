/* SPDX-License-Identifier: Apache-2.0 */

/* Log positions and file names, against values from real servers and PostgreSQL's documentation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "postgresql/walrange.h"

#define MIB (UINT64_C(1) << 20)

static void
test_lsn(void **arg)
{
	static const struct {
		const char *text;
		uint64_t lsn;
	} good[] = {
		{"0/0", 0},
		{"0/11000028", 0x11000028},
		{"16/B374D848", UINT64_C(0x16b374d848)},
		{"7FFFFFFF/FFFFFFFF", INT64_MAX},
		{"1/0", UINT64_C(1) << 32},
	};
	static const char *const bad[] = {
		"",    "0",   "/",     "0/",          "/0",          "0/0 ", " 0/0",       "0/-1",
		"x/0", "0/g", "0/0/0", "123456789/0", "0/123456789", "+1/0", "80000000/0",
	};
	char text[WALRANGE_LSN_LEN + 1];
	uint64_t lsn = 77;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(walrange_parse_lsn(good[i].text, &lsn));
		assert_int_equal(lsn, good[i].lsn);
		assert_string_equal(walrange_format_lsn(lsn, text), good[i].text);
	}
	assert_true(walrange_parse_lsn("a/bc", &lsn));
	assert_int_equal(lsn, UINT64_C(0xa000000bc));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(walrange_parse_lsn(bad[i], &lsn));
	assert_int_equal(lsn, UINT64_C(0xa000000bc));
}

static void
test_names(void **arg)
{
	static const struct {
		uint32_t timeline;
		uint64_t start, stop, segment;
		const char *first, *last;
		uint64_t count;
	} ranges[] = {
		/* As pg_backup_start and pg_backup_stop of a 15 gave them. */
		{1, 0x11000028, 0x11000100, 16 * MIB, "000000010000000000000011",
		 "000000010000000000000011", 1},
		/* A stop at the very end of a segment does not need the next. */
		{1, 0x11000028, 0x12000000, 16 * MIB, "000000010000000000000011",
		 "000000010000000000000011", 1},
		{1, 0x11000028, 0x12000001, 16 * MIB, "000000010000000000000011",
		 "000000010000000000000012", 2},
		/* Across four gigabytes: 255 is the last of a part of 16 MiB segments. */
		{0x1f, UINT64_C(0x2fe000000), UINT64_C(0x300000001), 16 * MIB,
		 "0000001F00000002000000FE", "0000001F0000000300000000", 3},
		{2, UINT64_C(0x100000028), UINT64_C(0x100200000), MIB, "000000020000000100000000",
		 "000000020000000100000001", 2},
		{2, UINT64_C(0x1c0000028), UINT64_C(0x200000028), 1024 * MIB,
		 "000000020000000100000003", "000000020000000200000000", 2},
	};
	char text[WALRANGE_NAME_LEN + 1];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct walrange r;

		assert_true(walrange_make(ranges[i].timeline, ranges[i].start, ranges[i].stop,
					  ranges[i].segment, &r));
		assert_int_equal(walrange_count(&r), ranges[i].count);
		assert_string_equal(walrange_name(&r, r.first, text), ranges[i].first);
		assert_string_equal(walrange_name(&r, r.last, text), ranges[i].last);
	}
}

static void
test_no_range(void **arg)
{
	struct walrange r;

	(void)arg;
	assert_false(walrange_make(0, 1, 2, 16 * MIB, &r));
	assert_false(walrange_make(1, 0, 2, 16 * MIB, &r));
	assert_false(walrange_make(1, 2, 2, 16 * MIB, &r));
	assert_false(walrange_make(1, 3, 2, 16 * MIB, &r));
	assert_false(walrange_make(1, 1, 2, 0, &r));
	assert_false(walrange_make(1, 1, 2, 3 * MIB, &r));
	assert_false(walrange_make(1, 1, 2, MIB / 2, &r));
	assert_false(walrange_make(1, 1, 2, 2048 * MIB, &r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lsn),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
