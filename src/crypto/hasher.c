/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SHA-256 and HMAC-SHA-256. The MAC context keeps the state after both padded keys, so that a message
 * costs only its own blocks and one more: setting the key anew would double the work for small ones.
 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "crypto/ossl.h"

int
crypto_sha256(struct slice data, uint8_t ret[CRYPTO_HASH_SIZE], struct error *err)
{
	EVP_MD *sha256 = ossl_sha256();

	if (sha256 == NULL)
		return ossl_fail(err, "find SHA-256");
	uint8_t hash[CRYPTO_HASH_SIZE];
	if (EVP_Digest(data.p, data.n, hash, NULL, sha256, NULL) != 1)
		return ossl_fail(err, "hash");
	memcpy(ret, hash, sizeof(hash));
	return OK;
}

struct hasher {
	EVP_MAC_CTX *ctx;
};

int
hasher_new(const struct secret *key, struct hasher **ret, struct error *err)
{
	CLEAN(hasher_freep) struct hasher *h = NULL;
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = ossl_hmac();

	if (hmac == NULL)
		return ossl_fail(err, "find HMAC");
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return error_no_memory(err);
	h->ctx = EVP_MAC_CTX_new(hmac);
	if (h->ctx == NULL || EVP_MAC_init(h->ctx, secret_view(key), secret_size(key), params) != 1)
		return ossl_fail(err, "set up the keyed hash");
	*ret = STEAL_PTR(h);
	return OK;
}

void
hasher_free(struct hasher *h)
{
	if (h == NULL)
		return;
	EVP_MAC_CTX_free(h->ctx);
	free(h);
}

void
hasher_freep(struct hasher **h)
{
	hasher_free(*h);
}

int
hasher_hash(struct hasher *h, struct slice data, uint8_t ret[CRYPTO_HASH_SIZE], struct error *err)
{
	size_t n = 0;

	/* No key: back to the state hasher_new() left. */
	if (EVP_MAC_init(h->ctx, NULL, 0, NULL) != 1 ||
	    EVP_MAC_update(h->ctx, data.p, data.n) != 1 ||
	    EVP_MAC_final(h->ctx, ret, &n, CRYPTO_HASH_SIZE) != 1 || n != CRYPTO_HASH_SIZE)
		return ossl_fail(err, "hash");
	return OK;
}
