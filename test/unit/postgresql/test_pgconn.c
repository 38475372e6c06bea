/* SPDX-License-Identifier: Apache-2.0 */

/* A session with a server that means ill: each wait ends, and memory stays what it was. */
#include "postgresql/pgconn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "postgresql/fakepg.h"

enum { FIRST = 1 /* pgconn_open() asks one statement by itself */ };

struct bed {
	struct fakepg *server;
	struct pgconn *c;
	struct error err;
};

static struct pgconn_limit
within_ms(uint64_t ms)
{
	return (struct pgconn_limit){.deadline_ns = clock_boot_ns() + ms * NS_PER_MS,
				     .requester_fd = -1};
}

static void
set_up(struct bed *b, fakepg_fn *answer)
{
	struct pgconn_limit limit = within_ms(5000);

	*b = (struct bed){.server = fakepg_new(answer, b), .err = ERROR_INIT};
	const struct pgconn_target target = {.host = "127.0.0.1",
					     .port = fakepg_port(b->server),
					     .user = "u",
					     .sslmode = "disable"};

	assert_int_equal(pgconn_open(&target, &limit, &b->c, &b->err), OK);
}

static void
tear_down(struct bed *b)
{
	pgconn_close(b->c);
	fakepg_free(b->server);
}

static bool
answer_well(int fd)
{
	return fakepg_rows(fd, 1, 1, "1") && fakepg_ready(fd);
}

static bool
well(void *arg, int fd, const char *sql, unsigned n)
{
	(void)arg, (void)sql, (void)n;
	return answer_well(fd);
}

static void
test_well(void **state)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	struct pgconn_limit limit = within_ms(5000);
	struct bed b;

	(void)state;
	set_up(&b, well);
	assert_int_equal(pgconn_query(b.c, &limit, "SELECT 1", 0, NULL, &rows, &b.err), OK);
	assert_string_equal(PQgetvalue(rows, 0, 0), "1");
	tear_down(&b);
}

/* A COPY that nobody asked for has a result as often as one looks. */
static bool
copies(void *arg, int fd, const char *sql, unsigned n)
{
	(void)arg;
	if (n < FIRST)
		return answer_well(fd);
	return fakepg_send(fd, sql[0], "\0\0", 3);
}

static void
test_copy(void **state)
{
	static const char *const kinds[] = {"G", "H", "W"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct pgconn_limit limit = within_ms(2000);
		struct bed b;

		set_up(&b, copies);
		assert_int_equal(pgconn_query(b.c, &limit, kinds[i], 0, NULL, NULL, &b.err),
				 ERR_DB_SESSION_LOST);
		tear_down(&b);
	}
}

/* Always something new, and never an answer. */
static bool
chatters(void *arg, int fd, const char *sql, unsigned n)
{
	(void)arg, (void)sql;
	if (n < FIRST)
		return answer_well(fd);
	while (fakepg_notices(fd, 10000, "on and on"))
		;
	return false;
}

static void
test_chatter(void **state)
{
	struct pgconn_limit limit = within_ms(500);
	uint64_t begun_ns = clock_boot_ns();
	struct bed b;

	(void)state;
	set_up(&b, chatters);
	assert_true(pgconn_query(b.c, &limit, "SELECT 1", 0, NULL, NULL, &b.err) < 0);
	assert_true(clock_boot_ns() - begun_ns < 10 * NS_PER_S);
	tear_down(&b);
}

static bool
floods(void *arg, int fd, const char *sql, unsigned n)
{
	static char value[60000];

	(void)arg, (void)sql;
	if (n < FIRST)
		return answer_well(fd);
	memset(value, 'x', sizeof(value) - 1);
	return fakepg_rows(fd, 1, 40000, value) && fakepg_ready(fd); /* 2.4 GB */
}

static void
expect_flood_to_end(struct bed *b, int r)
{
	struct rusage usage;

	assert_int_equal(r, ERR_PROTOCOL);
	assert_non_null(strstr(b->err.msg, "does not end"));
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	assert_true(usage.ru_maxrss < 1024 * 1024); /* KiB */
}

static void
test_flood(void **state)
{
	struct pgconn_limit limit = within_ms(60000);
	struct bed b;

	(void)state;
	set_up(&b, floods);
	expect_flood_to_end(&b, pgconn_query(b.c, &limit, "SELECT 1", 0, NULL, NULL, &b.err));
	tear_down(&b);
}

/* The same for who looks between other things. */
static void
test_flood_taken(void **state)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	uint64_t until_ns = clock_boot_ns() + 60 * NS_PER_S;
	struct bed b;
	int r = 0;

	(void)state;
	set_up(&b, floods);
	assert_int_equal(pgconn_send(b.c, "SELECT 1", 0, NULL, &b.err), OK);
	while (r == 0 && clock_boot_ns() < until_ns)
		r = pgconn_take(b.c, &rows, &b.err);
	expect_flood_to_end(&b, r);
	tear_down(&b);
}

/* One message that says it is huge: 96 MiB. libpq may have all of it before anybody can look. */
static bool
boasts(void *arg, int fd, const char *sql, unsigned n)
{
	static char piece[1 << 20];

	(void)arg, (void)sql;
	if (n < FIRST)
		return answer_well(fd);
	if (!fakepg_send(fd, 'W', "\0\0", 3) || send(fd, "d\x06\x00\x00\x00", 5, MSG_NOSIGNAL) != 5)
		return false;
	while (send(fd, piece, sizeof(piece), MSG_NOSIGNAL) > 0)
		;
	return false;
}

static void
test_huge_message(void **state)
{
	CLEAN(pgconn_result_done) PGresult *rows = NULL;
	struct pgconn_limit limit = within_ms(60000);
	char *message;
	struct bed b;
	size_t n;

	(void)state;
	set_up(&b, boasts);
	assert_int_equal(pgconn_copy_start(b.c, &limit, "W", &rows, &b.err), 1);
	expect_flood_to_end(&b, pgconn_copy_read(b.c, &limit, &message, &n, &b.err));
	tear_down(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_well),        cmocka_unit_test(test_copy),
		cmocka_unit_test(test_chatter),     cmocka_unit_test(test_flood),
		cmocka_unit_test(test_flood_taken), cmocka_unit_test(test_huge_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
