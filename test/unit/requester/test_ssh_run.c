/* SPDX-License-Identifier: Apache-2.0 */

/* What a program is fed, what is heard of it, and that it ends in time; with programs that all have. */
#include "requester/ssh_run.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"

static int
run(const char *script, int input, uint64_t limit_ns, struct ssh_run *ret, struct error *err)
{
	char shell[] = "sh", option[] = "-c", text[512];
	char *argv[] = {shell, option, text, NULL};

	assert_true(snprintf(text, sizeof(text), "%s", script) < (int)sizeof(text));
	return ssh_run(argv, input, clock_boot_ns() + limit_ns, ret, err);
}

static void
input_arrives_whole(void **state)
{
	static char megabytes[3 << 20];
	CLEAN(fd_close) int fd = memfd_create("input", MFD_CLOEXEC);
	struct ssh_run r;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(write(fd, megabytes, sizeof(megabytes)), sizeof(megabytes));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(run("wc -c; echo done >&2", fd, 20 * NS_PER_S, &r, &err), OK);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.said, "3145728"));
	assert_non_null(strstr(r.said, "done"));
}

/* A program that does not read what it is fed is no failure of ours. */
static void
input_may_be_left(void **state)
{
	CLEAN(fd_close) int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct ssh_run r;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(run("echo no >&2; exit 7", fd, 20 * NS_PER_S, &r, &err), OK);
	assert_int_equal(r.status, 7);
	assert_string_equal(r.said, "no ");
}

static void
the_last_words_are_kept(void **state)
{
	struct ssh_run r;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(run("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i + 1)); done; "
			     "printf 'the\\033[1m \\tend'",
			     -1, 20 * NS_PER_S, &r, &err),
			 OK);
	assert_int_equal(strlen(r.said), SSH_SAID_MAX - 1);
	assert_non_null(strstr(r.said, "line 1999 the [1m end"));
}

static void
it_ends_in_time(void **state)
{
	struct ssh_run r;
	struct error err = ERROR_INIT;
	uint64_t before = clock_boot_ns();

	(void)state;
	assert_int_equal(run("exec sleep 600", -1, NS_PER_S / 5, &r, &err), ERR_TIMEOUT);
	assert_true(clock_boot_ns() - before < 30 * NS_PER_S);
	assert_int_equal(run("kill -9 $$", -1, 20 * NS_PER_S, &r, &err), OK);
	assert_int_equal(r.status, -1);
}

static void
no_such_program(void **state)
{
	char name[] = "/nonexistent/ssh";
	char *argv[] = {name, NULL};
	struct ssh_run r;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(ssh_run(argv, -1, clock_boot_ns() + NS_PER_S, &r, &err), ERR_SPAWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_arrives_whole),     cmocka_unit_test(input_may_be_left),
		cmocka_unit_test(the_last_words_are_kept), cmocka_unit_test(it_ends_in_time),
		cmocka_unit_test(no_such_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
