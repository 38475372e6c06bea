/* SPDX-License-Identifier: Apache-2.0 */

/* Two ends over a socket pair: who is admitted, that both see the same binding, and deadlines. */
#include "crypto/tls.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"

struct side {
	struct tls_identity *id;
	struct tls_context *context;
	const uint8_t *friend; /* the only fingerprint it admits */
	int fd;
	/* outcome */
	int rc;
	struct error err;
	uint8_t binding[32];
	uint8_t peer[TLS_FINGERPRINT_SIZE];
	char line[32];
};

static bool
admit(void *arg, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE])
{
	const struct side *side = arg;

	return memcmp(side->friend, fingerprint, TLS_FINGERPRINT_SIZE) == 0;
}

static void *
talk(void *arg)
{
	CLEAN(tls_closep) struct tls_conn *c = NULL;
	CLEAN(buf_done) struct buf line = BUF_INIT(sizeof(((struct side *)0)->line));
	struct side *side = arg;

	side->rc = tls_open(side->context, side->fd, clock_boot_ns() + 10 * NS_PER_S, &c,
			    &side->err);
	if (side->rc == OK)
		side->rc = tls_write(c, SLICE("hello\n", 6), &side->err);
	if (side->rc == OK)
		side->rc = tls_read_line(c, &line, &side->err);
	if (side->rc == OK)
		side->rc = tls_binding(c, "EXPORTER-holdfast-test", side->binding, &side->err);
	if (side->rc == OK) {
		assert_true(tls_peer(c, side->peer));
		memcpy(side->line, line.p, line.n);
	}
	/* The other may still wait for our goodbye. */
	tls_close(STEAL_PTR(c));
	(void)shutdown(side->fd, SHUT_RDWR);
	return NULL;
}

static void
converse(struct side *server, struct side *client)
{
	pthread_t thread;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(tls_identity_make("server", &server->id, NULL), OK);
	assert_int_equal(tls_identity_make("client", &client->id, NULL), OK);
	if (server->friend == NULL)
		server->friend = tls_identity_fingerprint(client->id);
	if (client->friend == NULL)
		client->friend = tls_identity_fingerprint(server->id);
	assert_int_equal(
		tls_context_new(server->id, TLS_SERVER, admit, server, &server->context, NULL), OK);
	assert_int_equal(
		tls_context_new(client->id, TLS_CLIENT, admit, client, &client->context, NULL), OK);
	server->fd = fds[0];
	client->fd = fds[1];
	assert_int_equal(pthread_create(&thread, NULL, talk, server), 0);
	(void)talk(client);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void
side_done(struct side *side)
{
	tls_context_free(side->context);
	tls_identity_free(side->id);
}

static void
test_both_know_each_other(void **state)
{
	CLEAN(side_done) struct side server = {0};
	CLEAN(side_done) struct side client = {0};

	(void)state;
	converse(&server, &client);
	assert_int_equal(server.rc, OK);
	assert_int_equal(client.rc, OK);
	assert_string_equal(server.line, "hello");
	assert_string_equal(client.line, "hello");
	assert_memory_equal(server.binding, client.binding, sizeof(server.binding));
	assert_memory_equal(server.peer, tls_identity_fingerprint(client.id), TLS_FINGERPRINT_SIZE);
	assert_memory_equal(client.peer, tls_identity_fingerprint(server.id), TLS_FINGERPRINT_SIZE);
}

static void
test_strangers(void **state)
{
	static const uint8_t nobody[TLS_FINGERPRINT_SIZE];

	(void)state;
	for (int i = 0; i < 2; i++) {
		CLEAN(side_done) struct side server = {.friend = i == 0 ? nobody : NULL};
		CLEAN(side_done) struct side client = {.friend = i == 1 ? nobody : NULL};

		converse(&server, &client);
		assert_true(server.rc < 0);
		assert_true(client.rc < 0);
		assert_int_equal(i == 0 ? server.rc : client.rc, ERR_PERMISSION);
		/* And nothing was read from the stranger. */
		assert_string_equal(i == 0 ? server.line : client.line, "");
	}
}

static void
test_deadline(void **state)
{
	CLEAN(side_done) struct side server = {0};
	struct tls_conn *c;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(tls_identity_make("server", &server.id, NULL), OK);
	assert_int_equal(
		tls_context_new(server.id, TLS_SERVER, admit, &server, &server.context, NULL), OK);
	assert_int_equal(
		tls_open(server.context, fds[0], clock_boot_ns() + 20 * NS_PER_MS, &c, NULL),
		ERR_TIMEOUT);
	/* Garbage in place of a handshake. */
	assert_int_equal(write(fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	assert_true(tls_open(server.context, fds[0], clock_boot_ns() + NS_PER_S, &c, NULL) < 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void
test_identity_text(void **state)
{
	CLEAN(tls_identity_freep) struct tls_identity *id = NULL;
	CLEAN(tls_identity_freep) struct tls_identity *back = NULL;
	CLEAN(buf_done) struct buf pem = BUF_INIT(64 * 1024);
	struct tls_identity *other;

	(void)state;
	assert_int_equal(
		tls_identity_make("a name that is longer than the sixty-four bytes which fit "
				  "into the field for it, by some",
				  &id, NULL),
		OK);
	assert_int_equal(tls_identity_write(id, &pem, NULL), OK);
	assert_int_equal(tls_identity_read(buf_slice(&pem), &back, NULL), OK);
	assert_memory_equal(tls_identity_fingerprint(id), tls_identity_fingerprint(back),
			    TLS_FINGERPRINT_SIZE);
	assert_int_equal(tls_identity_read(SLICE(pem.p, pem.n / 2), &other, NULL), ERR_CORRUPT);
	assert_int_equal(tls_identity_read(SLICE("", 0), &other, NULL), ERR_CORRUPT);
	/* The key of one with the certificate of another. */
	CLEAN(tls_identity_freep) struct tls_identity *second = NULL;
	CLEAN(buf_done) struct buf mixed = BUF_INIT(64 * 1024);

	assert_int_equal(tls_identity_make("", &second, NULL), OK);
	assert_int_equal(tls_identity_write(second, &mixed, NULL), OK);
	char *own = memmem(pem.p, pem.n, "-----BEGIN CERT", 15);
	char *theirs = memmem(mixed.p, mixed.n, "-----BEGIN CERT", 15);
	assert_non_null(own);
	assert_non_null(theirs);
	pem.n = (size_t)((uint8_t *)own - pem.p);
	assert_int_equal(
		buf_append(&pem, theirs, mixed.n - (size_t)((uint8_t *)theirs - mixed.p), NULL),
		OK);
	assert_int_equal(tls_identity_read(buf_slice(&pem), &other, NULL), ERR_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_know_each_other),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_identity_text),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as every program of ours does */
	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
