/* SPDX-License-Identifier: Apache-2.0 */

/* Messages between the agent and its guard: sent whole, refused unless they are what they say. */
#include "guard/wire.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static int ends[2];
static struct error err;

static int
open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int
close_pair(void **state)
{
	(void)state;
	(void)close(ends[0]);
	(void)close(ends[1]);
	return 0;
}

static void
every_kind_arrives(void **state)
{
	const struct lease_key key = {.set = {7}, .epoch = 9};

	(void)state;
	for (int kind = WIRE_HELLO; kind < WIRE_KINDS; kind++) {
		for (unsigned answer = 0; answer < 2; answer++) {
			struct wire_message m, got;
			bool closed;
			int fd;

			wire_init(&m, kind, 42, &key);
			m.head.answer = answer;
			memset(&got, 0xff, sizeof(got));
			assert_int_equal(wire_send(ends[0], &m, -1, true, &err), 1);
			assert_int_equal(wire_receive(ends[1], &got, &fd, &closed, &err), 1);
			assert_memory_equal(&got, &m, wire_size(&m.head));
			assert_int_equal(fd, -1);
		}
	}
}

static void
a_descriptor_comes_along(void **state)
{
	struct wire_message m, got;
	struct stat a, b;
	bool closed;
	int fd = -1;

	(void)state;
	wire_init(&m, WIRE_WRITER, 1, NULL);
	assert_int_equal(wire_send(ends[0], &m, ends[0], true, &err), 1);
	assert_int_equal(wire_receive(ends[1], &got, &fd, &closed, &err), 1);
	assert_true(fstat(fd, &a) == 0 && fstat(ends[0], &b) == 0);
	assert_true(a.st_ino == b.st_ino);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	(void)close(fd);
}

static void
errors_travel(void **state)
{
	struct error e = ERROR_INIT, got = ERROR_INIT;
	struct wire_message m;

	(void)state;
	(void)error_set(&e, ERR_FREEZE, "freeze '/x': Device or resource busy");
	(void)error_hint(&e, "somebody else has frozen it");
	wire_init(&m, WIRE_SNAPSHOT, 3, NULL);
	wire_set_error(&m, &e);
	assert_int_equal(wire_check(&m, wire_size(&m.head), &err), OK);
	assert_int_equal(wire_get_error(&m, &got), ERR_FREEZE);
	assert_string_equal(got.msg, e.msg);
	assert_string_equal(got.hint, e.hint);
}

static void
nothing_and_the_end(void **state)
{
	struct wire_message m;
	bool closed = true;
	int fd;

	(void)state;
	assert_int_equal(wire_receive(ends[1], &m, &fd, &closed, &err), 0);
	assert_false(closed);
	(void)shutdown(ends[0], SHUT_RDWR);
	assert_int_equal(wire_receive(ends[1], &m, &fd, &closed, &err), 0);
	assert_true(closed);
	wire_init(&m, WIRE_PING, 1, NULL);
	assert_int_equal(wire_send(ends[1], &m, -1, false, &err), ERR_IO);
}

/* A full socket makes nobody wait who cannot. */
static void
no_room(void **state)
{
	struct wire_message m;
	int rc = 1, n = 0;

	(void)state;
	wire_init(&m, WIRE_EVENT, 0, NULL);
	while (rc == 1 && n++ < 100000)
		rc = wire_send(ends[0], &m, -1, false, &err);
	assert_int_equal(rc, 0);
}

static void
malformed(void **state)
{
	struct wire_message m;

	(void)state;
	for (int i = 0; i < 9; i++) {
		size_t n;

		wire_init(&m, WIRE_ADD, 1, NULL);
		n = wire_size(&m.head);
		assert_int_equal(wire_check(&m, n, &err), OK);
		switch (i) {
		case 0:
			m.head.magic++;
			break;
		case 1:
			m.head.version++;
			break;
		case 2:
			m.head.kind = WIRE_KINDS;
			break;
		case 3:
			m.head.kind = 0;
			break;
		case 4:
			m.head.answer = 2;
			break;
		case 5:
			m.head.code = ERR_IO; /* of a request */
			break;
		case 6:
			n--;
			break;
		case 7:
			n = 3;
			break;
		default:
			memset(m.body.add.source, 'x', sizeof(m.body.add.source));
		}
		assert_int_equal(wire_check(&m, n, &err), ERR_PROTOCOL);
	}
	/* A truth value that is none. */
	wire_init(&m, WIRE_SNAPSHOT, 1, NULL);
	m.head.answer = 1;
	memset(&m.body.moment.ours, 2, 1);
	assert_int_equal(wire_check(&m, wire_size(&m.head), &err), ERR_PROTOCOL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_kind_arrives),
		TEST(a_descriptor_comes_along),
		TEST(errors_travel),
		TEST(nothing_and_the_end),
		TEST(no_room),
		TEST(malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
