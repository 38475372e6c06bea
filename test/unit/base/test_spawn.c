/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Children: what they are given (three pipes, default signals, a user) and nothing else; how they
 * fail to start; deadlines; and that they do not outlive us.
 */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"

#define ARGV(...) ((char *[]){__VA_ARGS__, NULL})

static char sh[] = "/bin/sh", c_flag[] = "-c", cat[] = "cat";

static uint64_t
soon(void)
{
	return clock_boot_ns() + 20 * NS_PER_S;
}

/* All the child writes, as text. */
static void
read_out(int fd, struct buf *b)
{
	uint64_t deadline = soon();

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char bytes[256];

		assert_int_equal(poll(&p, 1, clock_left_ms(deadline)), 1);
		ssize_t n = read(fd, bytes, sizeof(bytes));
		assert_true(n >= 0);
		if (n == 0)
			break;
		assert_int_equal(buf_append(b, bytes, (size_t)n, NULL), OK);
	}
	assert_int_equal(buf_printf(b, NULL, "%s", ""), OK);
}

/* Run a shell script and give what it prints. */
static void
run(char *script, const char *user, struct buf *out)
{
	CLEAN(child_kill) struct child c = CHILD_INIT;
	int status = -1;

	assert_int_equal(child_start(ARGV(sh, c_flag, script), user, &c, NULL), OK);
	read_out(c.out, out);
	assert_int_equal(child_wait(&c, soon(), &status, NULL), 1);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_cat(void **state)
{
	CLEAN(child_kill) struct child c = CHILD_INIT;
	CLEAN(buf_done) struct buf out = BUF_INIT(1000);
	struct error err = ERROR_INIT;
	int status = -1;

	(void)state;
	assert_int_equal(child_start(ARGV(cat), NULL, &c, &err), OK);
	assert_true(c.pid > 0);
	assert_true((fcntl(c.in, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(c.out, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(c.errout, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(c.in, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(c.out, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(c.pidfd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(fs_write(c.in, "there and back", 14, &err), OK);
	(void)close(STEAL_FD(c.in));
	read_out(c.out, &out);
	assert_string_equal((char *)out.p, "there and back");
	assert_int_equal(child_wait(&c, soon(), &status, &err), 1);
	assert_int_equal(status, 0);
	assert_int_equal(c.pid, 0);
	/* Ended and reaped: there is nothing to wait for. */
	assert_int_equal(child_wait(&c, soon(), &status, &err), ERR_INTERNAL);
}

/* The guard is passed over by the OOM killer; what it runs is not. */
static void
test_oom_score(void **state)
{
	static char script[] = "cat /proc/self/oom_score_adj";
	CLEAN(fd_close) int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	CLEAN(buf_done) struct buf out = BUF_INIT(1000);
	char before[16] = "";

	(void)state;
	if (read(fd, before, sizeof(before) - 1) <= 0 || pwrite(fd, "-500", 4, 0) != 4)
		skip(); /* takes privilege */
	run(script, NULL, &out);
	assert_int_equal(pwrite(fd, before, strlen(before), 0), strlen(before));
	assert_string_equal((char *)out.p, "0\n");
}

static void
test_arguments_and_streams(void **state)
{
	CLEAN(child_kill) struct child c = CHILD_INIT;
	CLEAN(buf_done) struct buf out = BUF_INIT(1000), errout = BUF_INIT(1000);
	char script[] = "printf '<%s>' \"$@\"; echo oops >&2; exit 7", name[] = "x",
	     odd[] = "a b;$(id) '\"", empty[] = "";
	int status = -1;

	(void)state;
	assert_int_equal(child_start(ARGV(sh, c_flag, script, name, odd, empty), NULL, &c, NULL),
			 OK);
	read_out(c.out, &out);
	read_out(c.errout, &errout);
	assert_string_equal((char *)out.p, "<a b;$(id) '\"><>");
	assert_string_equal((char *)errout.p, "oops\n");
	assert_int_equal(child_wait(&c, soon(), &status, NULL), 1);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void
test_cannot_start(void **state)
{
	char missing[] = "holdfast-no-such-program", path[] = "/nonexistent/program",
	     folder[] = "/tmp";
	struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(child_start(ARGV(missing), NULL, &c, &err), ERR_SPAWN);
	assert_string_equal(err.msg, "run 'holdfast-no-such-program': no such program in PATH");
	assert_int_equal(child_start(ARGV(path), NULL, &c, &err), ERR_SPAWN);
	assert_string_equal(err.msg,
			    "run '/nonexistent/program': execute: No such file or directory");
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(child_start(ARGV(folder), NULL, &c, &err), ERR_SPAWN);
	assert_int_equal(err.sys, EACCES);
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.out, -1);
	/* Nothing is left to be reaped. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* A text without "#!" is not handed to a shell. */
static void
test_no_shell_for_a_text(void **state)
{
	char path[] = "/tmp/holdfast-test-spawn-XXXXXX";
	struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fs_write(fd, "exit 0\n", 7, NULL), OK);
	assert_int_equal(fchmod(fd, 0700), 0);
	assert_int_equal(close(fd), 0);
	int rc = child_start(ARGV(path), NULL, &c, &err);
	(void)unlink(path);
	child_kill(&c);
	assert_int_equal(rc, ERR_SPAWN);
	assert_int_equal(err.sys, ENOEXEC);
}

static void
test_path_is_searched(void **state)
{
	char folder[] = "/tmp/holdfast-test-spawn-XXXXXX", name[] = "hf-probe";
	CLEAN(buf_done) struct buf out = BUF_INIT(100), path = BUF_INIT(4096);
	CLEAN(child_kill) struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	CLEAN(free_ptr) char *before = strdup(getenv("PATH"));
	assert_non_null(mkdtemp(folder));
	CLEAN(fd_close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEAN(fd_close) int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* What lies in the current folder, a folder and a file that may not be executed are passed
	 * over. */
	assert_int_equal(fs_mkdirs(fd, "four", 0700, &err), OK);
	assert_int_equal(symlinkat("/bin/false", fd, "four/hf-probe"), 0);
	assert_int_equal(fs_mkdirs(fd, "one/hf-probe", 0700, &err), OK);
	assert_int_equal(fs_mkdirs(fd, "two", 0700, &err), OK);
	assert_int_equal(fs_write_file(fd, "two/hf-probe", SLICE("x", 1), 0600, &err), OK);
	assert_int_equal(fs_mkdirs(fd, "three", 0700, &err), OK);
	assert_int_equal(symlinkat("/bin/echo", fd, "three/hf-probe"), 0);
	assert_int_equal(buf_printf(&path, &err, "::.:%s/one:%s/two:%s/none:%s/three", folder,
				    folder, folder, folder),
			 OK);
	assert_int_equal(fchdir(fd), 0);
	assert_int_equal(chdir("four"), 0);
	assert_int_equal(setenv("PATH", (char *)path.p, 1), 0);
	int rc = child_start(ARGV(name, name), NULL, &c, &err);
	assert_int_equal(setenv("PATH", before, 1), 0);
	assert_int_equal(fchdir(here), 0);
	assert_int_equal(fs_remove_tree(AT_FDCWD, folder, NULL), OK);
	assert_int_equal(rc, OK);
	read_out(c.out, &out);
	assert_string_equal((char *)out.p, "hf-probe\n");
}

static void
test_inherits_nothing(void **state)
{
	CLEAN(buf_done) struct buf out = BUF_INIT(1000);
	char script[] = "echo /proc/self/fd/*";

	(void)state;
	/* Without CLOEXEC, and far from the others. */
	assert_int_equal(dup2(STDERR_FILENO, 77), 77);
	run(script, NULL, &out);
	(void)close(77);
	/* 3 is the shell's own, on the folder. */
	assert_string_equal((char *)out.p, "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
					   "/proc/self/fd/3\n");
}

static void
test_signals_are_default(void **state)
{
	CLEAN(buf_done) struct buf out = BUF_INIT(1000);
	char script[] = "exec grep -E '^Sig(Blk|Ign):' /proc/self/status";
	sigset_t block, before;

	(void)state;
	sighandler_t handler = signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGTERM);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &block, &before), 0);
	run(script, NULL, &out);
	/* Ours are as they were. */
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &block), 0);
	assert_int_equal(sigismember(&block, SIGTERM), 1);
	assert_int_equal(sigismember(&block, SIGINT), 0);
	(void)signal(SIGPIPE, handler);

	unsigned long long blocked = 1, ignored = 1;
	assert_int_equal(sscanf((char *)out.p, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	/* 32 and 33 are libc's own: what GNU make starts has them ignored, and no one may change that. */
	assert_int_equal(ignored & ~(3ULL << 31), 0);
}

/* Our own standard descriptors may be closed: the pipes then get their numbers at first. */
static void
test_without_standard_descriptors(void **state)
{
	CLEAN(buf_done) struct buf out = BUF_INIT(1000);
	char script[] = "echo out; echo err >&2; read x; echo \"[$x]\"";
	CLEAN(child_kill) struct child c = CHILD_INIT;
	int kept[3];

	(void)state;
	for (int fd = 0; fd < 3; fd++) {
		kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
		(void)close(fd);
	}
	int rc = child_start(ARGV(sh, c_flag, script), NULL, &c, NULL);
	for (int fd = 0; fd < 3; fd++) {
		if (kept[fd] >= 0)
			(void)dup2(kept[fd], fd);
		fd_close(&kept[fd]);
	}
	assert_int_equal(rc, OK);
	assert_int_equal(fs_write(c.in, "line\n", 5, NULL), OK);
	read_out(c.out, &out);
	assert_string_equal((char *)out.p, "out\n[line]\n");
}

static void
test_deadline_and_kill(void **state)
{
	struct child c = CHILD_INIT;
	int status = -1;

	(void)state;
	/* It waits for input that never comes. */
	assert_int_equal(child_start(ARGV(cat), NULL, &c, NULL), OK);
	assert_int_equal(child_wait(&c, 0, &status, NULL), 0);
	assert_int_equal(child_wait(&c, clock_boot_ns() + 5 * NS_PER_MS, &status, NULL), 0);
	assert_int_equal(status, -1);
	pid_t pid = c.pid;
	child_kill(&c);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.pidfd, -1);
	assert_int_equal(c.in, -1);
	assert_int_equal(c.out, -1);
	assert_int_equal(c.errout, -1);
	child_kill(&c);
}

static void
test_wait_with_a_frozen_clock(void **state)
{
	CLEAN(child_kill) struct child c = CHILD_INIT;
	int status = -1;

	(void)state;
	clock_fake_set(NS_PER_S, 0);
	assert_int_equal(child_start(ARGV(cat), NULL, &c, NULL), OK);
	int rc = child_wait(&c, NS_PER_S + 3 * NS_PER_MS, &status, NULL);
	clock_fake_off();
	assert_int_equal(rc, 0);
}

static void
test_killed_by_signal(void **state)
{
	CLEAN(child_kill) struct child c = CHILD_INIT;
	char script[] = "kill -TERM $$";
	int status = -1;

	(void)state;
	assert_int_equal(child_start(ARGV(sh, c_flag, script), NULL, &c, NULL), OK);
	assert_int_equal(child_wait(&c, soon(), &status, NULL), 1);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

/* The process between us and the child ends without a word; the child must go with it. */
static void
test_dies_with_its_parent(void **state)
{
	int ends[2];
	pid_t grandchild = 0;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		struct child c = CHILD_INIT;
		/* It reads nothing: the end of input is not what ends it. */
		char script[] = "exec sleep 1000";
		if (child_start(ARGV(sh, c_flag, script), NULL, &c, NULL) < 0 ||
		    write(ends[1], &c.pid, sizeof(c.pid)) != (ssize_t)sizeof(c.pid))
			_exit(1);
		/* Until it is killed. */
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ends[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	CLEAN(fd_close) int pidfd = pidfd_open(grandchild, 0);
	assert_true(pidfd >= 0);
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 20000), 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void
test_as_another_user(void **state)
{
	CLEAN(buf_done) struct buf out = BUF_INIT(1000);
	char script[] = "id -un; id -ru; id -G; echo \"$USER $LOGNAME $HOME $HF_KEPT\"";

	(void)state;
	if (geteuid() != 0)
		skip();
	/* A group of ours that the user must not get. */
	gid_t ours[64], extra = 4;
	int n_ours = getgroups(ARRAY_SIZE(ours), ours);
	assert_true(n_ours >= 0);
	assert_int_equal(setgroups(1, &extra), 0);
	assert_int_equal(setenv("HF_KEPT", "kept", 1), 0);
	assert_int_equal(setenv("HOME", "/root", 1), 0);
	run(script, "nobody", &out);
	assert_int_equal(setgroups((size_t)n_ours, ours), 0);
	assert_string_equal((char *)out.p,
			    "nobody\n65534\n65534\nnobody nobody /nonexistent kept\n");
}

static void
test_unknown_user(void **state)
{
	struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(child_start(ARGV(cat), "no-such-user-here", &c, &err), ERR_SPAWN);
	assert_string_equal(err.msg, "run 'cat': no user 'no-such-user-here'");
}

static void
test_user_without_privilege(void **state)
{
	struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		_exit(child_start(ARGV(cat), "root", &c, &err) == ERR_SPAWN && err.sys == EPERM
			      ? 0
			      : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_no_descriptor_leaks(void **state)
{
	char missing[] = "/nonexistent/program";

	(void)state;
	int before = dup(STDERR_FILENO);
	(void)close(before);
	for (int i = 0; i < 3; i++) {
		struct child c = CHILD_INIT;
		struct error err = ERROR_INIT;
		assert_int_equal(child_start(ARGV(missing), NULL, &c, &err), ERR_SPAWN);
		assert_int_equal(child_start(ARGV(cat), NULL, &c, &err), OK);
		child_kill(&c);
	}
	int after = dup(STDERR_FILENO);
	(void)close(after);
	assert_int_equal(before, after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cat),
		cmocka_unit_test(test_oom_score),
		cmocka_unit_test(test_arguments_and_streams),
		cmocka_unit_test(test_cannot_start),
		cmocka_unit_test(test_no_shell_for_a_text),
		cmocka_unit_test(test_path_is_searched),
		cmocka_unit_test(test_inherits_nothing),
		cmocka_unit_test(test_signals_are_default),
		cmocka_unit_test(test_without_standard_descriptors),
		cmocka_unit_test(test_deadline_and_kill),
		cmocka_unit_test(test_wait_with_a_frozen_clock),
		cmocka_unit_test(test_killed_by_signal),
		cmocka_unit_test(test_dies_with_its_parent),
		cmocka_unit_test(test_as_another_user),
		cmocka_unit_test(test_unknown_user),
		cmocka_unit_test(test_user_without_privilege),
		cmocka_unit_test(test_no_descriptor_leaks),
	};

	/* A child that dies early must fail a test, not end them all. */
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
