/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A blocking connection with one deadline for everything: the socket is switched to not blocking, and
 * every wait is a poll() for what is left of the time.
 */
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/ossl.h"
#include "crypto/tls_internal.h"

struct tls_conn {
	SSL *ssl;
	int fd;
	uint64_t deadline_ns;
};

/* After r = SSL_...() <= 0: wait for what it wants, or raise what went wrong. */
static int
wait_or_fail(struct tls_conn *c, int r, const char *what, struct error *err)
{
	int why = SSL_get_error(c->ssl, r);
	struct pollfd p = {.fd = c->fd};

	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
		unsigned long code = ERR_peek_last_error();

		if (why == SSL_ERROR_ZERO_RETURN || code == 0 ||
		    ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			ERR_clear_error();
			return error_set(err, ERR_PROTOCOL, "%s: the other side hung up", what);
		}
		if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED ||
		    ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
		    ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET) {
			(void)ossl_fail(err, what);
			if (err != NULL)
				err->code = ERR_PERMISSION;
			return ERR_PERMISSION;
		}
		return ossl_fail(err, what);
	}
	p.events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
	for (;;) {
		int n = poll(&p, 1, clock_left_ms(c->deadline_ns));

		if (n > 0)
			return OK;
		if (n == 0)
			return error_set(err, ERR_TIMEOUT, "%s: no answer in time", what);
		if (errno != EINTR)
			return error_sys(err, ERR_IO, "%s", what);
	}
}

int
tls_open(struct tls_context *context, int fd, uint64_t deadline_ns, struct tls_conn **ret,
	 struct error *err)
{
	CLEAN(tls_closep) struct tls_conn *c = calloc(1, sizeof(*c));
	int flags = fcntl(fd, F_GETFL);
	int r;

	if (c == NULL)
		return error_no_memory(err);
	*c = (struct tls_conn){.fd = fd, .deadline_ns = deadline_ns};
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_sys(err, ERR_IO, "set up a connection");
	if (tls_session_new(context, &c->ssl, err) < 0)
		return err != NULL ? err->code : ERR_CRYPTO;
	if (SSL_set_fd(c->ssl, fd) != 1)
		return ossl_fail(err, "begin a TLS session");
	for (;;) {
		ERR_clear_error();
		r = SSL_do_handshake(c->ssl);
		if (r == 1)
			break;
		r = wait_or_fail(c, r, "TLS handshake", err);
		if (r < 0)
			return r;
	}
	*ret = STEAL_PTR(c);
	return OK;
}

int
tls_write(struct tls_conn *c, struct slice data, struct error *err)
{
	while (data.n > 0) {
		size_t n = 0;

		ERR_clear_error();
		int r = SSL_write_ex(c->ssl, data.p, data.n, &n);
		if (r == 1) {
			data.p += n;
			data.n -= n;
			continue;
		}
		r = wait_or_fail(c, r, "write over TLS", err);
		if (r < 0)
			return r;
	}
	return OK;
}

int
tls_read_line(struct tls_conn *c, struct buf *line, struct error *err)
{
	for (;;) {
		uint8_t byte;
		size_t n = 0;

		ERR_clear_error();
		int r = SSL_read_ex(c->ssl, &byte, 1, &n);
		if (r == 1 && byte == '\n')
			return OK;
		r = r == 1 ? buf_u8(line, byte, err) : wait_or_fail(c, r, "read over TLS", err);
		if (r < 0)
			return r;
	}
}

int
tls_binding(struct tls_conn *c, const char *label, uint8_t ret[32], struct error *err)
{
	if (SSL_export_keying_material(c->ssl, ret, 32, label, strlen(label), NULL, 0, 0) != 1)
		return ossl_fail(err, "bind to the TLS connection");
	return OK;
}

bool
tls_peer(struct tls_conn *c, uint8_t ret[TLS_FINGERPRINT_SIZE])
{
	return tls_session_peer(c->ssl, ret);
}

void
tls_close(struct tls_conn *c)
{
	if (c == NULL)
		return;
	if (c->ssl != NULL && SSL_is_init_finished(c->ssl))
		(void)SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	ERR_clear_error();
	free(c);
}

void
tls_closep(struct tls_conn **c)
{
	tls_close(*c);
}
