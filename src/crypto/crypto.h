/* SPDX-License-Identifier: Apache-2.0 */

/*
 * All cryptography, and the only folder that touches OpenSSL: keys, derivation, sealing, hashing.
 *
 * Everything is built from four parts, none of our own: AES-256-GCM (sealing), HMAC-SHA-256 (blob
 * ids), HKDF-SHA-256 (one key for each use, so that no key ever serves two) and scrypt (passwords).
 * Nonces are never chosen by callers: a sealer counts, starting from zero, under a key that was made
 * for that sealer alone from a fresh random salt. That a (key, nonce) pair cannot repeat is thus a
 * matter of structure, not of care.
 *
 * Secrets live in struct secret: locked in memory where the limits allow, left out of core dumps,
 * wiped when done, and never printable.
 *
 * Contexts belong to one thread at a time.
 */
#ifndef HF_CRYPTO_CRYPTO_H
#define HF_CRYPTO_CRYPTO_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

enum {
	CRYPTO_KEY_SIZE = 32,
	CRYPTO_SALT_SIZE = 16,
	CRYPTO_TAG_SIZE = 16, /* what sealing adds */
	CRYPTO_HASH_SIZE = 32,
	CRYPTO_FINGERPRINT_SIZE = 16,
};

/* Secret bytes of a fixed size on their own locked, undumpable page. */
struct secret;
CHECKED int secret_new(size_t size, struct secret **ret, struct error *err); /* zeroed */
CHECKED int secret_random(size_t size, struct secret **ret, struct error *err);
void secret_free(struct secret *s); /* wipes; NULL is fine */
void secret_freep(struct secret **s); /* for CLEAN() */
uint8_t *secret_bytes(struct secret *s); /* to fill */
const uint8_t *secret_view(const struct secret *s); /* to use; never to print or store */
size_t secret_size(const struct secret *s);

/* Overwrite in a way the compiler keeps. */
void crypto_wipe(void *p, size_t n);
void crypto_buf_done(struct buf *b); /* wipes, too; for CLEAN() of what held a secret */
CHECKED int crypto_random(void *p, size_t n, struct error *err);
/* In constant time. */
bool crypto_equal(const void *a, const void *b, size_t n);

/* HKDF-SHA-256(key, salt, info) -> 32 bytes. info names the use, e.g. "holdfast pack". */
CHECKED int crypto_derive(const struct secret *key, struct slice salt, const char *info,
			  struct secret **ret, struct error *err);
/* Same, for `n` bytes of output (at most 8160). Used for the chunker's table. */
CHECKED int crypto_expand(const struct secret *key, struct slice salt, const char *info, void *ret,
			  size_t n, struct error *err);

/* scrypt; n a power of two. Bounds (checked: parameters come from a file someone may have changed):
 * 2^10 <= n <= 2^20, 1 <= r <= 16, 1 <= p <= 16, memory 128 * n * r <= 1 GiB, n < 2^16 if r is 1;
 * else ERR_LIMIT. */
CHECKED int crypto_scrypt(struct slice password, struct slice salt, uint64_t n, uint32_t r,
			  uint32_t p, struct secret **ret, struct error *err);

/* Plain SHA-256. */
CHECKED int crypto_sha256(struct slice data, uint8_t ret[CRYPTO_HASH_SIZE], struct error *err);

/* HMAC-SHA-256 under one key, many messages: blob ids. */
struct hasher;
CHECKED int hasher_new(const struct secret *key, struct hasher **ret, struct error *err);
void hasher_free(struct hasher *h);
void hasher_freep(struct hasher **h);
CHECKED int hasher_hash(struct hasher *h, struct slice data, uint8_t ret[CRYPTO_HASH_SIZE],
			struct error *err);

/*
 * Page fingerprints: GMAC (AES-256-GCM over no plaintext, the page as associated data, an all-zero
 * nonce) under a secret key. A universal hash: two different pages of up to 64 KiB share a
 * fingerprint with probability at most 2^-115, whoever chose them, as long as fingerprints are only
 * ever stored sealed. It runs at memory speed where SHA-256 does not. Not a blob id: somebody who
 * knows the key can make collisions.
 */
struct fingerprinter;
CHECKED int fingerprinter_new(const struct secret *key, struct fingerprinter **ret,
			      struct error *err);
void fingerprinter_free(struct fingerprinter *f);
void fingerprinter_freep(struct fingerprinter **f);
CHECKED int fingerprinter_page(struct fingerprinter *f, struct slice page,
			       uint8_t ret[CRYPTO_FINGERPRINT_SIZE], struct error *err);

/*
 * AES-256-GCM under one key. seal() writes in.n bytes of ciphertext and the 16-byte tag to out and
 * uses the nonce `number`, which must be unique under this key; repository formats number what they
 * seal from 0 (see repo/seal.h). open() verifies and writes in.n - 16 bytes; ERR_CORRUPT if it does
 * not verify, and then out holds nothing of use. in and out may be the same memory, not overlap
 * otherwise. Nonce bytes: 4 zero bytes, then the number as le64.
 */
struct cipher;
CHECKED int cipher_new(const struct secret *key, struct cipher **ret, struct error *err);
void cipher_free(struct cipher *c);
void cipher_freep(struct cipher **c);
/* Change to another key without a new context. */
CHECKED int cipher_rekey(struct cipher *c, const struct secret *key, struct error *err);
CHECKED int cipher_seal(struct cipher *c, uint64_t number, struct slice aad, struct slice in,
			uint8_t *out, struct error *err);
CHECKED int cipher_open(struct cipher *c, uint64_t number, struct slice aad, struct slice in,
			uint8_t *out, struct error *err);

#endif
