/* SPDX-License-Identifier: Apache-2.0 */

/*
 * GMAC over pages. The key schedule and the powers of the hash key stay in the context; a page costs
 * one pass of carry-less multiplication and one AES block.
 */
#include "crypto/crypto.h"

#include <limits.h>

#include <openssl/evp.h>

#include "crypto/ossl.h"

struct fingerprinter {
	EVP_CIPHER_CTX *ctx;
};

int
fingerprinter_new(const struct secret *key, struct fingerprinter **ret, struct error *err)
{
	CLEAN(fingerprinter_freep) struct fingerprinter *f = NULL;
	EVP_CIPHER *aes = ossl_aes_256_gcm();

	if (aes == NULL)
		return ossl_fail(err, "find AES-256-GCM");
	if (secret_size(key) != CRYPTO_KEY_SIZE)
		return error_set(err, ERR_CRYPTO, "a key of %zu bytes where AES-256 needs %d",
				 secret_size(key), CRYPTO_KEY_SIZE);
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return error_no_memory(err);
	f->ctx = EVP_CIPHER_CTX_new();
	if (f->ctx == NULL || EVP_EncryptInit_ex2(f->ctx, aes, secret_view(key), NULL, NULL) != 1)
		return ossl_fail(err, "set up fingerprints");
	*ret = STEAL_PTR(f);
	return OK;
}

void
fingerprinter_free(struct fingerprinter *f)
{
	if (f == NULL)
		return;
	EVP_CIPHER_CTX_free(f->ctx);
	free(f);
}

void
fingerprinter_freep(struct fingerprinter **f)
{
	fingerprinter_free(*f);
}

int
fingerprinter_page(struct fingerprinter *f, struct slice page, uint8_t ret[CRYPTO_FINGERPRINT_SIZE],
		   struct error *err)
{
	/* Always the same: the fingerprint is a hash, equal for equal pages. */
	static const uint8_t nonce[12];
	uint8_t beyond[EVP_MAX_BLOCK_LENGTH];
	int none = 0;

	if (page.n > INT_MAX)
		return error_set(err, ERR_LIMIT, "a page of %zu bytes", page.n);
	if (EVP_EncryptInit_ex2(f->ctx, NULL, NULL, nonce, NULL) != 1 ||
	    (page.n > 0 && EVP_EncryptUpdate(f->ctx, NULL, &none, page.p, (int)page.n) != 1) ||
	    EVP_EncryptFinal_ex(f->ctx, beyond, &none) != 1 ||
	    EVP_CIPHER_CTX_ctrl(f->ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_FINGERPRINT_SIZE, ret) != 1)
		return ossl_fail(err, "take a page's fingerprint");
	return OK;
}
