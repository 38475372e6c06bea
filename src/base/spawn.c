/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starting, awaiting and ending child processes. Between fork and exec only async-signal-safe calls
 * are made, because other threads may have held any lock: everything that needs memory or name
 * services (the path, the user, the environment) is prepared before. What fails in the child comes
 * back through a pipe that a successful exec closes.
 */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/spawn_plan.h"

/* Deadlines of steps that take milliseconds unless the machine is in distress. */
#define EXEC_LIMIT_NS (30 * NS_PER_S)
#define REAP_LIMIT_NS (10 * NS_PER_S)

/* The child's descriptor through which it reports a failed start; everything above is closed. */
enum { REPORT_FD = 3 };

/* What the child was doing when it failed. */
enum start_step { STEP_NONE = 0, STEP_DESCRIPTORS, STEP_USER, STEP_EXEC };

struct start_report {
	enum start_step step;
	int sys;
};

struct pipe_pair {
	int ours;
	int theirs;
};

#define PIPE_PAIR_INIT ((struct pipe_pair){.ours = -1, .theirs = -1})

static void
pipe_pair_close(struct pipe_pair *p)
{
	fd_close(&p->ours);
	fd_close(&p->theirs);
}

/* A descriptor above the standard ones: the child overwrites those while it still reads these. */
static int
lift_fd(int *fd, struct error *err)
{
	if (*fd > REPORT_FD)
		return OK;
	int higher = fcntl(*fd, F_DUPFD_CLOEXEC, REPORT_FD + 1);
	if (higher < 0)
		return error_sys(err, ERR_SPAWN, "duplicate a descriptor");
	(void)close(*fd);
	*fd = higher;
	return OK;
}

/* The child reads or writes the one end, we, without blocking, the other. */
static int
pipe_pair_open(bool child_reads, struct pipe_pair *ret, struct error *err)
{
	CLEAN(pipe_pair_close) struct pipe_pair pair = PIPE_PAIR_INIT;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_sys(err, ERR_SPAWN, "create a pipe");
	pair.ours = ends[child_reads ? 1 : 0];
	pair.theirs = ends[child_reads ? 0 : 1];
	if (lift_fd(&pair.ours, err) < 0 || lift_fd(&pair.theirs, err) < 0)
		return ERR_SPAWN;
	if (fcntl(pair.ours, F_SETFL, O_NONBLOCK) < 0)
		return error_sys(err, ERR_SPAWN, "set up a pipe");
	*ret = pair;
	pair = PIPE_PAIR_INIT;
	return OK;
}

struct start {
	const struct spawn_plan *plan;
	char *const *argv;
	pid_t parent;
	bool group;
	char *const *env; /* NULL: the plan's */
	struct pipe_pair in, out, errout, report;
};

_Noreturn static void
child_fail(int report_fd, enum start_step step)
{
	struct start_report report = {.step = step, .sys = errno};

	/* If even this cannot be written the parent sees the exit code 127. */
	ssize_t n = write(report_fd, &report, sizeof(report));
	(void)n;
	_exit(127);
}

/* What the parent ignores or blocks is none of the program's business. */
static void
child_reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL); /* KILL, STOP and libc's own refuse: fine */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* If the OOM killer was told to pass us over (the guard does), that is not meant for what we run. */
static void
child_reset_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char first = 0;

	if (fd < 0)
		return;
	if (read(fd, &first, 1) == 1 && first == '-') {
		ssize_t n = pwrite(fd, "0", 1, 0);

		(void)n; /* making it larger is allowed to everybody */
	}
	(void)close(fd);
}

/* The child's side, from fork to exec. */
_Noreturn static void
child_run(const struct start *s)
{
	if (dup2(s->in.theirs, STDIN_FILENO) < 0 || dup2(s->out.theirs, STDOUT_FILENO) < 0 ||
	    dup2(s->errout.theirs, STDERR_FILENO) < 0 ||
	    dup3(s->report.theirs, REPORT_FD, O_CLOEXEC) < 0)
		child_fail(s->report.theirs, STEP_DESCRIPTORS);
	closefrom(REPORT_FD + 1);
	if (s->group)
		(void)setpgid(0, 0); /* cannot fail in a fresh child */
	if (spawn_plan_become(s->plan) < 0)
		child_fail(REPORT_FD, STEP_USER);
	/* After the change of user, which resets it. The parent may have died before. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != s->parent)
		_exit(127);
	child_reset_signals();
	child_reset_oom();
	(void)execve(s->plan->path, s->argv, s->env != NULL ? s->env : s->plan->env);
	child_fail(REPORT_FD, STEP_EXEC);
}

/* Fork with all signals blocked, so that no handler of ours ever runs in the child. */
static pid_t
fork_blocked(void)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid != 0) {
		int errno_kept = errno;
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
		errno = errno_kept;
	}
	return pid;
}

/* 1 readable (or hung up), 0 not until the deadline. */
static int
wait_readable(int fd, uint64_t deadline_ns, struct error *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		int left = clock_left_ms(deadline_ns);
		int n = poll(&p, 1, left);
		if (n > 0)
			return 1;
		/* Only a wait that was clamped goes on; a frozen clock must not make it endless. */
		if (n == 0 && left < INT_MAX)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_sys(err, ERR_IO, "wait for a child process");
	}
}

/* Whether exec succeeded: the report pipe closes without a word. */
static int
await_exec(int report_fd, struct error *err)
{
	struct start_report report;

	int rc = wait_readable(report_fd, clock_boot_ns() + EXEC_LIMIT_NS, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return error_set(err, ERR_SPAWN, "start: no answer in time");
	ssize_t n = read(report_fd, &report, sizeof(report));
	if (n == 0)
		return OK;
	if (n != (ssize_t)sizeof(report))
		return error_set(err, ERR_SPAWN, "start: the report of the child is cut");
	errno = report.sys;
	if (report.step == STEP_USER)
		return error_sys(err, ERR_SPAWN, "change user");
	if (report.step == STEP_DESCRIPTORS)
		return error_sys(err, ERR_SPAWN, "set up descriptors");
	return error_sys(err, ERR_SPAWN, "execute");
}

static int
open_pipes(struct start *s, struct error *err)
{
	if (pipe_pair_open(true, &s->in, err) < 0 || pipe_pair_open(false, &s->out, err) < 0 ||
	    pipe_pair_open(false, &s->errout, err) < 0 ||
	    pipe_pair_open(false, &s->report, err) < 0)
		return ERR_SPAWN;
	return OK;
}

static void
start_done(struct start *s)
{
	pipe_pair_close(&s->in);
	pipe_pair_close(&s->out);
	pipe_pair_close(&s->errout);
	pipe_pair_close(&s->report);
}

static int
start_child(struct start *s, struct child *ret, struct error *err)
{
	CLEAN(child_kill) struct child c = CHILD_INIT;

	int rc = open_pipes(s, err);
	if (rc < 0)
		return rc;
	s->parent = getpid();
	c.group = s->group;
	c.pid = fork_blocked();
	if (c.pid == 0)
		child_run(s);
	if (c.pid < 0) {
		c.pid = 0;
		return error_sys(err, ERR_SPAWN, "fork");
	}
	c.pidfd = pidfd_open(c.pid, 0);
	if (c.pidfd < 0)
		return error_sys(err, ERR_SPAWN, "open the child process");
	(void)close(STEAL_FD(s->report.theirs));
	rc = await_exec(s->report.ours, err);
	if (rc < 0)
		return rc;
	c.in = STEAL_FD(s->in.ours);
	c.out = STEAL_FD(s->out.ours);
	c.errout = STEAL_FD(s->errout.ours);
	*ret = c;
	c = CHILD_INIT;
	return OK;
}

static int
start_as(char *const argv[], const char *user, bool group, char *const env[], struct child *ret,
	 struct error *err)
{
	CLEAN(spawn_plan_done) struct spawn_plan plan = {0};
	CLEAN(start_done)
	struct start s = {
		.plan = &plan,
		.argv = argv,
		.group = group,
		.env = env,
		.in = PIPE_PAIR_INIT,
		.out = PIPE_PAIR_INIT,
		.errout = PIPE_PAIR_INIT,
		.report = PIPE_PAIR_INIT,
	};

	if (spawn_plan_make(&plan, argv[0], user, err) < 0 || start_child(&s, ret, err) < 0)
		return error_prefix(err, "run '%s'", argv[0]);
	return OK;
}

int
child_start(char *const argv[], const char *user, struct child *ret, struct error *err)
{
	return start_as(argv, user, false, NULL, ret, err);
}

int
child_start_group(char *const argv[], const char *user, struct child *ret, struct error *err)
{
	return start_as(argv, user, true, NULL, ret, err);
}

int
child_start_env(char *const argv[], char *const env[], struct child *ret, struct error *err)
{
	return start_as(argv, NULL, true, env, ret, err);
}

/* Take the status of a child that has ended. */
static int
reap(struct child *c, int *ret_status, struct error *err)
{
	int status = 0;
	pid_t pid;

	/* Before the group's number can be somebody else's. */
	if (c->group)
		(void)kill(-c->pid, SIGKILL);
	do
		pid = waitpid(c->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return error_sys(err, ERR_IO, "wait for a child process");
	c->pid = 0;
	(void)close(STEAL_FD(c->pidfd));
	*ret_status = status;
	return OK;
}

int
child_wait(struct child *c, uint64_t deadline_ns, int *ret_status, struct error *err)
{
	if (c->pid == 0)
		return error_set(err, ERR_INTERNAL, "wait for a child that has none running");
	int rc = wait_readable(c->pidfd, deadline_ns, err);
	if (rc <= 0)
		return rc;
	rc = reap(c, ret_status, err);
	return rc < 0 ? rc : 1;
}

void
child_kill(struct child *c)
{
	int status;

	if (c->pid > 0) {
		(void)kill(c->group ? -c->pid : c->pid, SIGKILL);
		/* A process stuck in the kernel must not take us with it: init will reap it. */
		if (c->pidfd < 0 ||
		    wait_readable(c->pidfd, clock_boot_ns() + REAP_LIMIT_NS, NULL) == 1)
			(void)!reap(c, &status, NULL);
		c->pid = 0;
	}
	fd_close(&c->pidfd);
	fd_close(&c->in);
	fd_close(&c->out);
	fd_close(&c->errout);
	*c = CHILD_INIT;
}
