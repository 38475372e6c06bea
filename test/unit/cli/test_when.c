/* SPDX-License-Identifier: Apache-2.0 */

/* Moments as people write them, with and without a zone. */
#include "cli/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

static int
setup(void **state)
{
	(void)state;
	/* POSIX counts west as positive: two hours east of Greenwich, no summer time. */
	if (setenv("TZ", "HFT-2", 1) < 0)
		return -1;
	tzset();
	return 0;
}

static void
good(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{"2026-11-25 19:15:32Z", 1795634132 * S},
		{"2026-11-25T19:15:32Z", 1795634132 * S},
		{"2026-11-25 19:15:32 UTC", 1795634132 * S},
		{"2026-11-25 19:15:32+00", 1795634132 * S},
		{"2026-11-25 20:15:32+01:00", 1795634132 * S},
		{"2026-11-25 13:45:32 -0530", 1795634132 * S},
		{"2026-11-25 21:15:32", 1795634132 * S},
		{"2026-11-25 21:15:32.000001", 1795634132 * S + 1000},
		{"2026-11-25 19:15:32.5Z", 1795634132 * S + S / 2},
		{"2026-11-25 19:15:32.123456789+00", 1795634132 * S + 123456789},
		{"2026-11-25 21:15", 1795634100 * S},
		{"2026-11-25", 1795557600 * S},
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ns = 0;

		assert_int_equal(when_parse(cases[i].text, &ns, &err), OK);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void
bad(void **state)
{
	static const char *const cases[] = {
		"",
		"now",
		"14:25",
		"2026-11-25 25:00",
		"2026-11-25 19:15:32.",
		"2026-11-25 19:15:32.1234567890",
		"2026-11-25 19:15.5",
		"2026-11-25 19:15:32+1",
		"2026-11-25 19:15:32+01:0",
		"2026-11-25 19:15:32+01:60",
		"2026-11-25 19:15:32 CET",
		"2026-11-25 19:15:32Zx",
		"1960-01-01",
	};
	struct error err = ERROR_INIT;
	uint64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(when_parse(cases[i], &ns, &err), ERR_USAGE);
	assert_int_equal(ns, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(bad)};

	return cmocka_run_group_tests(tests, setup, NULL);
}
