/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The bounded buffer: its encodings, its maximum, and that a failure changes nothing.
 */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

static void
assert_holds(const struct buf *b, const char *digits)
{
	char text[512];

	assert_true(b->n * 2 < sizeof(text));
	assert_string_equal(hex_encode(b->p, b->n, text), digits);
}

static void
test_integers(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(buf_u8(&b, 0x01, NULL), OK);
	assert_int_equal(buf_le16(&b, 0x0203, NULL), OK);
	assert_int_equal(buf_le32(&b, 0x04050607, NULL), OK);
	assert_int_equal(buf_le64(&b, UINT64_C(0x08090a0b0c0d0e0f), NULL), OK);
	assert_holds(&b, "010302070605040f0e0d0c0b0a0908");
}

static void
test_varints(void **state)
{
	static const struct {
		uint64_t v;
		const char *digits;
	} cases[] = {
		{0, "00"},
		{127, "7f"},
		{128, "8001"},
		{300, "ac02"},
		{16383, "ff7f"},
		{16384, "808001"},
		{UINT64_C(1) << 63, "80808080808080808001"},
		{UINT64_MAX, "ffffffffffffffffff01"},
	};
	CLEAN(buf_done) struct buf b = BUF_INIT(10);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_reset(&b);
		assert_int_equal(buf_varint(&b, cases[i].v, NULL), OK);
		assert_holds(&b, cases[i].digits);
	}
}

static void
test_bytes(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(1000);
	uint8_t many[200] = {0};

	(void)state;
	assert_int_equal(buf_bytes(&b, "abc", 3, NULL), OK);
	assert_int_equal(buf_bytes(&b, NULL, 0, NULL), OK);
	assert_holds(&b, "0361626300");
	assert_int_equal(buf_bytes(&b, many, sizeof(many), NULL), OK);
	assert_int_equal(b.n, 5 + 2 + 200);
	assert_memory_equal(b.p + 5, "\xc8\x01", 2);
}

static void
test_maximum_is_exact(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(5);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(buf_append(&b, "abcde", 5, &err), OK);
	assert_int_equal(buf_append(&b, "f", 1, &err), ERR_LIMIT);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(buf_append(&b, NULL, 0, &err), OK);
	assert_int_equal(b.n, 5);
	assert_memory_equal(b.p, "abcde", 5);
	assert_true(b.cap <= 6);
}

static void
test_failure_changes_nothing(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(7);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(buf_append(&b, "abcd", 4, &err), OK);
	assert_int_equal(buf_le32(&b, 1, &err), ERR_LIMIT);
	assert_int_equal(buf_le64(&b, 1, &err), ERR_LIMIT);
	assert_int_equal(buf_varint(&b, UINT64_MAX, &err), ERR_LIMIT);
	/* The length would fit, the bytes would not. */
	assert_int_equal(buf_bytes(&b, "xyz", 3, &err), ERR_LIMIT);
	assert_int_equal(buf_printf(&b, &err, "%s", "1234"), ERR_LIMIT);
	assert_int_equal(buf_reserve(&b, SIZE_MAX, &err), ERR_LIMIT);
	assert_int_equal(buf_bytes(&b, "x", SIZE_MAX, &err), ERR_LIMIT);
	assert_int_equal(b.n, 4);
	assert_memory_equal(b.p, "abcd", 4);
	assert_int_equal(buf_bytes(&b, "xy", 2, &err), OK);
}

static void
test_no_memory(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(SIZE_MAX);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(buf_append(&b, "abcd", 4, &err), OK);
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 4, &err), ERR_NO_MEMORY);
	assert_int_equal(b.n, 4);
	assert_memory_equal(b.p, "abcd", 4);
}

static void
test_printf(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(10);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(buf_printf(&b, &err, "%d-", 12), OK);
	assert_int_equal(buf_printf(&b, &err, "%s", "3456789"), OK);
	assert_int_equal(b.n, 10);
	/* The zero lies beyond the maximum and is not counted. */
	assert_string_equal((char *)b.p, "12-3456789");
	assert_int_equal(buf_printf(&b, &err, "%s", ""), OK);
	assert_int_equal(buf_printf(&b, &err, "x"), ERR_LIMIT);
	assert_string_equal((char *)b.p, "12-3456789");
}

static void
test_printf_at_capacity(void **state)
{
	(void)state;
	/* At every fill level around a reallocation the zero must find room. */
	for (size_t fill = 0; fill < 200; fill++) {
		CLEAN(buf_done) struct buf b = BUF_INIT(1000);
		for (size_t i = 0; i < fill; i++)
			assert_int_equal(buf_u8(&b, 'x', NULL), OK);
		assert_int_equal(buf_printf(&b, NULL, "yz"), OK);
		assert_true(b.cap > b.n);
		assert_int_equal(strlen((char *)b.p), fill + 2);
	}
}

static void
test_growth_keeps_contents(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(100000);
	size_t moves = 0;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		size_t cap = b.cap;
		assert_int_equal(buf_le32(&b, i, NULL), OK);
		moves += b.cap != cap;
	}
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(b.p[4 * i] | b.p[4 * i + 1] << 8 | b.p[4 * i + 2] << 16, i);
	/* Linear: the capacity grows by a factor. */
	assert_true(moves < 40);
}

static void
test_reset_and_done(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(buf_append(&b, "abc", 3, NULL), OK);
	assert_int_equal(buf_slice(&b).n, 3);
	assert_ptr_equal(buf_slice(&b).p, b.p);
	size_t cap = b.cap;
	buf_reset(&b);
	assert_int_equal(b.n, 0);
	assert_int_equal(b.cap, cap);
	buf_done(&b);
	assert_null(b.p);
	assert_int_equal(buf_append(&b, "abc", 3, NULL), OK);
	buf_done(&b);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_varints),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_maximum_is_exact),
		cmocka_unit_test(test_failure_changes_nothing),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_printf_at_capacity),
		cmocka_unit_test(test_growth_keeps_contents),
		cmocka_unit_test(test_reset_and_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
