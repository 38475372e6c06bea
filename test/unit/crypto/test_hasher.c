/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 4231), and that one hasher takes many messages.
 */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

static void
assert_hash(const uint8_t hash[CRYPTO_HASH_SIZE], const char *digits)
{
	char text[2 * CRYPTO_HASH_SIZE + 1];

	assert_string_equal(hex_encode(hash, CRYPTO_HASH_SIZE, text), digits);
}

static struct secret *
secret_of(const void *p, size_t n)
{
	struct secret *s = NULL;

	assert_int_equal(secret_new(n, &s, NULL), OK);
	memcpy(secret_bytes(s), p, n);
	return s;
}

static void
test_sha256(void **state)
{
	static const char *const cases[][2] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	uint8_t hash[CRYPTO_HASH_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice s = SLICE(cases[i][0], strlen(cases[i][0]));
		assert_int_equal(crypto_sha256(s, hash, NULL), OK);
		assert_hash(hash, cases[i][1]);
	}
	CLEAN(free_ptr) uint8_t *million = malloc(1000000);
	assert_non_null(million);
	memset(million, 'a', 1000000);
	assert_int_equal(crypto_sha256(SLICE(million, 1000000), hash, NULL), OK);
	assert_hash(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_int_equal(crypto_sha256(SLICE(NULL, 0), hash, NULL), OK);
	assert_hash(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
check_hmac(struct slice key, struct slice data, const char *digits)
{
	CLEAN(secret_freep) struct secret *s = secret_of(key.p, key.n);
	CLEAN(hasher_freep) struct hasher *h = NULL;
	uint8_t hash[CRYPTO_HASH_SIZE];

	assert_int_equal(hasher_new(s, &h, NULL), OK);
	/* The second must not see anything of the first. */
	for (int i = 0; i < 2; i++) {
		memset(hash, 0, sizeof(hash));
		assert_int_equal(hasher_hash(h, data, hash, NULL), OK);
		assert_hash(hash, digits);
	}
}

static void
test_rfc4231(void **state)
{
	static const char hash_key_first[] =
		"Test Using Larger Than Block-Size Key - Hash Key First";
	static const char larger_data[] =
		"This is a test using a larger than block-size key and a larger than block-size "
		"data. The key needs to be hashed before being used by the HMAC algorithm.";
	uint8_t aa[131], dd[50], b0[20], cd[50], counting[25];

	(void)state;
	memset(aa, 0xaa, sizeof(aa));
	memset(dd, 0xdd, sizeof(dd));
	memset(b0, 0x0b, sizeof(b0));
	memset(cd, 0xcd, sizeof(cd));
	for (size_t i = 0; i < sizeof(counting); i++)
		counting[i] = (uint8_t)(i + 1);

	check_hmac(SLICE(b0, 20), SLICE("Hi There", 8),
		   "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	check_hmac(SLICE("Jefe", 4), SLICE("what do ya want for nothing?", 28),
		   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	check_hmac(SLICE(aa, 20), SLICE(dd, 50),
		   "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	check_hmac(SLICE(counting, 25), SLICE(cd, 50),
		   "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
	check_hmac(SLICE(aa, 131), SLICE(hash_key_first, strlen(hash_key_first)),
		   "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	check_hmac(SLICE(aa, 131), SLICE(larger_data, strlen(larger_data)),
		   "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* Against the definition: H(key ^ opad || H(key ^ ipad || data)), for every length around a block. */
static void
test_many_messages(void **state)
{
	uint8_t bytes[32], data[200], inner[64 + sizeof(data)], outer[64 + 32];
	uint8_t expected[CRYPTO_HASH_SIZE], hash[CRYPTO_HASH_SIZE];
	CLEAN(hasher_freep) struct hasher *h = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	CLEAN(secret_freep) struct secret *s = secret_of(bytes, sizeof(bytes));
	assert_int_equal(hasher_new(s, &h, NULL), OK);
	memset(inner, 0x36, 64);
	memset(outer, 0x5c, 64);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		inner[i] ^= bytes[i];
		outer[i] ^= bytes[i];
	}
	for (size_t n = 0; n <= sizeof(data); n++) {
		memcpy(inner + 64, data, n);
		assert_int_equal(crypto_sha256(SLICE(inner, 64 + n), outer + 64, NULL), OK);
		assert_int_equal(crypto_sha256(SLICE(outer, 96), expected, NULL), OK);
		assert_int_equal(hasher_hash(h, SLICE(data, n), hash, NULL), OK);
		assert_memory_equal(hash, expected, sizeof(hash));
	}
}

static void
test_free_nothing(void **state)
{
	(void)state;
	hasher_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_rfc4231),
		cmocka_unit_test(test_many_messages),
		cmocka_unit_test(test_free_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
