/* SPDX-License-Identifier: Apache-2.0 */

/*
 * AES-256-GCM. Two contexts, one for each direction, both with the key schedule in place: a call only
 * sets the nonce, and nothing is allocated. Whoever uses this must never seal twice under one number;
 * see crypto.h for how the formats make sure of it.
 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/le.h"
#include "crypto/ossl.h"

/* OpenSSL counts in int. Pieces must be whole AES blocks; GCM itself ends at 64 GiB. */
enum { NONCE_SIZE = 12, PIECE_MAX = 1 << 30 };
#define MESSAGE_MAX ((UINT64_C(1) << 36) - 32)

struct cipher {
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
};

int
cipher_new(const struct secret *key, struct cipher **ret, struct error *err)
{
	CLEAN(cipher_freep) struct cipher *c = NULL;
	EVP_CIPHER *aes = ossl_aes_256_gcm();

	if (aes == NULL)
		return ossl_fail(err, "find AES-256-GCM");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return error_no_memory(err);
	c->seal = EVP_CIPHER_CTX_new();
	c->open = EVP_CIPHER_CTX_new();
	if (c->seal == NULL || c->open == NULL ||
	    EVP_EncryptInit_ex2(c->seal, aes, NULL, NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex2(c->open, aes, NULL, NULL, NULL) != 1)
		return ossl_fail(err, "set up the cipher");
	int rc = cipher_rekey(c, key, err);
	if (rc < 0)
		return rc;
	*ret = STEAL_PTR(c);
	return OK;
}

void
cipher_free(struct cipher *c)
{
	if (c == NULL)
		return;
	EVP_CIPHER_CTX_free(c->seal);
	EVP_CIPHER_CTX_free(c->open);
	free(c);
}

void
cipher_freep(struct cipher **c)
{
	cipher_free(*c);
}

int
cipher_rekey(struct cipher *c, const struct secret *key, struct error *err)
{
	if (secret_size(key) != CRYPTO_KEY_SIZE)
		return error_set(err, ERR_CRYPTO, "a key of %zu bytes where AES-256 needs %d",
				 secret_size(key), CRYPTO_KEY_SIZE);
	if (EVP_EncryptInit_ex2(c->seal, NULL, secret_view(key), NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex2(c->open, NULL, secret_view(key), NULL, NULL) != 1)
		return ossl_fail(err, "set the key");
	return OK;
}

static void
nonce_of(uint64_t number, uint8_t nonce[NONCE_SIZE])
{
	le32_put(nonce, 0);
	le64_put(nonce + 4, number);
}

/* Feed associated data (out NULL) or text through a context that was set up for either direction. */
static bool
update(EVP_CIPHER_CTX *ctx, struct slice in, uint8_t *out)
{
	while (in.n > 0) {
		int piece = (int)MIN(in.n, (size_t)PIECE_MAX);
		int done = 0;

		if (EVP_CipherUpdate(ctx, out, &done, in.p, piece) != 1 || done != piece)
			return false;
		in = SLICE(in.p + piece, in.n - (size_t)piece);
		if (out != NULL)
			out += piece;
	}
	return true;
}

int
cipher_seal(struct cipher *c, uint64_t number, struct slice aad, struct slice in, uint8_t *out,
	    struct error *err)
{
	uint8_t nonce[NONCE_SIZE];
	uint8_t *tag = out + in.n;
	int none = 0;

	if (in.n > MESSAGE_MAX)
		return error_set(err, ERR_LIMIT, "seal %zu bytes at once", in.n);
	nonce_of(number, nonce);
	if (EVP_EncryptInit_ex2(c->seal, NULL, NULL, nonce, NULL) != 1 ||
	    !update(c->seal, aad, NULL) || !update(c->seal, in, out) ||
	    EVP_EncryptFinal_ex(c->seal, tag, &none) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c->seal, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_SIZE, tag) != 1)
		return ossl_fail(err, "seal");
	return OK;
}

int
cipher_open(struct cipher *c, uint64_t number, struct slice aad, struct slice in, uint8_t *out,
	    struct error *err)
{
	uint8_t nonce[NONCE_SIZE];
	uint8_t tag[CRYPTO_TAG_SIZE];
	uint8_t beyond[EVP_MAX_BLOCK_LENGTH];
	int none = 0;

	if (in.n < CRYPTO_TAG_SIZE)
		return error_set(err, ERR_CORRUPT, "sealed data is too short");
	if (in.n - CRYPTO_TAG_SIZE > MESSAGE_MAX)
		return error_set(err, ERR_LIMIT, "open %zu bytes at once", in.n);
	struct slice text = SLICE(in.p, in.n - CRYPTO_TAG_SIZE);
	memcpy(tag, in.p + text.n, sizeof(tag));
	nonce_of(number, nonce);
	if (EVP_DecryptInit_ex2(c->open, NULL, NULL, nonce, NULL) != 1 ||
	    !update(c->open, aad, NULL) || !update(c->open, text, out) ||
	    EVP_CIPHER_CTX_ctrl(c->open, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_SIZE, tag) != 1)
		return ossl_fail(err, "open sealed data");
	if (EVP_DecryptFinal_ex(c->open, beyond, &none) != 1) {
		/* Whoever ignores the error must not find something that looks like data. */
		crypto_wipe(out, text.n);
		ERR_clear_error();
		return error_set(err, ERR_CORRUPT, "sealed data does not verify");
	}
	return OK;
}
