/* SPDX-License-Identifier: Apache-2.0 */

/* Messages of the streaming replication protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "group/postgresql/stream_message.h"

/* 2026-11-25 00:00:00 UTC: microseconds since 2000, and nanoseconds since 1970. */
#define DAY_US UINT64_C(848880000000000)
#define DAY_NS (UINT64_C(1795564800) * NS_PER_S)

static size_t
put64(uint8_t *p, uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
	return 8;
}

static int
parse(const uint8_t *p, size_t n, struct stream_message *ret)
{
	struct error err = ERROR_INIT;

	return stream_message_parse(SLICE(p, n), ret, &err);
}

static void
test_data(void **arg)
{
	uint8_t m[64] = {'w'};
	struct stream_message ret;
	size_t n = 1;

	(void)arg;
	n += put64(m + n, UINT64_C(0x16b374d848));
	n += put64(m + n, UINT64_C(0x16b374e000));
	n += put64(m + n, DAY_US);
	memcpy(m + n, "abc", 3);
	n += 3;
	assert_int_equal(parse(m, n, &ret), OK);
	assert_int_equal(ret.kind, STREAM_DATA);
	assert_int_equal(ret.position, UINT64_C(0x16b374d848));
	assert_int_equal(ret.end, UINT64_C(0x16b374e000));
	assert_int_equal(ret.time_ns, DAY_NS);
	assert_int_equal(ret.data.n, 3);
	assert_memory_equal(ret.data.p, "abc", 3);
	/* Shorter than its head, or empty: no message is. */
	for (size_t i = 1; i <= 25; i++)
		assert_int_equal(parse(m, i, &ret), ERR_PROTOCOL);
	/* Beyond the end of all logs. */
	(void)put64(m + 1, INT64_MAX - 2);
	assert_int_equal(parse(m, n, &ret), ERR_PROTOCOL);
}

static void
test_keepalive(void **arg)
{
	uint8_t m[64] = {'k'};
	struct stream_message ret;

	(void)arg;
	(void)put64(m + 1, 0x3000148);
	(void)put64(m + 9, DAY_US);
	m[17] = 1;
	assert_int_equal(parse(m, 18, &ret), OK);
	assert_int_equal(ret.kind, STREAM_KEEPALIVE);
	assert_int_equal(ret.end, 0x3000148);
	assert_true(ret.wants_reply);
	for (size_t i = 1; i < 18; i++)
		assert_int_equal(parse(m, i, &ret), ERR_PROTOCOL);
	/* A clock that is nowhere near. */
	(void)put64(m + 9, (uint64_t)INT64_MIN);
	assert_int_equal(parse(m, 18, &ret), OK);
	assert_int_equal(ret.time_ns, 0);
	(void)put64(m + 9, INT64_MAX);
	assert_int_equal(parse(m, 18, &ret), OK);
	assert_int_equal(ret.time_ns, 0);
}

static void
test_other(void **arg)
{
	struct stream_message ret;

	(void)arg;
	assert_int_equal(parse((const uint8_t *)"x123", 4, &ret), OK);
	assert_int_equal(ret.kind, STREAM_OTHER);
	assert_int_equal(parse(NULL, 0, &ret), ERR_PROTOCOL);
}

static void
test_status(void **arg)
{
	const struct stream_status s = {
		.written = 0x3000148, .flushed = 0x3000000, .time_ns = DAY_NS, .wants_reply = true};
	uint8_t text[STREAM_STATUS_SIZE], want[STREAM_STATUS_SIZE] = {'r'};

	(void)arg;
	(void)put64(want + 1, 0x3000148);
	(void)put64(want + 9, 0x3000000);
	(void)put64(want + 25, DAY_US);
	want[33] = 1;
	stream_status_make(&s, text);
	assert_memory_equal(text, want, sizeof(want));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
