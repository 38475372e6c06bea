/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HKDF-SHA-256 (RFC 5869, appendix A) and scrypt (RFC 7914, section 12), and what they refuse.
 */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

static struct secret *
secret_of(const void *p, size_t n)
{
	struct secret *s = NULL;

	assert_int_equal(secret_new(n, &s, NULL), OK);
	memcpy(secret_bytes(s), p, n);
	return s;
}

/* n bytes counting up from `first`. */
static void
count_up(uint8_t *p, size_t n, uint8_t first)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(first + i);
}

static void
check_hkdf(struct slice key, struct slice salt, const char *info, const char *digits)
{
	CLEAN(secret_freep) struct secret *s = secret_of(key.p, key.n);
	CLEAN(secret_freep) struct secret *derived = NULL;
	uint8_t out[128], expected[128];
	size_t n = strlen(digits) / 2;

	assert_true(hex_decode(digits, strlen(digits), expected, n));
	assert_int_equal(crypto_expand(s, salt, info, out, n, NULL), OK);
	assert_memory_equal(out, expected, n);
	assert_int_equal(crypto_derive(s, salt, info, &derived, NULL), OK);
	assert_int_equal(secret_size(derived), CRYPTO_KEY_SIZE);
	assert_memory_equal(secret_view(derived), expected, CRYPTO_KEY_SIZE);
}

static void
test_rfc5869(void **state)
{
	uint8_t b0[22], key[80], salt[80];
	char info[81] = {0};

	(void)state;
	memset(b0, 0x0b, sizeof(b0));
	count_up(salt, 13, 0);
	count_up((uint8_t *)info, 10, 0xf0);
	check_hkdf(SLICE(b0, 22), SLICE(salt, 13), info,
		   "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		   "34007208d5b887185865");

	count_up(key, 80, 0);
	count_up(salt, 80, 0x60);
	count_up((uint8_t *)info, 80, 0xb0);
	check_hkdf(SLICE(key, 80), SLICE(salt, 80), info,
		   "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
		   "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
		   "cc30c58179ec3e87c14c01d5c1f3434f1d87");

	check_hkdf(SLICE(b0, 22), SLICE(NULL, 0), "",
		   "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		   "9d201395faa4b61a96c8");
}

static void
test_inputs_matter(void **state)
{
	static const uint8_t salt_a[CRYPTO_SALT_SIZE] = {1}, salt_b[CRYPTO_SALT_SIZE] = {2};
	CLEAN(secret_freep) struct secret *key = NULL, *a = NULL, *b = NULL, *c = NULL, *d = NULL;

	(void)state;
	assert_int_equal(secret_random(32, &key, NULL), OK);
	struct slice first = SLICE(salt_a, sizeof(salt_a)), other = SLICE(salt_b, sizeof(salt_b));
	assert_int_equal(crypto_derive(key, first, "holdfast x", &a, NULL), OK);
	assert_int_equal(crypto_derive(key, first, "holdfast x", &b, NULL), OK);
	assert_int_equal(crypto_derive(key, other, "holdfast x", &c, NULL), OK);
	assert_int_equal(crypto_derive(key, first, "holdfast y", &d, NULL), OK);
	assert_memory_equal(secret_view(a), secret_view(b), 32);
	assert_memory_not_equal(secret_view(a), secret_view(c), 32);
	assert_memory_not_equal(secret_view(a), secret_view(d), 32);
}

static void
test_expand_limits(void **state)
{
	static uint8_t out[8161];
	char info[2050];
	CLEAN(secret_freep) struct secret *key = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(secret_random(32, &key, NULL), OK);
	assert_int_equal(crypto_expand(key, SLICE(NULL, 0), "x", out, 8160, &err), OK);
	assert_int_equal(crypto_expand(key, SLICE(NULL, 0), "x", out, 8161, &err), ERR_LIMIT);
	assert_int_equal(crypto_expand(key, SLICE(NULL, 0), "x", out, 0, &err), ERR_LIMIT);
	memset(info, 'i', sizeof(info));
	info[2049] = '\0';
	assert_int_equal(crypto_expand(key, SLICE(NULL, 0), info, out, 32, &err), ERR_LIMIT);
}

static void
check_scrypt(const char *password, const char *salt, uint64_t n, uint32_t r, uint32_t p,
	     const char *digits)
{
	CLEAN(secret_freep) struct secret *s = NULL;
	char text[2 * CRYPTO_KEY_SIZE + 1];

	assert_int_equal(crypto_scrypt(SLICE(password, strlen(password)), SLICE(salt, strlen(salt)),
				       n, r, p, &s, NULL),
			 OK);
	assert_string_equal(hex_encode(secret_view(s), secret_size(s), text), digits);
}

/* The RFC gives 64 bytes; a key is the first 32 of them. */
static void
test_rfc7914(void **state)
{
	(void)state;
	check_scrypt("password", "NaCl", 1024, 8, 16,
		     "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
	check_scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1,
		     "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
}

static void
test_empty_password(void **state)
{
	CLEAN(secret_freep) struct secret *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(crypto_scrypt(SLICE(NULL, 0), SLICE("s", 1), 1024, 1, 1, &a, NULL), OK);
	assert_int_equal(crypto_scrypt(SLICE("", 0), SLICE("s", 1), 1024, 1, 1, &b, NULL), OK);
	assert_memory_equal(secret_view(a), secret_view(b), CRYPTO_KEY_SIZE);
}

static void
test_scrypt_bounds(void **state)
{
	static const struct {
		uint64_t n;
		uint32_t r, p;
	} refused[] = {
		{0, 8, 1},
		{1, 8, 1},
		{512, 8, 1},
		{1025, 8, 1},
		{UINT64_C(1) << 21, 1, 1},
		{UINT64_C(1) << 63, 1, 1},
		{UINT64_MAX, 1, 1},
		{1024, 0, 1},
		{1024, 17, 1},
		{1024, UINT32_MAX, 1},
		{1024, 8, 0},
		{1024, 8, 17},
		{1024, 8, UINT32_MAX},
		{UINT64_C(1) << 20, 9, 1}, /* more than 1 GiB */
		{UINT64_C(1) << 20, 16, 1},
		{UINT64_C(1) << 16, 1, 1},
	};
	struct secret *s = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct error err = ERROR_INIT;
		assert_int_equal(crypto_scrypt(SLICE("p", 1), SLICE("s", 1), refused[i].n,
					       refused[i].r, refused[i].p, &s, &err),
				 ERR_LIMIT);
		assert_null(s);
	}
	/* The corners that are cheap to compute. */
	assert_int_equal(crypto_scrypt(SLICE("p", 1), SLICE("s", 1), 1024, 16, 16, &s, NULL), OK);
	secret_free(s);
	s = NULL;
	assert_int_equal(crypto_scrypt(SLICE("p", 1), SLICE("s", 1), 1 << 15, 1, 1, &s, NULL), OK);
	secret_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5869),        cmocka_unit_test(test_inputs_matter),
		cmocka_unit_test(test_expand_limits),  cmocka_unit_test(test_rfc7914),
		cmocka_unit_test(test_empty_password), cmocka_unit_test(test_scrypt_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
