/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys from keys (HKDF-SHA-256, RFC 5869) and keys from passwords (scrypt, RFC 7914).
 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypto/ossl.h"

/* HKDF gives at most 255 hashes; OpenSSL takes at most 2048 bytes of info. */
enum { EXPAND_MAX = 255 * CRYPTO_HASH_SIZE, INFO_MAX = 2048 };

enum { SCRYPT_R_MAX = 16, SCRYPT_P_MAX = 16 };
#define SCRYPT_N_MIN (UINT64_C(1) << 10)
#define SCRYPT_N_MAX (UINT64_C(1) << 20)
#define SCRYPT_MEMORY_MAX (UINT64_C(1) << 30)

static void
kdf_ctx_freep(EVP_KDF_CTX **ctx)
{
	EVP_KDF_CTX_free(*ctx);
}

/* OSSL_PARAM points to input and output alike and so has no const; inputs are only read. */
static OSSL_PARAM
octets(const char *name, const void *p, size_t n)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p, n);
}

int
crypto_expand(const struct secret *key, struct slice salt, const char *info, void *ret, size_t n,
	      struct error *err)
{
	CLEAN(kdf_ctx_freep) EVP_KDF_CTX *ctx = NULL;
	char digest[] = "SHA256";
	/* The salt goes last: OpenSSL refuses an empty one, and takes none for the same. */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		octets(OSSL_KDF_PARAM_KEY, secret_view(key), secret_size(key)),
		octets(OSSL_KDF_PARAM_INFO, info, strlen(info)),
		salt.n > 0 ? octets(OSSL_KDF_PARAM_SALT, salt.p, salt.n)
			   : OSSL_PARAM_construct_end(),
		OSSL_PARAM_construct_end(),
	};

	if (n == 0 || n > EXPAND_MAX || strlen(info) > INFO_MAX)
		return error_set(err, ERR_LIMIT, "derive a key of %zu bytes", n);
	EVP_KDF *hkdf = ossl_hkdf();
	if (hkdf == NULL)
		return ossl_fail(err, "find HKDF");
	ctx = EVP_KDF_CTX_new(hkdf);
	if (ctx == NULL)
		return ossl_fail(err, "derive a key");
	if (EVP_KDF_derive(ctx, ret, n, params) <= 0)
		return ossl_fail(err, "derive a key");
	return OK;
}

int
crypto_derive(const struct secret *key, struct slice salt, const char *info, struct secret **ret,
	      struct error *err)
{
	CLEAN(secret_freep) struct secret *s = NULL;

	int rc = secret_new(CRYPTO_KEY_SIZE, &s, err);
	if (rc < 0)
		return rc;
	rc = crypto_expand(key, salt, info, secret_bytes(s), CRYPTO_KEY_SIZE, err);
	if (rc < 0)
		return rc;
	*ret = STEAL_PTR(s);
	return OK;
}

/* Outside these the parameters were not chosen by us: too weak, or made to exhaust memory. */
static bool
scrypt_allowed(uint64_t n, uint32_t r, uint32_t p)
{
	if (n < SCRYPT_N_MIN || n > SCRYPT_N_MAX || (n & (n - 1)) != 0)
		return false;
	if (r < 1 || r > SCRYPT_R_MAX || p < 1 || p > SCRYPT_P_MAX)
		return false;
	/* RFC 7914, section 6: n < 2^(128 r / 8). */
	if (r == 1 && n >= UINT64_C(1) << 16)
		return false;
	return 128 * n * r <= SCRYPT_MEMORY_MAX;
}

int
crypto_scrypt(struct slice password, struct slice salt, uint64_t n, uint32_t r, uint32_t p,
	      struct secret **ret, struct error *err)
{
	CLEAN(secret_freep) struct secret *s = NULL;

	if (!scrypt_allowed(n, r, p))
		return error_set(err, ERR_LIMIT, "scrypt parameters n=%llu r=%u p=%u",
				 (unsigned long long)n, r, p);
	int rc = secret_new(CRYPTO_KEY_SIZE, &s, err);
	if (rc < 0)
		return rc;
	/* What OpenSSL counts on top of the 128 n r: p blocks, and two for mixing. */
	uint64_t memory = 128 * r * (n + p + 2);
	if (EVP_PBE_scrypt((const char *)password.p, password.n, salt.p, salt.n, n, r, p, memory,
			   secret_bytes(s), CRYPTO_KEY_SIZE) != 1)
		return ossl_fail(err, "derive a key from the password");
	*ret = STEAL_PTR(s);
	return OK;
}
