/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Base64: the vectors of RFC 4648, and only the encoder's spelling is accepted.
 */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct slice
text(const char *s)
{
	return SLICE(s, strlen(s));
}

static void
test_vectors(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbf", "+/+/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEAN(buf_done) struct buf b = BUF_INIT(8);
		const char *plain = cases[i][0], *coded = cases[i][1];
		assert_int_equal(base64_encode(text(plain), &b, NULL), OK);
		assert_int_equal(b.n, strlen(coded));
		assert_memory_equal(b.p, coded, b.n);
		buf_reset(&b);
		assert_int_equal(base64_decode(text(coded), &b, NULL), OK);
		assert_int_equal(b.n, strlen(plain));
		assert_memory_equal(b.p, plain, b.n);
	}
}

static void
test_every_length_and_byte(void **state)
{
	uint8_t bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		CLEAN(buf_done) struct buf coded = BUF_INIT(1000), back = BUF_INIT(1000);
		assert_int_equal(base64_encode(SLICE(bytes, n), &coded, NULL), OK);
		assert_int_equal(base64_decode(buf_slice(&coded), &back, NULL), OK);
		assert_int_equal(back.n, n);
		if (n > 0)
			assert_memory_equal(back.p, bytes, n);
	}
}

static void
test_strict(void **state)
{
	static const char *const cases[] = {
		"Z",    "Zg",       "Zg=",      "Zg===", "=",      "==",       "===",
		"====", "Z===",     "Zh==", /* bits beyond the byte */
		"Zm9=", "Zm8=Zm8=", "Zg==Zg==", "Zm8\n", "Zm9v\n", " Zm9",     "Zm9v    ",
		"Zm-_", "Zm9v====", "Z=9v",     "Zm=v",  "=m9v",   "Zm9v Zm9",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEAN(buf_done) struct buf b = BUF_INIT(100);
		struct error err = ERROR_INIT;
		assert_int_equal(buf_append(&b, "ab", 2, NULL), OK);
		assert_int_equal(base64_decode(text(cases[i]), &b, &err), ERR_PROTOCOL);
		assert_int_equal(b.n, 2);
		assert_memory_equal(b.p, "ab", 2);
	}
}

static void
test_alphabet(void **state)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	for (int c = 0; c < 256; c++) {
		CLEAN(buf_done) struct buf b = BUF_INIT(3);
		char coded[4] = {'A', (char)c, 'A', 'A'};
		const char *at = c != 0 ? strchr(alphabet, c) : NULL;
		int rc = base64_decode(SLICE(coded, 4), &b, NULL);
		assert_int_equal(rc, at != NULL ? OK : ERR_PROTOCOL);
		if (at != NULL)
			assert_int_equal(b.p[0] << 4 | b.p[1] >> 4, at - alphabet);
	}
}

static void
test_limits(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(3);

	(void)state;
	assert_int_equal(base64_encode(text("f"), &b, NULL), ERR_LIMIT);
	assert_int_equal(base64_decode(text("Zm9vYg=="), &b, NULL), ERR_LIMIT);
	assert_int_equal(b.n, 0);
	assert_int_equal(base64_decode(text("Zm9v"), &b, NULL), OK);
	assert_int_equal(base64_encode(SLICE("x", SIZE_MAX), &b, NULL), ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_every_length_and_byte),
		cmocka_unit_test(test_strict),  cmocka_unit_test(test_alphabet),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
