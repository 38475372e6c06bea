/* SPDX-License-Identifier: Apache-2.0 */

/* Timeline history files, as real servers write them, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "postgresql/timeline.h"

static int
parse(uint32_t timeline, const char *text, struct timeline_history *ret)
{
	struct error err = ERROR_INIT;

	return timeline_history_parse(timeline, SLICE(text, strlen(text)), ret, &err);
}

static void
test_good(void **arg)
{
	struct timeline_history h;
	uint64_t end = 7;

	(void)arg;
	assert_int_equal(parse(3,
			       "1\t0/3000148\tno recovery target specified\n"
			       "\n"
			       "2\t0/5000060\tbefore 2026-11-25 19:00:00+00\n",
			       &h),
			 OK);
	assert_int_equal(h.n, 2);
	assert_true(timeline_end(&h, 1, &end));
	assert_int_equal(end, 0x3000148);
	assert_true(timeline_end(&h, 2, &end));
	assert_int_equal(end, 0x5000060);
	assert_false(timeline_end(&h, 3, &end));
	assert_false(timeline_end(&h, 4, &end));
}

static void
test_without_reason_or_newline(void **arg)
{
	struct timeline_history h;

	(void)arg;
	assert_int_equal(parse(2, "# a comment\n 1 0/3000148", &h), OK);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.ancestors[0].end, 0x3000148);
	/* The first one has none. */
	assert_int_equal(parse(1, "", &h), OK);
	assert_int_equal(h.n, 0);
}

static void
test_bad(void **arg)
{
	static const char *const bad[] = {
		"1\n",
		"x\t0/1\n",
		"0\t0/1\n",
		"-1\t0/1\n",
		"1\t0x1\n",
		"1\t0/\n",
		"99999999999\t0/1\n",
		"4294967296\t0/1\n",
		"3\t0/1\n", /* its own descendant */
		"2\t0/2\n1\t0/3\n", /* out of order */
		"1\t0/3\n2\t0/2\n", /* backwards */
		"1\t0/3\n1\t0/4\n", /* twice */
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct timeline_history h;

		assert_int_equal(parse(3, bad[i], &h), ERR_CORRUPT);
	}
}

static void
test_limits(void **arg)
{
	static char text[TIMELINE_FILE_MAX];
	struct timeline_history h;
	size_t n = 0;

	(void)arg;
	for (unsigned i = 1; i <= TIMELINE_ANCESTORS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u\t0/%X\tx\n", i, i);
	assert_int_equal(parse(1000, text, &h), OK);
	assert_int_equal(h.n, TIMELINE_ANCESTORS_MAX);
	(void)snprintf(text + n, sizeof(text) - n, "900\t1/0\tx\n");
	assert_int_equal(parse(1000, text, &h), ERR_CORRUPT);
}

static void
test_name(void **arg)
{
	char name[TIMELINE_NAME_LEN + 1];

	(void)arg;
	assert_string_equal(timeline_history_name(0x1a, name), "0000001A.history");
	assert_string_equal(timeline_history_name(UINT32_MAX, name), "FFFFFFFF.history");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_without_reason_or_newline),
		cmocka_unit_test(test_bad),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
