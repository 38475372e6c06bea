/* SPDX-License-Identifier: Apache-2.0 */

/*
 * For this folder only: OpenSSL's algorithms, each fetched once for the whole process (a fetch walks
 * the providers and takes locks), and its errors as ours.
 */
#ifndef HF_CRYPTO_OSSL_H
#define HF_CRYPTO_OSSL_H

#include <openssl/types.h>

#include "base/base.h"
#include "base/error.h"

/* Shared and never freed; NULL if it cannot be had, with the reason in OpenSSL's error queue. */
EVP_CIPHER *ossl_aes_256_gcm(void);
EVP_MD *ossl_sha256(void);
EVP_MAC *ossl_hmac(void);
EVP_KDF *ossl_hkdf(void);

/* Raise ERR_CRYPTO (ERR_NO_MEMORY if that is why) "WHAT: reason" and empty OpenSSL's error queue. */
enum err ossl_fail(struct error *err, const char *what);

#endif
