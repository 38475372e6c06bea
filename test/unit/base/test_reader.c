/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The cursor over untrusted bytes: values, the sticky failure, exact consumption.
 */
#include "base/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static struct reader
reader_on(const char *bytes, size_t n)
{
	return reader_of(SLICE(bytes, n));
}

static void
test_integers(void **state)
{
	struct reader r = reader_on("\x01\x03\x02\x07\x06\x05\x04\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08",
				    15);

	(void)state;
	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_le16(&r), 0x0203);
	assert_int_equal(reader_le32(&r), 0x04050607);
	assert_int_equal(reader_left(&r), 8);
	assert_true(reader_le64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(reader_end(&r, "test", NULL), OK);
}

static void
test_failure_is_sticky(void **state)
{
	struct reader r = reader_on("abc", 3);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(reader_le32(&r), 0);
	assert_true(r.failed);
	/* Three bytes were there, but not any more. */
	assert_int_equal(reader_u8(&r), 0);
	assert_int_equal(reader_le16(&r), 0);
	assert_true(reader_le64(&r) == 0);
	assert_true(reader_varint(&r) == 0);
	assert_int_equal(reader_take(&r, 1).n, 0);
	assert_int_equal(reader_take(&r, 0).n, 0);
	assert_int_equal(reader_bytes(&r).n, 0);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_end(&r, "index", &err), ERR_CORRUPT);
	assert_memory_equal(err.msg, "index: ", 7);
}

static void
test_end_wants_everything(void **state)
{
	struct reader r = reader_on("ab", 2);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(reader_u8(&r), 'a');
	assert_int_equal(reader_end(&r, "x", &err), ERR_CORRUPT);
	assert_string_equal(err.msg, "x: 1 bytes too many");
	assert_int_equal(reader_u8(&r), 'b');
	assert_int_equal(reader_end(&r, "x", &err), OK);
	reader_fail(&r);
	assert_int_equal(reader_end(&r, "x", &err), ERR_CORRUPT);
}

static void
test_nothing(void **state)
{
	struct reader r = reader_of(SLICE(NULL, 0));

	(void)state;
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_take(&r, 0).n, 0);
	assert_int_equal(reader_end(&r, "x", NULL), OK);
	assert_int_equal(reader_u8(&r), 0);
	assert_int_equal(reader_end(&r, "x", NULL), ERR_CORRUPT);
}

static void
test_varint_round_trip(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 64; shift++)
		for (int delta = -1; delta <= 1; delta++) {
			CLEAN(buf_done) struct buf b = BUF_INIT(10);
			uint64_t v = (UINT64_C(1) << shift) + (uint64_t)delta;
			assert_int_equal(buf_varint(&b, v, NULL), OK);
			struct reader r = reader_of(buf_slice(&b));
			assert_true(reader_varint(&r) == v);
			assert_int_equal(reader_end(&r, "varint", NULL), OK);
		}
}

static void
test_varint_refused(void **state)
{
	static const struct slice cases[] = {
		{(const uint8_t *)"\x80\x00", 2}, /* zero in two bytes */
		{(const uint8_t *)"\xff\x80\x00", 3},
		{(const uint8_t *)"\x80", 1}, /* ends early */
		{(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9},
		{(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, /* 65 bits */
		{(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11},
		{(const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reader r = reader_of(cases[i]);
		assert_true(reader_varint(&r) == 0);
		assert_true(r.failed);
	}
}

static void
test_take_and_bytes(void **state)
{
	static const char bytes[] = "\x03"
				    "abcxy";
	struct reader r = reader_on(bytes, 6);

	(void)state;
	struct slice s = reader_bytes(&r);
	assert_int_equal(s.n, 3);
	assert_ptr_equal(s.p, bytes + 1);
	s = reader_take(&r, 2);
	assert_int_equal(s.n, 2);
	assert_ptr_equal(s.p, bytes + 4);
	assert_int_equal(reader_end(&r, "x", NULL), OK);
}

static void
test_lengths_beyond_the_end(void **state)
{
	struct reader r = reader_on("\x04"
				    "abc",
				    4);

	(void)state;
	assert_int_equal(reader_bytes(&r).n, 0);
	assert_true(r.failed);
	r = reader_on("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
	assert_int_equal(reader_bytes(&r).n, 0);
	assert_true(r.failed);
	r = reader_on("abc", 3);
	assert_int_equal(reader_take(&r, SIZE_MAX).n, 0);
	assert_true(r.failed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_failure_is_sticky),
		cmocka_unit_test(test_end_wants_everything),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_varint_round_trip),
		cmocka_unit_test(test_varint_refused),
		cmocka_unit_test(test_take_and_bytes),
		cmocka_unit_test(test_lengths_beyond_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
