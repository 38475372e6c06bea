/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starting holdfast-guard. Not by base/spawn.h, whose children die with their parent: this one is there
 * for just that moment.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "guard/client_internal.h"

enum { SOCKET_FD = 3 };

/* Between fork and exec: only what is async-signal-safe. */
_Noreturn static void
child_run(const char *program, int socket)
{
	char *const argv[] = {(char *)(uintptr_t)program, NULL};
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	if (socket == SOCKET_FD ? fcntl(socket, F_SETFD, 0) < 0 : dup2(socket, SOCKET_FD) < 0)
		_exit(127);
	closefrom(SOCKET_FD + 1);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execv(program, argv);
	_exit(127);
}

static pid_t
fork_blocked(void)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid != 0)
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static int
greet(struct guard *g, struct error *err)
{
	CLEAN(fd_close) int self = pidfd_open(getpid(), 0);
	struct wire_message m;

	if (self < 0)
		return error_sys(err, ERR_GUARD, "open this process");
	g->greeting = ++g->number;
	wire_init(&m, WIRE_HELLO, g->greeting, NULL);
	m.body.hello = g->hello;
	return wire_send(g->socket, &m, self, true, err) < 0 ? (int)err->code : OK;
}

int
guard_process_start(struct guard *g, struct error *err)
{
	int ends[2];

	if (access(g->program, X_OK) < 0)
		return error_sys(err, ERR_SPAWN, "run '%s'", g->program);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_sys(err, ERR_SPAWN, "create a pair of sockets");
	pid_t pid = fork_blocked();
	if (pid == 0)
		child_run(g->program, ends[1]);
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return error_sys(err, ERR_SPAWN, "fork");
	}
	g->pid = pid;
	g->pidfd = pidfd_open(pid, 0);
	g->socket = ends[0];
	g->phase = GUARD_STARTING;
	g->heard_ns = clock_boot_ns();
	g->pinged_ns = g->heard_ns; /* its greeting is to be answered */
	if (g->pidfd < 0 || greet(g, err) < 0) {
		guard_process_kill(g);
		return error_set(err, ERR_GUARD, "'%s' could not be started", g->program);
	}
	return OK;
}

void
guard_process_kill(struct guard *g)
{
	if (g->pid > 0) {
		(void)kill(g->pid, SIGKILL);
		for (size_t i = 0; i < GUARD_ZOMBIES_MAX; i++) {
			if (g->zombies[i] != 0)
				continue;
			g->zombies[i] = g->pid;
			break;
		}
	}
	g->pid = 0;
	fd_close(&g->pidfd);
	fd_close(&g->socket);
	g->pidfd = g->socket = -1;
	guard_process_reap(g);
}

void
guard_process_wait(struct guard *g, uint64_t limit_ns)
{
	struct pollfd p = {.fd = g->pidfd, .events = POLLIN};

	if (g->pid > 0 && poll(&p, 1, (int)(limit_ns / NS_PER_MS)) > 0)
		(void)waitpid(g->pid, NULL, WNOHANG);
	g->pid = 0;
	guard_process_reap(g);
}

void
guard_process_reap(struct guard *g)
{
	for (size_t i = 0; i < GUARD_ZOMBIES_MAX; i++) {
		if (g->zombies[i] != 0 && waitpid(g->zombies[i], NULL, WNOHANG) != 0)
			g->zombies[i] = 0;
	}
}
