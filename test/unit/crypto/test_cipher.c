/* SPDX-License-Identifier: Apache-2.0 */

/*
 * AES-256-GCM: known answers (test cases 13 and 14 of the GCM specification, whose nonce is zero, and
 * one with number and associated data computed by an independent implementation), and that no
 * changed byte anywhere is accepted.
 */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

#define NO_AAD SLICE(NULL, 0)

/* A cipher under the key 00 01 02 .. 1f, or zeros. */
static struct cipher *
cipher_of(bool counting)
{
	CLEAN(secret_freep) struct secret *s = NULL;
	struct cipher *c = NULL;

	assert_int_equal(secret_new(CRYPTO_KEY_SIZE, &s, NULL), OK);
	for (size_t i = 0; i < CRYPTO_KEY_SIZE && counting; i++)
		secret_bytes(s)[i] = (uint8_t)i;
	assert_int_equal(cipher_new(s, &c, NULL), OK);
	return c;
}

static void
check_known(bool counting, uint64_t number, struct slice aad, struct slice plain,
	    const char *digits)
{
	CLEAN(cipher_freep) struct cipher *c = cipher_of(counting);
	uint8_t sealed[128], back[128];
	char text[2 * sizeof(sealed) + 1];
	size_t n = plain.n + CRYPTO_TAG_SIZE;

	assert_int_equal(cipher_seal(c, number, aad, plain, sealed, NULL), OK);
	assert_string_equal(hex_encode(sealed, n, text), digits);
	assert_int_equal(cipher_open(c, number, aad, SLICE(sealed, n), back, NULL), OK);
	if (plain.n > 0)
		assert_memory_equal(back, plain.p, plain.n);
}

static void
test_known_answers(void **state)
{
	static const uint8_t zeros[16];

	(void)state;
	check_known(false, 0, NO_AAD, SLICE(NULL, 0), "530f8afbc74536b9a963b4f1c4cb738b");
	check_known(false, 0, NO_AAD, SLICE(zeros, 16),
		    "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
	check_known(true, UINT64_C(0x0102030405060708), SLICE("holdfast", 8),
		    SLICE("The quick brown fox jumps over the lazy dog", 43),
		    "48909a65135aa12dfe539c41f159548adb9a4fe832c14438da44bfc61b7aa350603c0f1369aa"
		    "b2547eeef4c718fc674e1d0abfaea743e56b9e96e0");
}

static void
test_every_length(void **state)
{
	CLEAN(cipher_freep) struct cipher *c = cipher_of(true);
	uint8_t plain[130], sealed[sizeof(plain) + CRYPTO_TAG_SIZE + 1], back[sizeof(plain) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 5);
	for (size_t n = 0; n <= sizeof(plain); n++) {
		/* Neither direction writes beyond its end. */
		sealed[n + CRYPTO_TAG_SIZE] = 0x77;
		back[n] = 0x77;
		assert_int_equal(cipher_seal(c, n, NO_AAD, SLICE(plain, n), sealed, NULL), OK);
		assert_int_equal(
			cipher_open(c, n, NO_AAD, SLICE(sealed, n + CRYPTO_TAG_SIZE), back, NULL),
			OK);
		assert_memory_equal(back, plain, n);
		assert_int_equal(sealed[n + CRYPTO_TAG_SIZE], 0x77);
		assert_int_equal(back[n], 0x77);
	}
}

static void
test_in_place(void **state)
{
	CLEAN(cipher_freep) struct cipher *c = cipher_of(true);
	enum { N = 100000 };
	CLEAN(free_ptr) uint8_t *apart = malloc(N + CRYPTO_TAG_SIZE);
	CLEAN(free_ptr) uint8_t *same = malloc(N + CRYPTO_TAG_SIZE);
	CLEAN(free_ptr) uint8_t *plain = malloc(N);

	(void)state;
	assert_true(apart != NULL && same != NULL && plain != NULL);
	for (size_t i = 0; i < N; i++)
		plain[i] = same[i] = (uint8_t)(i >> 3);
	assert_int_equal(cipher_seal(c, 1, SLICE("a", 1), SLICE(plain, N), apart, NULL), OK);
	assert_int_equal(cipher_seal(c, 1, SLICE("a", 1), SLICE(same, N), same, NULL), OK);
	assert_memory_equal(apart, same, N + CRYPTO_TAG_SIZE);
	assert_int_equal(
		cipher_open(c, 1, SLICE("a", 1), SLICE(same, N + CRYPTO_TAG_SIZE), same, NULL), OK);
	assert_memory_equal(same, plain, N);
}

static void
assert_refused(struct cipher *c, uint64_t number, struct slice aad, struct slice sealed)
{
	static const uint8_t zeros[64];
	uint8_t out[64];
	struct error err = ERROR_INIT;

	memset(out, 0xee, sizeof(out));
	assert_int_equal(cipher_open(c, number, aad, sealed, out, &err), ERR_CORRUPT);
	assert_string_equal(err.msg, "sealed data does not verify");
	assert_memory_equal(out, zeros, sealed.n - CRYPTO_TAG_SIZE);
}

static void
test_tampering(void **state)
{
	CLEAN(cipher_freep) struct cipher *c = cipher_of(true);
	static const char plain[] = "forty bytes of a database page, roughly";
	uint8_t sealed[sizeof(plain) + CRYPTO_TAG_SIZE], aad[20] = "pack 12 object 7", back[64];
	struct slice aad_slice = SLICE(aad, sizeof(aad));
	struct slice all = SLICE(sealed, sizeof(sealed));

	(void)state;
	assert_int_equal(cipher_seal(c, 5, aad_slice, SLICE(plain, sizeof(plain)), sealed, NULL),
			 OK);
	/* Every bit of ciphertext and tag, then of the associated data, then of the number. */
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(c, 5, aad_slice, all);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(aad); bit++) {
		aad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(c, 5, aad_slice, all);
		aad[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 64; bit++)
		assert_refused(c, 5 ^ UINT64_C(1) << bit, aad_slice, all);
	assert_refused(c, 5, SLICE(aad, sizeof(aad) - 1), all);
	assert_refused(c, 5, NO_AAD, all);
	for (size_t n = CRYPTO_TAG_SIZE; n < sizeof(sealed); n++)
		assert_refused(c, 5, aad_slice, SLICE(sealed, n));
	/* After all the failures the cipher works as before. */
	assert_int_equal(cipher_open(c, 5, aad_slice, all, back, NULL), OK);
	assert_memory_equal(back, plain, sizeof(plain));
}

static void
test_too_short(void **state)
{
	CLEAN(cipher_freep) struct cipher *c = cipher_of(true);
	uint8_t sealed[CRYPTO_TAG_SIZE] = {0}, out[1];
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t n = 0; n < CRYPTO_TAG_SIZE; n++) {
		assert_int_equal(cipher_open(c, 0, NO_AAD, SLICE(sealed, n), out, &err),
				 ERR_CORRUPT);
		assert_string_equal(err.msg, "sealed data is too short");
	}
}

static void
test_rekey(void **state)
{
	CLEAN(cipher_freep) struct cipher *c = cipher_of(false);
	CLEAN(cipher_freep) struct cipher *fresh = cipher_of(true);
	CLEAN(secret_freep) struct secret *key = NULL;
	uint8_t before[20], after[20], expected[20], back[4];

	(void)state;
	assert_int_equal(secret_new(CRYPTO_KEY_SIZE, &key, NULL), OK);
	for (size_t i = 0; i < CRYPTO_KEY_SIZE; i++)
		secret_bytes(key)[i] = (uint8_t)i;
	assert_int_equal(cipher_seal(c, 3, NO_AAD, SLICE("text", 4), before, NULL), OK);
	assert_int_equal(cipher_rekey(c, key, NULL), OK);
	assert_int_equal(cipher_seal(c, 3, NO_AAD, SLICE("text", 4), after, NULL), OK);
	assert_int_equal(cipher_seal(fresh, 3, NO_AAD, SLICE("text", 4), expected, NULL), OK);
	assert_memory_equal(after, expected, sizeof(after));
	assert_int_equal(cipher_open(c, 3, NO_AAD, SLICE(after, 20), back, NULL), OK);
	assert_refused(c, 3, NO_AAD, SLICE(before, 20));
}

static void
test_wrong_key_size(void **state)
{
	CLEAN(cipher_freep) struct cipher *c = cipher_of(true);
	CLEAN(secret_freep) struct secret *key = NULL;
	struct cipher *none = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(secret_random(16, &key, NULL), OK);
	assert_int_equal(cipher_new(key, &none, &err), ERR_CRYPTO);
	assert_null(none);
	assert_int_equal(cipher_rekey(c, key, &err), ERR_CRYPTO);
	cipher_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),  cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_in_place),       cmocka_unit_test(test_tampering),
		cmocka_unit_test(test_too_short),      cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_wrong_key_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
