/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TLS between Holdfast's own programs: version 1.3 only, a self-made certificate on either side, each
 * known to the other by its fingerprint (SHA-256 of the certificate). No authorities, no names, no
 * dates, no session tickets, no early data: who a peer is says one look-up, made during the handshake, so
 * that nothing of what a stranger sends is ever parsed as more than a handshake.
 *
 *	tls_identity_make() or tls_identity_read()
 *	tls_context_new(identity, role, admit, arg)	shared by all connections of a program
 *	tls_session_new(context)			for libevent, which frees it
 *	tls_open(context, fd, deadline)			a blocking connection, for short dialogues
 *	tls_pin_ctx()					for libcurl
 *
 * Programs that use it ignore SIGPIPE.
 *
 * Note of TLS 1.3: a client has done its handshake before the server has judged its certificate. It
 * learns that it was refused when it reads.
 */
#ifndef HF_CRYPTO_TLS_H
#define HF_CRYPTO_TLS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

struct ssl_st; /* OpenSSL's SSL */

enum { TLS_FINGERPRINT_SIZE = 32 };

enum tls_role {
	TLS_SERVER = 1,
	TLS_CLIENT,
};

/* A certificate and its private key. */
struct tls_identity;
/* New: P-256, self-signed. The name is for people who look at the certificate. */
CHECKED int tls_identity_make(const char *name, struct tls_identity **ret, struct error *err);
/* Both as PEM in one text, and back. */
CHECKED int tls_identity_read(struct slice pem, struct tls_identity **ret, struct error *err);
CHECKED int tls_identity_write(const struct tls_identity *id, struct buf *pem, struct error *err);
void tls_identity_free(struct tls_identity *id);
void tls_identity_freep(struct tls_identity **id);
const uint8_t *tls_identity_fingerprint(const struct tls_identity *id);

/* Is this peer known? Called during the handshake, from whichever thread that runs in. */
typedef bool tls_admit_fn(void *arg, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE]);

struct tls_context;
CHECKED int tls_context_new(const struct tls_identity *id, enum tls_role role, tls_admit_fn *admit,
			    void *arg, struct tls_context **ret, struct error *err);
void tls_context_free(struct tls_context *c); /* sessions made from it may live on */
void tls_context_freep(struct tls_context **c);

/* A session in its role, before the handshake, without a socket. */
CHECKED int tls_session_new(struct tls_context *c, struct ssl_st **ret, struct error *err);
/* What an error of OpenSSL's, as libevent hands it over, says of a handshake; "" for none. */
const char *tls_reason(unsigned long code);
/* After the handshake. False: there is none. */
bool tls_session_peer(struct ssl_st *session, uint8_t ret[TLS_FINGERPRINT_SIZE]);

/* Make libcurl's SSL_CTX (CURLOPT_SSL_CTX_FUNCTION) show this identity and accept only a peer that
 * `admit` knows. `admit` and arg must live as long as the transfer. */
CHECKED int tls_pin_ctx(void *ssl_ctx, const struct tls_identity *id, tls_admit_fn *admit,
			void *arg, struct error *err);

/* A blocking connection on a connected socket, which stays the caller's. Nothing on it lasts beyond
 * the deadline (boot clock). ERR_PERMISSION: one side does not know the other. */
struct tls_conn;
CHECKED int tls_open(struct tls_context *c, int fd, uint64_t deadline_ns, struct tls_conn **ret,
		     struct error *err);
CHECKED int tls_write(struct tls_conn *c, struct slice data, struct error *err);
/* Up to and without a newline, appended to line; ERR_PROTOCOL at the end of the connection. */
CHECKED int tls_read_line(struct tls_conn *c, struct buf *line, struct error *err);
/* 32 bytes that only the two ends of this connection know; whoever sits between has two connections,
 * and two different values. */
CHECKED int tls_binding(struct tls_conn *c, const char *label, uint8_t ret[32], struct error *err);
bool tls_peer(struct tls_conn *c, uint8_t ret[TLS_FINGERPRINT_SIZE]);
void tls_close(struct tls_conn *c); /* says goodbye, frees */
void tls_closep(struct tls_conn **c);

#endif
