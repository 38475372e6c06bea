/* SPDX-License-Identifier: Apache-2.0 */

/*
 * GMAC: known answers (the empty page from the GCM specification, others from an independent
 * implementation), agreement with the sealer, and sensitivity to every bit of a page.
 */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

enum { PAGE = 8192 };

static struct secret *
counting_key(void)
{
	struct secret *s = NULL;

	assert_int_equal(secret_new(CRYPTO_KEY_SIZE, &s, NULL), OK);
	for (size_t i = 0; i < CRYPTO_KEY_SIZE; i++)
		secret_bytes(s)[i] = (uint8_t)i;
	return s;
}

static void
fill(uint8_t page[PAGE])
{
	for (size_t i = 0; i < PAGE; i++)
		page[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void
check_known(const struct secret *key, struct slice page, const char *digits)
{
	CLEAN(fingerprinter_freep) struct fingerprinter *f = NULL;
	uint8_t print[CRYPTO_FINGERPRINT_SIZE];
	char text[2 * sizeof(print) + 1];

	assert_int_equal(fingerprinter_new(key, &f, NULL), OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fingerprinter_page(f, page, print, NULL), OK);
		assert_string_equal(hex_encode(print, sizeof(print), text), digits);
	}
}

static void
test_known_answers(void **state)
{
	CLEAN(secret_freep) struct secret *zero = NULL;
	CLEAN(secret_freep) struct secret *key = counting_key();
	uint8_t page[PAGE];

	(void)state;
	fill(page);
	assert_int_equal(secret_new(CRYPTO_KEY_SIZE, &zero, NULL), OK);
	check_known(zero, SLICE(NULL, 0), "530f8afbc74536b9a963b4f1c4cb738b");
	check_known(key, SLICE(page, PAGE), "89d2c93c5ed44cb52a8e660c8f592d87");
	check_known(key, SLICE(page, 100), "4abe89e9d63c8b5c47426291c36fb11b");
}

static void
test_is_the_tag_of_nothing_sealed(void **state)
{
	CLEAN(secret_freep) struct secret *key = counting_key();
	CLEAN(fingerprinter_freep) struct fingerprinter *f = NULL;
	CLEAN(cipher_freep) struct cipher *c = NULL;
	uint8_t page[PAGE], print[CRYPTO_FINGERPRINT_SIZE], tag[CRYPTO_TAG_SIZE];

	(void)state;
	fill(page);
	assert_int_equal(fingerprinter_new(key, &f, NULL), OK);
	assert_int_equal(cipher_new(key, &c, NULL), OK);
	for (size_t n = 0; n <= PAGE; n += n < 300 ? 1 : 61) {
		assert_int_equal(fingerprinter_page(f, SLICE(page, n), print, NULL), OK);
		assert_int_equal(cipher_seal(c, 0, SLICE(page, n), SLICE(NULL, 0), tag, NULL), OK);
		assert_memory_equal(print, tag, sizeof(print));
	}
}

static void
test_every_bit_counts(void **state)
{
	CLEAN(secret_freep) struct secret *key = counting_key();
	CLEAN(fingerprinter_freep) struct fingerprinter *f = NULL;
	uint8_t page[PAGE], print[CRYPTO_FINGERPRINT_SIZE], changed[CRYPTO_FINGERPRINT_SIZE];

	(void)state;
	fill(page);
	assert_int_equal(fingerprinter_new(key, &f, NULL), OK);
	assert_int_equal(fingerprinter_page(f, SLICE(page, PAGE), print, NULL), OK);
	for (size_t bit = 0; bit < 8 * PAGE; bit++) {
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(fingerprinter_page(f, SLICE(page, PAGE), changed, NULL), OK);
		assert_memory_not_equal(print, changed, sizeof(print));
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Zeros at the end must not look like a longer page. */
static void
test_length_counts(void **state)
{
	static const uint8_t zeros[PAGE];
	CLEAN(secret_freep) struct secret *key = counting_key();
	CLEAN(fingerprinter_freep) struct fingerprinter *f = NULL;
	uint8_t print[CRYPTO_FINGERPRINT_SIZE], longer[CRYPTO_FINGERPRINT_SIZE];

	(void)state;
	assert_int_equal(fingerprinter_new(key, &f, NULL), OK);
	for (size_t n = 0; n < 100; n++) {
		assert_int_equal(fingerprinter_page(f, SLICE(zeros, n), print, NULL), OK);
		assert_int_equal(fingerprinter_page(f, SLICE(zeros, n + 1), longer, NULL), OK);
		assert_memory_not_equal(print, longer, sizeof(print));
	}
}

static void
test_key_counts(void **state)
{
	CLEAN(secret_freep) struct secret *key_a = counting_key(), *key_b = counting_key();
	CLEAN(fingerprinter_freep) struct fingerprinter *a = NULL, *b = NULL;
	uint8_t page[PAGE], print_a[CRYPTO_FINGERPRINT_SIZE], print_b[CRYPTO_FINGERPRINT_SIZE];

	(void)state;
	fill(page);
	secret_bytes(key_b)[31] ^= 1;
	assert_int_equal(fingerprinter_new(key_a, &a, NULL), OK);
	assert_int_equal(fingerprinter_new(key_b, &b, NULL), OK);
	assert_int_equal(fingerprinter_page(a, SLICE(page, PAGE), print_a, NULL), OK);
	assert_int_equal(fingerprinter_page(b, SLICE(page, PAGE), print_b, NULL), OK);
	assert_memory_not_equal(print_a, print_b, sizeof(print_a));
}

static void
test_refused(void **state)
{
	CLEAN(secret_freep) struct secret *key = counting_key(), *small = NULL;
	CLEAN(fingerprinter_freep) struct fingerprinter *f = NULL;
	struct fingerprinter *none = NULL;
	uint8_t print[CRYPTO_FINGERPRINT_SIZE];
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(secret_random(31, &small, NULL), OK);
	assert_int_equal(fingerprinter_new(small, &none, &err), ERR_CRYPTO);
	assert_null(none);
	assert_int_equal(fingerprinter_new(key, &f, NULL), OK);
	assert_int_equal(fingerprinter_page(f, SLICE("x", (size_t)1 << 31), print, &err),
			 ERR_LIMIT);
	fingerprinter_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_is_the_tag_of_nothing_sealed),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_length_counts),
		cmocka_unit_test(test_key_counts),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
