/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The cache of fetched algorithms. No pthread_once: a fetch that failed for lack of memory may well
 * succeed the next time. Two threads may fetch at once; the loser gives its object back.
 */
#include "crypto/ossl.h"

#include <stdatomic.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

EVP_CIPHER *
ossl_aes_256_gcm(void)
{
	static _Atomic(EVP_CIPHER *) shared;
	EVP_CIPHER *known = atomic_load(&shared);

	if (known != NULL)
		return known;
	EVP_CIPHER *fetched = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (atomic_compare_exchange_strong(&shared, &known, fetched))
		return fetched;
	EVP_CIPHER_free(fetched);
	return known;
}

EVP_MD *
ossl_sha256(void)
{
	static _Atomic(EVP_MD *) shared;
	EVP_MD *known = atomic_load(&shared);

	if (known != NULL)
		return known;
	EVP_MD *fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (atomic_compare_exchange_strong(&shared, &known, fetched))
		return fetched;
	EVP_MD_free(fetched);
	return known;
}

EVP_MAC *
ossl_hmac(void)
{
	static _Atomic(EVP_MAC *) shared;
	EVP_MAC *known = atomic_load(&shared);

	if (known != NULL)
		return known;
	EVP_MAC *fetched = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (atomic_compare_exchange_strong(&shared, &known, fetched))
		return fetched;
	EVP_MAC_free(fetched);
	return known;
}

EVP_KDF *
ossl_hkdf(void)
{
	static _Atomic(EVP_KDF *) shared;
	EVP_KDF *known = atomic_load(&shared);

	if (known != NULL)
		return known;
	EVP_KDF *fetched = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (atomic_compare_exchange_strong(&shared, &known, fetched))
		return fetched;
	EVP_KDF_free(fetched);
	return known;
}

enum err
ossl_fail(struct error *err, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
		return error_no_memory(err);
	return error_set(err, ERR_CRYPTO, "%s: %s", what,
			 reason != NULL ? reason : "OpenSSL gives no reason");
}
