/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Contexts and sessions. The one verification there is: the peer's own certificate, hashed, is looked up by
 * the caller. That the peer holds its key is proven by the handshake itself.
 */
#include "crypto/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "crypto/ossl.h"
#include "crypto/tls_internal.h"

/* A certificate of ours has about 400 bytes. */
enum { PEER_CERTIFICATES_MAX = 8 * 1024 };

struct tls_context {
	SSL_CTX *ctx;
	enum tls_role role;
	tls_admit_fn *admit;
	void *arg;
};

struct judge {
	tls_admit_fn *admit;
	void *arg;
};

const char *
tls_reason(unsigned long code)
{
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (code != 0 && ERR_GET_LIB(code) == ERR_LIB_SSL &&
	    ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return "its certificate is not known here";
	return text != NULL ? text : code != 0 ? "TLS handshake failed" : "";
}

bool
tls_certificate_fingerprint(X509 *certificate, uint8_t ret[TLS_FINGERPRINT_SIZE])
{
	unsigned n = 0;

	return X509_digest(certificate, ossl_sha256(), ret, &n) == 1 && n == TLS_FINGERPRINT_SIZE;
}

/* OpenSSL's whole verification is replaced by this. */
static int
judge_peer(X509_STORE_CTX *store, tls_admit_fn *admit, void *arg)
{
	X509 *certificate = X509_STORE_CTX_get0_cert(store);
	uint8_t fingerprint[TLS_FINGERPRINT_SIZE];

	if (certificate != NULL && tls_certificate_fingerprint(certificate, fingerprint) &&
	    admit(arg, fingerprint)) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static int
verify(X509_STORE_CTX *store, void *arg)
{
	struct tls_context *c = arg;

	return judge_peer(store, c->admit, c->arg);
}

static int
prepare(SSL_CTX *ctx, const struct tls_identity *id, struct error *err)
{
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_use_certificate(ctx, id->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, id->key) != 1 || SSL_CTX_set_num_tickets(ctx, 0) != 1)
		return ossl_fail(err, "prepare TLS");
	/* Keys come in through these buffers: nothing of them stays there. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
					 SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, PEER_CERTIFICATES_MAX);
	/* Idle connections keep no buffers of 32 KiB. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return OK;
}

int
tls_context_new(const struct tls_identity *id, enum tls_role role, tls_admit_fn *admit, void *arg,
		struct tls_context **ret, struct error *err)
{
	CLEAN(tls_context_freep) struct tls_context *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return error_no_memory(err);
	*c = (struct tls_context){.role = role, .admit = admit, .arg = arg};
	c->ctx = SSL_CTX_new(role == TLS_SERVER ? TLS_server_method() : TLS_client_method());
	if (c->ctx == NULL)
		return ossl_fail(err, "prepare TLS");
	if (prepare(c->ctx, id, err) < 0)
		return err != NULL ? err->code : ERR_CRYPTO;
	SSL_CTX_set_cert_verify_callback(c->ctx, verify, c);
	*ret = STEAL_PTR(c);
	return OK;
}

void
tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	SSL_CTX_free(c->ctx);
	free(c);
}

void
tls_context_freep(struct tls_context **c)
{
	tls_context_free(*c);
}

int
tls_session_new(struct tls_context *c, struct ssl_st **ret, struct error *err)
{
	SSL *ssl = SSL_new(c->ctx);

	if (ssl == NULL)
		return ossl_fail(err, "begin a TLS session");
	if (c->role == TLS_SERVER)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	*ret = ssl;
	return OK;
}

bool
tls_session_peer(struct ssl_st *session, uint8_t ret[TLS_FINGERPRINT_SIZE])
{
	X509 *certificate = SSL_get0_peer_certificate(session);

	return certificate != NULL && tls_certificate_fingerprint(certificate, ret);
}

static int
verify_pinned(X509_STORE_CTX *store, void *arg)
{
	struct judge *judge = arg;

	return judge_peer(store, judge->admit, judge->arg);
}

static void
judge_free(void *parent, void *p, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	free(p);
}

int
tls_pin_ctx(void *ssl_ctx, const struct tls_identity *id, tls_admit_fn *admit, void *arg,
	    struct error *err)
{
	static _Atomic int slot = -1; /* where a context keeps its judge */
	CLEAN(free_ptr) struct judge *judge = calloc(1, sizeof(*judge));

	if (judge == NULL)
		return error_no_memory(err);
	if (slot < 0)
		slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, judge_free);
	*judge = (struct judge){.admit = admit, .arg = arg};
	if (slot < 0)
		return ossl_fail(err, "prepare TLS");
	if (prepare(ssl_ctx, id, err) < 0)
		return err != NULL ? err->code : ERR_CRYPTO;
	if (SSL_CTX_set_ex_data(ssl_ctx, slot, judge) != 1)
		return ossl_fail(err, "prepare TLS");
	SSL_CTX_set_cert_verify_callback(ssl_ctx, verify_pinned, STEAL_PTR(judge));
	return OK;
}
