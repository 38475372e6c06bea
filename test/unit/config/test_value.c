/* SPDX-License-Identifier: Apache-2.0 */

/* Values with units: what is accepted, what is refused, and that printing parses back. */
#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define KIB UINT64_C(1024)

static uint64_t
size_of(const char *text)
{
	struct error err = ERROR_INIT;
	uint64_t v = 0;

	if (value_parse_size(text, &v, &err) != OK)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static uint64_t
seconds_of(const char *text)
{
	struct error err = ERROR_INIT;
	uint64_t v = 0;

	if (value_parse_duration(text, &v, &err) != OK)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static void
test_sizes(void **state)
{
	(void)state;
	assert_int_equal(size_of("0"), 0);
	assert_int_equal(size_of("12"), 12);
	assert_int_equal(size_of("7B"), 7);
	assert_int_equal(size_of("128MiB"), 128 * KIB * KIB);
	assert_int_equal(size_of("3G"), 3 * KIB * KIB * KIB);
	assert_int_equal(size_of("2kB"), 2000);
	assert_int_equal(size_of("18446744073709551615"), UINT64_MAX);
}

static void
test_sizes_refused(void **state)
{
	static const char *const bad[] = {"",      "MiB",  "-1",          "1 MiB",
					  "1.5G",  "1mib", "0x10",        "18446744073709551616",
					  "1MiBx", "+1",   "17179869184T"};
	uint64_t v = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = ERROR_INIT;

		if (value_parse_size(bad[i], &v, &err) != ERR_CONFIG)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(v, 77);
	}
}

static void
test_durations(void **state)
{
	(void)state;
	assert_int_equal(seconds_of("0"), 0);
	assert_int_equal(seconds_of("10s"), 10);
	assert_int_equal(seconds_of("1h30m"), 5400);
	assert_int_equal(seconds_of("2w1d"), 15 * 86400);
	assert_int_equal(seconds_of("1y"), 365 * 86400);
}

static void
test_durations_refused(void **state)
{
	static const char *const bad[] = {"",    "10",   "s",  "1h30",          "1 h",
					  "-1s", "1min", "1H", "584942417356y", "1h-1m"};
	uint64_t v = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = ERROR_INIT;

		if (value_parse_duration(bad[i], &v, &err) != ERR_CONFIG)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(v, 77);
	}
}

static void
test_printing_parses_back(void **state)
{
	static const uint64_t values[] = {
		0,      1,          59,   60,  3600,    86399,           86400,
		604800, 90 * 86400, 1023, KIB, KIB + 1, KIB * KIB * 128, UINT64_MAX >> 1};
	char text[VALUE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		assert_int_equal(size_of(value_format_size(values[i], text)), values[i]);
		assert_int_equal(seconds_of(value_format_duration(values[i], text)), values[i]);
	}
	assert_string_equal(value_format_size(128 * KIB * KIB, text), "128MiB");
	assert_string_equal(value_format_duration(5400, text), "1h30m");
	assert_string_equal(value_format_duration(24 * 3600, text), "1d");
}

static void
test_milliseconds(void **state)
{
	static const uint64_t values[] = {0, 1, 999, 1000, 1500, 60000, 90061001};
	char text[VALUE_TEXT_MAX];
	uint64_t v = 0;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		value_format_duration_ms(values[i], text);
		assert_int_equal(value_parse_duration_ms(text, &v, &err), OK);
		assert_int_equal(v, values[i]);
	}
	assert_string_equal(value_format_duration_ms(90061001, text), "1d1h1m1s1ms");
	assert_int_equal(value_parse_duration_ms("2m", &v, &err), OK);
	assert_int_equal(v, 120000);
	assert_int_equal(value_parse_duration_ms("120000", &v, &err), ERR_CONFIG);
	assert_int_equal(value_parse_duration_ms("18446744073709551615y", &v, &err), ERR_CONFIG);
	/* Where seconds are meant, there are no smaller ones. */
	assert_int_equal(value_parse_duration("5ms", &v, &err), ERR_CONFIG);
}

static void
test_bools(void **state)
{
	struct error err = ERROR_INIT;
	bool v = false;

	(void)state;
	assert_int_equal(value_parse_bool("Yes", &v, &err), OK);
	assert_true(v);
	assert_int_equal(value_parse_bool("off", &v, &err), OK);
	assert_false(v);
	assert_int_equal(value_parse_bool("y", &v, &err), ERR_CONFIG);
	assert_int_equal(value_parse_bool("", &v, &err), ERR_CONFIG);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_sizes_refused),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_durations_refused),
		cmocka_unit_test(test_printing_parses_back),
		cmocka_unit_test(test_milliseconds),
		cmocka_unit_test(test_bools),
	};

	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
