/* SPDX-License-Identifier: Apache-2.0 */

/*
 * thaw_loop MOUNT STATE_DIR COUNT kill|stop CAP_MS LOAD: how soon a file system is thawed when its agent is
 * killed, or stopped, while it is frozen. bench/thaw runs it and makes the file systems.
 *
 * An agent (a child process with the guard's client library) freezes MOUNT through provider `external`, whose
 * command is this program again: it says that it was called, and then never ends. Somebody starts a write,
 * which hangs; then, a few milliseconds later, the agent gets its signal. What counts is the time from there
 * until the write is done. LOAD processes compute meanwhile. Prints one line of results.
 *
 * A process of its own with an open descriptor thaws MOUNT if nothing was heard for 30 s.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "guard/client.h"

enum { PATH_MAX_LEN = 1024, NET_LIMIT_MS = 30000 };

struct bench {
	const char *mount;
	const char *state_dir;
	bool stop; /* not killed */
	uint64_t cap_ns;
	char self[PATH_MAX_LEN];
	char fifo_path[PATH_MAX_LEN];
	int fifo; /* where `create` says that it runs */
	int net; /* to the process that thaws if it hears nothing */
	unsigned n_own; /* children that stay: the net, the load */
	unsigned left_frozen, failed;
};

_Noreturn static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* The provider's commands. */

static int
command(int argc, char **argv)
{
	if (argc < 4 || strcmp(argv[2], "create") != 0)
		return 0;
	pid_t pid = getpid();
	int fd = open(argv[3], O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, &pid, sizeof(pid)) != sizeof(pid))
		return 1;
	for (;;)
		(void)pause();
}

/* The agent. */

_Noreturn static void
agent(const struct bench *b)
{
	struct guard_options o = {.state_dir = b->state_dir};
	struct error err = ERROR_INIT;
	struct guard_moment moment;
	struct lease_key key;
	struct snapshot s;
	uint8_t set[LEASE_SET_SIZE];
	struct guard *g;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	uint64_t now_ns = clock_boot_ns();
	memset(set, 0x5e, sizeof(set));
	memcpy(set, &now_ns, sizeof(now_ns));
	provider_settings_init(&o.providers);
	(void)text_printf(o.providers.mount_root, sizeof(o.providers.mount_root), "%s/mnt",
			  b->state_dir);
	(void)text_printf(o.providers.external.create, PROVIDER_COMMAND_MAX,
			  "%s --command create %s", b->self, b->fifo_path);
	(void)text_printf(o.providers.external.expose, PROVIDER_COMMAND_MAX, "%s --command expose",
			  b->self);
	(void)text_printf(o.providers.external.remove, PROVIDER_COMMAND_MAX, "%s --command remove",
			  b->self);
	if (guard_start(&o, &g, &err) < 0 ||
	    guard_begin(g, set, "bench", 60 * NS_PER_S, &key, &err) < 0 ||
	    guard_add(g, &key, "external", b->mount, &s, &err) < 0 ||
	    guard_freeze(g, &key, b->cap_ns, &err) < 0 ||
	    guard_snapshot(g, &key, &moment, &err) < 0)
		(void)fprintf(stderr, "thaw_loop: %s\n", err.msg);
	_exit(1);
}

/* The write that hangs. */

struct probe {
	char path[PATH_MAX_LEN];
	uint64_t done_ns;
};

static void *
probe_run(void *arg)
{
	struct probe *p = arg;

	int fd = open(p->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	p->done_ns = clock_boot_ns();
	if (fd >= 0)
		(void)close(fd);
	return NULL;
}

/* The net. */

static void
net_start(struct bench *b)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	b->net = ends[1];
	if (pid > 0) {
		(void)close(ends[0]);
		return;
	}
	(void)close(ends[1]);
	(void)setsid();
	int fd = open(b->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct pollfd p = {.fd = ends[0], .events = POLLIN};
	char c;
	/* Its end, too, is a reason: whoever froze may be gone. */
	while (poll(&p, 1, NET_LIMIT_MS) == 0 || read(ends[0], &c, 1) == 1)
		if (p.revents == 0)
			(void)ioctl(fd, FITHAW, 0);
	(void)ioctl(fd, FITHAW, 0);
	_exit(0);
}

/* One time: *ret_ns; false if it did not come about. */

/* The process of the command that runs meanwhile; 0: none came. */
static pid_t
await_frozen(const struct bench *b)
{
	struct pollfd p = {.fd = b->fifo, .events = POLLIN};
	pid_t pid;

	if (poll(&p, 1, NET_LIMIT_MS) != 1 || read(b->fifo, &pid, sizeof(pid)) != sizeof(pid))
		return 0;
	return pid;
}

static unsigned
count_children(void)
{
	char text[4096];
	unsigned n = 0;

	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, text, sizeof(text)) : 0;
	for (ssize_t i = 0; i < got; i++)
		n += text[i] == ' ';
	if (fd >= 0)
		(void)close(fd);
	return n;
}

/* The agent's processes, which are ours now, are to end; the guard among them. */
static void
reap_all(const struct bench *b)
{
	const struct timespec pause = {.tv_nsec = 500000};
	uint64_t until_ns = clock_boot_ns() + 20 * NS_PER_S;

	while (count_children() > b->n_own && clock_boot_ns() < until_ns)
		if (waitpid(-1, NULL, WNOHANG) <= 0)
			(void)nanosleep(&pause, NULL);
}

static bool
measure(struct bench *b, unsigned n, uint64_t *ret_ns)
{
	struct probe probe;
	struct timespec limit;
	pthread_t thread;
	bool ok = false;

	if (write(b->net, "x", 1) != 1)
		die("net");
	(void)snprintf(probe.path, sizeof(probe.path), "%s/probe", b->mount);
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		agent(b);
	pid_t creating = await_frozen(b);
	if (creating > 0) {
		const struct timespec wait = {.tv_nsec = (long)(2 + n * 7 % 20) * 1000000};

		if (pthread_create(&thread, NULL, probe_run, &probe) != 0)
			die("thread");
		(void)nanosleep(&wait, NULL);
		uint64_t began_ns = clock_boot_ns();
		(void)kill(pid, b->stop ? SIGSTOP : SIGKILL);
		(void)clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_sec += 2 * NET_LIMIT_MS / 1000;
		if (pthread_timedjoin_np(thread, NULL, &limit) != 0)
			die("the write never ended");
		/* The guard waits for it. */
		(void)kill(creating, SIGKILL);
		*ret_ns = probe.done_ns - began_ns;
		ok = probe.done_ns >= began_ns;
		if (!ok)
			(void)fprintf(stderr, "thaw_loop: it was not frozen\n");
		b->left_frozen += ok && *ret_ns > (uint64_t)(NET_LIMIT_MS - 5000) * NS_PER_MS;
	}
	(void)kill(pid, SIGKILL);
	reap_all(b);
	b->failed += !ok;
	return ok;
}

static int
by_time(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
load_start(unsigned n)
{
	static volatile unsigned work;

	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid != 0)
			continue;
		(void)setpgid(0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			work = work + 1;
	}
}

static double
ms(uint64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

int
main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "--command") == 0)
		return command(argc, argv);
	if (argc != 7) {
		(void)fprintf(stderr,
			      "usage: thaw_loop MOUNT STATE_DIR COUNT kill|stop CAP_MS LOAD\n");
		return 2;
	}
	struct bench b = {
		.mount = argv[1],
		.state_dir = argv[2],
		.stop = strcmp(argv[4], "stop") == 0,
		.cap_ns = strtoull(argv[5], NULL, 10) * NS_PER_MS,
	};
	unsigned count = (unsigned)strtoul(argv[3], NULL, 10), n = 0;
	uint64_t *times = calloc(count + 1, sizeof(*times));

	if (times == NULL || readlink("/proc/self/exe", b.self, sizeof(b.self) - 1) < 0)
		die("start");
	(void)snprintf(b.fifo_path, sizeof(b.fifo_path), "%s/frozen", b.state_dir);
	(void)unlink(b.fifo_path);
	if (mkfifo(b.fifo_path, 0600) < 0)
		die("fifo");
	b.fifo = open(b.fifo_path, O_RDWR | O_CLOEXEC);
	(void)signal(SIGPIPE, SIG_IGN);
	net_start(&b);
	load_start((unsigned)strtoul(argv[6], NULL, 10));
	b.n_own = count_children();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (unsigned i = 0; i < count; i++)
		n += measure(&b, i, &times[n]);
	qsort(times, n, sizeof(*times), by_time);
	if (n == 0)
		return 1;
	(void)printf("n %u p50 %.2f p99 %.2f max %.2f left_frozen %u failed %u\n", n,
		     ms(times[n / 2]), ms(times[n - 1 - n / 100]), ms(times[n - 1]), b.left_frozen,
		     b.failed);
	free(times);
	return b.left_frozen > 0 || b.failed > 0;
}
