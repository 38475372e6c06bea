/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Algorithms are fetched once whoever asks first, and OpenSSL's reasons arrive in our errors.
 */
#include "crypto/ossl.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

struct fetched {
	pthread_barrier_t *start;
	void *objects[4];
};

static void *
fetch_all(void *arg)
{
	struct fetched *f = arg;

	(void)pthread_barrier_wait(f->start);
	f->objects[0] = ossl_aes_256_gcm();
	f->objects[1] = ossl_sha256();
	f->objects[2] = ossl_hmac();
	f->objects[3] = ossl_hkdf();
	return NULL;
}

static void
test_shared_by_threads(void **state)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];
	struct fetched fetched[THREADS];
	pthread_barrier_t start;

	(void)state;
	assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (size_t i = 0; i < THREADS; i++) {
		fetched[i].start = &start;
		assert_int_equal(pthread_create(&threads[i], NULL, fetch_all, &fetched[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	(void)pthread_barrier_destroy(&start);
	for (size_t k = 0; k < 4; k++) {
		assert_non_null(fetched[0].objects[k]);
		for (size_t i = 1; i < THREADS; i++)
			assert_ptr_equal(fetched[i].objects[k], fetched[0].objects[k]);
	}
}

static void
test_fail(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	ERR_raise(ERR_LIB_USER, ERR_R_PASSED_NULL_PARAMETER);
	assert_int_equal(ossl_fail(&err, "seal"), ERR_CRYPTO);
	assert_string_equal(err.msg, "seal: passed a null parameter");
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(ossl_fail(&err, "seal"), ERR_CRYPTO);
	assert_string_equal(err.msg, "seal: OpenSSL gives no reason");
	ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
	assert_int_equal(ossl_fail(&err, "seal"), ERR_NO_MEMORY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_by_threads),
		cmocka_unit_test(test_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
