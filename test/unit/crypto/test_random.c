/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random bytes fill all they should, wiping wipes, comparing sees every byte.
 */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_random_fills_everything(void **state)
{
	static uint8_t bytes[1000];
	uint8_t seen[1000] = {0};

	(void)state;
	/* A byte that stays zero in 20 rounds was not written: chance 256^-20. */
	for (int round = 0; round < 20; round++) {
		memset(bytes, 0, sizeof(bytes));
		assert_int_equal(crypto_random(bytes, sizeof(bytes) - 1, NULL), OK);
		for (size_t i = 0; i < sizeof(bytes); i++)
			seen[i] |= bytes[i];
	}
	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		assert_int_not_equal(seen[i], 0);
	assert_int_equal(seen[sizeof(bytes) - 1], 0);
	assert_int_equal(crypto_random(NULL, 0, NULL), OK);
}

static void
test_wipe(void **state)
{
	uint8_t bytes[10];

	(void)state;
	memset(bytes, 7, sizeof(bytes));
	crypto_wipe(bytes, 9);
	assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0\0\7", 10);
}

static void
test_equal(void **state)
{
	uint8_t a[32], b[32];

	(void)state;
	memset(a, 0x5a, sizeof(a));
	memcpy(b, a, sizeof(b));
	assert_true(crypto_equal(a, b, sizeof(a)));
	assert_true(crypto_equal(a, b, 0));
	for (size_t bit = 0; bit < 8 * sizeof(b); bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(crypto_equal(a, b, sizeof(a)));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_fills_everything),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
