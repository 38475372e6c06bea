/* SPDX-License-Identifier: Apache-2.0 */

/* Lines over a pipe, cut at every place a read can cut them. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "writer/lines.h"

static void
put(int fd, const void *p, size_t n)
{
	assert_int_equal(write(fd, p, n), n);
}

static void
test_cut_anywhere(void **arg)
{
	static const char text[] = "one\n\ntwo words\nrest";
	static const char *const want[] = {"one", "", "two words"};
	struct error err = ERROR_INIT;

	(void)arg;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct lines l;
		struct slice line;
		size_t got = 0;
		int p[2];

		assert_int_equal(pipe2(p, O_NONBLOCK), 0);
		lines_init(&l, 16);
		for (int part = 0; part < 2; part++) {
			put(p[1], part == 0 ? text : text + cut,
			    part == 0 ? cut : sizeof(text) - 1 - cut);
			while (lines_fill(&l, p[0], &err) == 1) {
				while (lines_next(&l, 16, &line, &err) == 1) {
					assert_int_equal(line.n, strlen(want[got]));
					assert_memory_equal(line.p, want[got], line.n);
					got++;
				}
			}
		}
		assert_int_equal(got, 3);
		assert_int_equal(lines_next(&l, 4, &line, &err), 0);
		assert_false(l.eof);
		(void)close(p[1]);
		assert_int_equal(lines_fill(&l, p[0], &err), 0);
		assert_true(l.eof);
		(void)close(p[0]);
		lines_done(&l);
	}
}

/* Whether or not its end has come. */
static void
meet_too_long(bool ended)
{
	struct error err = ERROR_INIT;
	struct lines l;
	struct slice line;
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	lines_init(&l, 8);
	put(p[1], "12345678\n123456789\n", ended ? 19 : 18);
	assert_int_equal(lines_fill(&l, p[0], &err), 1);
	assert_int_equal(lines_next(&l, 8, &line, &err), 1);
	assert_int_equal(line.n, 8);
	assert_int_equal(lines_next(&l, 8, &line, &err), ERR_LIMIT);
	lines_done(&l);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void
test_too_long(void **arg)
{
	(void)arg;
	meet_too_long(false);
	meet_too_long(true);
}

/* Memory is bounded even if nobody takes the lines. */
static void
test_fill_is_bounded(void **arg)
{
	struct error err = ERROR_INIT;
	struct lines l;
	char block[4096];
	int p[2], rc = 1;

	(void)arg;
	memset(block, 'x', sizeof(block));
	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	lines_init(&l, 10000);
	for (int i = 0; i < 100 && rc == 1; i++) {
		put(p[1], block, sizeof(block));
		rc = lines_fill(&l, p[0], &err);
	}
	assert_int_equal(rc, ERR_LIMIT);
	lines_done(&l);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void
test_write_to_the_deaf(void **arg)
{
	struct error err = ERROR_INIT;
	char *data = calloc(1, 1 << 20);
	int p[2];

	(void)arg;
	assert_non_null(data);
	/* A blocking pipe that nobody reads: the deadline holds all the same. */
	assert_int_equal(pipe(p), 0);
	assert_int_equal(
		lines_write(p[1], SLICE(data, 1 << 20), clock_boot_ns() + 50 * NS_PER_MS, &err),
		ERR_TIMEOUT);
	/* Nobody there at all: an error, and no signal, blocked or not, stays behind. */
	(void)close(p[0]);
	assert_int_equal(lines_write(p[1], SLICE(data, 10), UINT64_MAX, &err), ERR_IO);
	assert_int_equal(err.sys, EPIPE);
	sigset_t pending;
	assert_int_equal(sigpending(&pending), 0);
	assert_int_equal(sigismember(&pending, SIGPIPE), 0);
	(void)close(p[1]);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_fill_is_bounded),
		cmocka_unit_test(test_write_to_the_deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
