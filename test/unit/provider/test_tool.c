/* SPDX-License-Identifier: Apache-2.0 */

/* Programs that do a provider's work. */
#include "provider/tool.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"

static struct error err;

static void
expect_words(const char *line, size_t n, const char *const words[])
{
	char store[256], *argv[TOOL_ARGS_MAX + 1];

	assert_int_equal(tool_split(line, store, argv, &err), OK);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(argv[i], words[i]);
	assert_null(argv[n]);
}

static void
test_split(void **state)
{
	static const char *const two[] = {"/bin/x", "create"};
	static const char *const odd[] = {"/a b", "c'd", "", "e$f"};
	char store[256], *argv[TOOL_ARGS_MAX + 1];

	(void)state;
	expect_words("/bin/x create", 2, two);
	expect_words("  /bin/x\t create  ", 2, two);
	expect_words("'/a b' \"c'd\" '' e\"$\"f", 4, odd);
	assert_int_equal(tool_split("/x 'y", store, argv, &err), ERR_CONFIG);
	assert_int_equal(tool_split(" ", store, argv, &err), ERR_CONFIG);
	memset(store, ' ', sizeof(store));
	char line[256] = "";
	for (size_t i = 0; i <= TOOL_ARGS_MAX; i++)
		memcpy(line + 2 * i, "x ", 3);
	assert_int_equal(tool_split(line, store, argv, &err), ERR_CONFIG);
}

static int
sh(const char *script, uint64_t limit_ns, struct buf *out)
{
	char shell[] = "/bin/sh", option[] = "-c", variable[] = "HOLDFAST_SET=new";
	char *argv[] = {shell, option, (char *)(uintptr_t)script, NULL};
	char *env[] = {variable, NULL};

	err = ERROR_INIT;
	return tool_run(argv, env, clock_boot_ns() + limit_ns, out, &err);
}

static void
test_run(void **state)
{
	CLEAN(buf_done) struct buf out = BUF_INIT(64);

	(void)state;
	assert_int_equal(setenv("HOLDFAST_SET", "old", 1), 0);
	assert_int_equal(sh("echo $HOLDFAST_SET $LC_ALL; read x || echo end", 10 * NS_PER_S, &out),
			 OK);
	assert_int_equal(out.n, strlen("new C\nend\n"));
	assert_memory_equal(out.p, "new C\nend\n", out.n);
	/* However much it says. */
	assert_int_equal(
		sh("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2", 10 * NS_PER_S, &out),
		OK);
	assert_int_equal(out.n, 64);
	assert_int_equal(sh("echo out; echo 'no such array' >&2; exit 3", 10 * NS_PER_S, NULL),
			 ERR_IO);
	assert_non_null(strstr(err.msg, "exit status 3: no such array"));
	assert_int_equal(sh("echo only out; exit 1", 10 * NS_PER_S, NULL), ERR_IO);
	assert_non_null(strstr(err.msg, "only out"));
	assert_int_equal(sh("kill -9 $$", 10 * NS_PER_S, NULL), ERR_IO);
	assert_non_null(strstr(err.msg, "signal 9"));
}

static bool
is_running(pid_t pid)
{
	char path[64], line[256] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CLEAN(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, line, sizeof(line) - 1) > 0 && strstr(line, ") Z ") == NULL &&
	       strstr(line, ") X ") == NULL;
}

static void
test_too_late(void **state)
{
	CLEAN(buf_done) struct buf out = BUF_INIT(64);
	uint64_t begun = clock_boot_ns();

	(void)state;
	/* With a child of its own, which goes as well. A shell on a busy machine may need longer to have one. */
	for (uint64_t limit = 300 * NS_PER_MS; out.n == 0 && limit < 20 * NS_PER_S; limit *= 4) {
		begun = clock_boot_ns();
		assert_int_equal(sh("sleep 60 & echo $!; wait", limit, &out), ERR_TIMEOUT);
		assert_true(clock_boot_ns() - begun < limit + 20 * NS_PER_S);
	}
	begun = clock_boot_ns();
	assert_int_equal(buf_u8(&out, 0, &err), OK);
	pid_t pid = (pid_t)strtol((char *)out.p, NULL, 10);
	assert_true(pid > 1);
	/* Killed; and it ends, and init reaps it, as soon as they get to that. */
	while (is_running(pid))
		assert_true(clock_boot_ns() - begun < 20 * NS_PER_S);
}

static void
test_check(void **state)
{
	(void)state;
	assert_int_equal(tool_check("/bin/sh", &err), OK);
	assert_int_equal(tool_check("sh", &err), ERR_CONFIG);
	assert_int_equal(tool_check("/nonexistent", &err), ERR_CONFIG);
	assert_int_equal(tool_check("/etc", &err), ERR_CONFIG);
	assert_int_equal(tool_check("/etc/passwd", &err), ERR_CONFIG);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests_name("tool", tests, NULL, NULL);
}
