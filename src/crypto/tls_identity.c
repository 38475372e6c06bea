/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates of our own making. They are containers for a key and nothing else: peers know them by
 * fingerprint, so their name, dates and signature mean nothing, and are filled in as the standard wants.
 */
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/ossl.h"
#include "crypto/tls_internal.h"

enum { NAME_MAX_BYTES = 64, PEM_MAX = 64 * 1024 };

static void
bio_done(BIO **b)
{
	BIO_free_all(*b);
}

void
tls_identity_free(struct tls_identity *id)
{
	if (id == NULL)
		return;
	X509_free(id->certificate);
	EVP_PKEY_free(id->key);
	free(id);
}

void
tls_identity_freep(struct tls_identity **id)
{
	tls_identity_free(*id);
}

const uint8_t *
tls_identity_fingerprint(const struct tls_identity *id)
{
	return id->fingerprint;
}

static bool
fill(X509 *x, EVP_PKEY *key, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);
	char cn[NAME_MAX_BYTES + 1] = "holdfast";
	uint64_t serial;

	if (name[0] != '\0')
		memccpy(cn, name, 0, sizeof(cn) - 1);
	cn[NAME_MAX_BYTES] = '\0';
	if (crypto_random(&serial, sizeof(serial), NULL) < 0)
		return false;
	serial >>= 1; /* positive */
	return X509_set_version(x, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial) == 1 &&
	       ASN1_TIME_set_string_X509(X509_getm_notBefore(x), "20000101000000Z") == 1 &&
	       /* RFC 5280: no well-defined expiration */
	       ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "99991231235959Z") == 1 &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn,
					  -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1 &&
	       X509_sign(x, key, ossl_sha256()) > 0;
}

int
tls_identity_make(const char *name, struct tls_identity **ret, struct error *err)
{
	CLEAN(tls_identity_freep) struct tls_identity *id = calloc(1, sizeof(*id));

	if (id == NULL)
		return error_no_memory(err);
	id->key = EVP_EC_gen("P-256");
	id->certificate = X509_new();
	if (id->key == NULL || id->certificate == NULL || !fill(id->certificate, id->key, name) ||
	    !tls_certificate_fingerprint(id->certificate, id->fingerprint))
		return ossl_fail(err, "make a certificate");
	*ret = STEAL_PTR(id);
	return OK;
}

/* Never ask a terminal for a passphrase. */
static int
no_passphrase(char *buffer, int size, int writing, void *arg)
{
	(void)buffer, (void)size, (void)writing, (void)arg;
	return -1;
}

int
tls_identity_read(struct slice pem, struct tls_identity **ret, struct error *err)
{
	CLEAN(tls_identity_freep) struct tls_identity *id = calloc(1, sizeof(*id));
	CLEAN(bio_done) BIO *for_key = NULL;
	CLEAN(bio_done) BIO *for_certificate = NULL;

	if (id == NULL)
		return error_no_memory(err);
	if (pem.n == 0 || pem.n > PEM_MAX)
		return error_set(err, ERR_CORRUPT, "a certificate with its key of %zu bytes",
				 pem.n);
	for_key = BIO_new_mem_buf(pem.p, (int)pem.n);
	for_certificate = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (for_key == NULL || for_certificate == NULL)
		return error_no_memory(err);
	id->key = PEM_read_bio_PrivateKey(for_key, NULL, no_passphrase, NULL);
	id->certificate = PEM_read_bio_X509(for_certificate, NULL, no_passphrase, NULL);
	if (id->key == NULL || id->certificate == NULL ||
	    X509_check_private_key(id->certificate, id->key) != 1 ||
	    !tls_certificate_fingerprint(id->certificate, id->fingerprint)) {
		(void)ossl_fail(err, "read the certificate and its key");
		return error_set(err, ERR_CORRUPT, "not a certificate with its private key");
	}
	*ret = STEAL_PTR(id);
	return OK;
}

int
tls_identity_write(const struct tls_identity *id, struct buf *pem, struct error *err)
{
	/* Secure memory of OpenSSL is wiped when freed. */
	CLEAN(bio_done) BIO *out = BIO_new(BIO_s_secmem());
	char *text;

	if (out == NULL)
		return error_no_memory(err);
	if (PEM_write_bio_PrivateKey(out, id->key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    PEM_write_bio_X509(out, id->certificate) != 1)
		return ossl_fail(err, "write the certificate and its key");
	long n = BIO_get_mem_data(out, &text);
	return buf_append(pem, text, (size_t)n, err);
}
