/* SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files of tls.h. */
#ifndef HF_CRYPTO_TLS_INTERNAL_H
#define HF_CRYPTO_TLS_INTERNAL_H

#include <openssl/types.h>

#include "crypto/tls.h"

struct tls_identity {
	X509 *certificate;
	EVP_PKEY *key;
	uint8_t fingerprint[TLS_FINGERPRINT_SIZE];
};

bool tls_certificate_fingerprint(X509 *certificate, uint8_t ret[TLS_FINGERPRINT_SIZE]);

#endif
