/* SPDX-License-Identifier: Apache-2.0 */

/* Enrolment: the code as people write it, the proofs, and the dialogue with good and bad callers. */
#include "agent/enroll.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"

static struct error e; /* what does not matter of a failure */
static char guest_dir[64], requester_dir[64];

static void
test_code_text(void **state)
{
	struct enroll_code code, back;
	char text[ENROLL_CODE_TEXT], typed[64];

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(enroll_code_make(&code, NULL), OK);
		assert_int_equal(strlen(enroll_code_format(&code, text)), ENROLL_CODE_TEXT - 1);
		assert_int_equal(enroll_code_parse(text, &back, &e), OK);
		assert_memory_equal(&code, &back, sizeof(code));
	}
	memset(&code, 0, sizeof(code));
	assert_string_equal(enroll_code_format(&code, text), "0000-0000-0000-0000");
	memset(&code, 0xff, sizeof(code));
	assert_string_equal(enroll_code_format(&code, text), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
	/* As typed by a person. */
	(void)snprintf(typed, sizeof(typed), " zzzz ZZZZzzzz--zzzz ");
	assert_int_equal(enroll_code_parse(typed, &back, &e), OK);
	assert_memory_equal(&code, &back, sizeof(code));
	assert_int_equal(enroll_code_parse("oO0O-ilIL-1111-0000", &back, &e), OK);
	assert_string_equal(enroll_code_format(&back, text), "0000-1111-1111-0000");
	assert_int_equal(enroll_code_parse("", &back, &e), ERR_USAGE);
	assert_int_equal(enroll_code_parse("0000-0000-0000-000", &back, &e), ERR_USAGE);
	assert_int_equal(enroll_code_parse("0000-0000-0000-00000", &back, &e), ERR_USAGE);
	assert_int_equal(enroll_code_parse("0000-0000-0000-000U", &back, &e), ERR_USAGE);
}

static void
test_proofs_differ(void **state)
{
	struct enroll_code code = {{1}}, other = {{2}};
	uint8_t binding[32] = {3}, a[32] = {4}, b[32] = {5};
	uint8_t base[32], proof[32];

	(void)state;
	assert_int_equal(enroll_proof(&code, ENROLL_AGENT, binding, a, b, base, NULL), OK);
	assert_int_equal(enroll_proof(&code, ENROLL_AGENT, binding, a, b, proof, NULL), OK);
	assert_memory_equal(base, proof, 32);
	/* Each part matters: code, side, connection, either certificate, and which is whose. */
	assert_int_equal(enroll_proof(&other, ENROLL_AGENT, binding, a, b, proof, NULL), OK);
	assert_memory_not_equal(base, proof, 32);
	assert_int_equal(enroll_proof(&code, ENROLL_REQUESTER, binding, a, b, proof, NULL), OK);
	assert_memory_not_equal(base, proof, 32);
	assert_int_equal(enroll_proof(&code, ENROLL_AGENT, a, a, b, proof, NULL), OK);
	assert_memory_not_equal(base, proof, 32);
	assert_int_equal(enroll_proof(&code, ENROLL_AGENT, binding, b, a, proof, NULL), OK);
	assert_memory_not_equal(base, proof, 32);
}

struct guest {
	int listener;
	struct enroll_code code;
	uint64_t deadline_ns;
	struct peer peer;
	struct error err;
	int rc;
};

static void *
serve(void *arg)
{
	struct guest *g = arg;

	g->rc = enroll_serve(guest_dir, g->listener, &g->code, g->deadline_ns, NULL, &g->peer,
			     &g->err);
	return NULL;
}

static struct sockaddr_un address;

static int
call(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static pthread_t
start(struct guest *g)
{
	pthread_t thread;

	address = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", guest_dir);
	(void)unlink(address.sun_path);
	g->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(g->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(g->listener, 16), 0);
	g->deadline_ns = clock_boot_ns() + 20 * NS_PER_S;
	assert_int_equal(enroll_code_make(&g->code, NULL), OK);
	assert_int_equal(pthread_create(&thread, NULL, serve, g), 0);
	return thread;
}

static int
ask(const struct enroll_code *code, struct peer *ret)
{
	CLEAN(fd_close) int fd = call();

	return enroll_ask(requester_dir, fd, "db1.example", code, clock_boot_ns() + 10 * NS_PER_S,
			  ret, &e);
}

static void
test_dialogue(void **state)
{
	struct guest g = {0};
	pthread_t thread = start(&g);
	struct enroll_code wrong = g.code;
	struct peer peer, found;
	CLEAN(fd_close) int garbage = call();
	size_t n;

	(void)state;
	/* A scanner, then somebody who guesses, then the right one. */
	assert_int_equal(write(garbage, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	(void)shutdown(garbage, SHUT_RDWR);
	wrong.bytes[9] ^= 1;
	assert_int_equal(ask(&wrong, &peer), ERR_PERMISSION);
	assert_int_equal(peers_find_agent(requester_dir, "db1.example", &found, &e), 0);
	assert_int_equal(ask(&g.code, &peer), OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(g.rc, OK);

	/* Either knows the other, in its role. */
	assert_int_equal(peers_find_agent(requester_dir, "DB1.example", &found, &e), 1);
	assert_memory_equal(found.fingerprint, peer.fingerprint, TLS_FINGERPRINT_SIZE);
	assert_true(found.agent);
	assert_false(found.requester);
	assert_int_equal(peers_find(guest_dir, g.peer.fingerprint, &found, &e), 1);
	assert_true(found.requester);
	assert_false(found.agent);
	assert_int_equal(peers_find(guest_dir, peer.fingerprint, &found, &e), 0);

	assert_int_equal(peers_remove(guest_dir, "nobody", &n, &e), OK);
	assert_int_equal(n, 0);
	assert_int_equal(peers_remove(guest_dir, g.peer.name, &n, &e), OK);
	assert_int_equal(n, 1);
	assert_int_equal(peers_find(guest_dir, g.peer.fingerprint, &found, &e), 0);
	(void)close(g.listener);
}

static void
test_few_tries(void **state)
{
	struct guest g = {0};
	pthread_t thread = start(&g);
	struct enroll_code wrong = g.code;
	struct peer peer;

	(void)state;
	wrong.bytes[0] ^= 0x80;
	for (int i = 0; i < ENROLL_TRIES; i++)
		assert_int_equal(ask(&wrong, &peer), ERR_PERMISSION);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(g.rc, ERR_PERMISSION);
	(void)close(g.listener);
}

static void
test_expires(void **state)
{
	struct guest g = {0};

	(void)state;
	g.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		enroll_serve(guest_dir, g.listener, &g.code, clock_boot_ns(), NULL, &g.peer, &e),
		ERR_TIMEOUT);
	(void)close(g.listener);
}

static void
test_identity_stays(void **state)
{
	CLEAN(tls_identity_freep) struct tls_identity *first = NULL;
	CLEAN(tls_identity_freep) struct tls_identity *second = NULL;

	(void)state;
	assert_int_equal(peers_identity(guest_dir, &first, NULL), OK);
	assert_int_equal(peers_identity(guest_dir, &second, NULL), OK);
	assert_memory_equal(tls_identity_fingerprint(first), tls_identity_fingerprint(second),
			    TLS_FINGERPRINT_SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_text),      cmocka_unit_test(test_proofs_differ),
		cmocka_unit_test(test_dialogue),       cmocka_unit_test(test_few_tries),
		cmocka_unit_test(test_identity_stays), cmocka_unit_test(test_expires),
	};
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(guest_dir, sizeof(guest_dir), "/tmp/hf-enroll-g-XXXXXX");
	(void)snprintf(requester_dir, sizeof(requester_dir), "/tmp/hf-enroll-r-XXXXXX");
	if (mkdtemp(guest_dir) == NULL || mkdtemp(requester_dir) == NULL)
		return 1;
	r = cmocka_run_group_tests_name("enroll", tests, NULL, NULL);
	if (fs_remove_tree(AT_FDCWD, guest_dir, NULL) < 0 ||
	    fs_remove_tree(AT_FDCWD, requester_dir, NULL) < 0)
		return 1;
	return r;
}
