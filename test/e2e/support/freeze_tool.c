/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What tests of real freezes need.
 *
 *	watch SECONDS MOUNT...	the way out: thaws them after that time whatever happens, and then every
 *				second, until it is killed. Start it first, and wait for its line "armed".
 *	state MOUNT		"frozen" or "thawed", by trying to freeze
 *	killed PID MOUNT	kill -9 while a write waits for the thaw; prints how long that took, in us
 *	stopped PID MOUNT	the same with SIGSTOP (and kill -9 afterwards)
 *	torture STATE_DIR MOUNT PROVIDER ROUNDS agent|guard [LOAD]
 *				kill -9 one of the two at random moments of a backup, LOAD busy processes
 *				beside it; prints a summary; exit code 1 if anything was left frozen
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "guard/client.h"

enum { FILES_MAX = 16, ROUNDS_MAX = 200000 };

static void
nap(uint64_t ns)
{
	const struct timespec t = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};

	(void)nanosleep(&t, NULL);
}

static int
open_mount(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		(void)fprintf(stderr, "open '%s': %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

_Noreturn static void
watch(int argc, char **argv)
{
	int fds[FILES_MAX], n = 0;

	for (int i = 1; i < argc && n < FILES_MAX; i++)
		fds[n++] = open_mount(argv[i]);
	(void)printf("armed\n");
	(void)fflush(stdout);
	nap(strtoull(argv[0], NULL, 10) * NS_PER_S);
	for (;;) {
		for (int i = n; i > 0; i--) {
			if (ioctl(fds[i - 1], FITHAW, 0) == 0)
				(void)fprintf(stderr, "the way out was needed\n");
		}
		nap(NS_PER_S);
	}
}

static bool
is_frozen(int fd)
{
	if (ioctl(fd, FIFREEZE, 0) < 0)
		return errno == EBUSY;
	(void)ioctl(fd, FITHAW, 0);
	return false;
}

/* ---- one death ------------------------------------------------------------------------------- */

/* Opened while nothing was frozen. */
static int
open_probe(const char *mount)
{
	char path[1100];

	(void)snprintf(path, sizeof(path), "%s/probe", mount);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		(void)fprintf(stderr, "create '%s': %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static int
one_death(pid_t pid, const char *mount, int sig)
{
	char path[1100];
	int fd = open_mount(mount);

	if (!is_frozen(fd)) {
		(void)printf("not frozen\n");
		return 1;
	}
	/* An existing file: only the write waits. */
	(void)snprintf(path, sizeof(path), "%s/probe", mount);
	uint64_t from = clock_boot_ns();
	(void)kill(pid, sig);
	int probe = open(path, O_RDWR | O_CLOEXEC);
	if (probe < 0 || pwrite(probe, "x", 1, 0) != 1)
		return 2;
	uint64_t took = clock_boot_ns() - from;
	(void)kill(pid, SIGKILL);
	(void)printf("%llu\n", (unsigned long long)(took / 1000));
	return 0;
}

/* ---- many ------------------------------------------------------------------------------------ */

static uint64_t
dice(uint64_t *seed, uint64_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % n;
}

static void
one_backup(struct guard *g, const char *provider, const char *mount)
{
	static const uint8_t set[LEASE_SET_SIZE] = {1};
	struct error err = ERROR_INIT;
	struct snapshot s[SNAPSHOT_MEMBERS_MAX];
	struct guard_moment moment;
	struct guard_verdict verdict;
	struct lease_key key;
	size_t n;

	if (guard_begin(g, set, "torture", 60 * NS_PER_S, &key, &err) < 0 ||
	    guard_add(g, &key, provider, mount, s, &err) < 0 ||
	    guard_freeze(g, &key, 10 * NS_PER_S, &err) < 0 ||
	    guard_snapshot(g, &key, &moment, &err) < 0 || guard_thawed(g, &key, &err) < 0 ||
	    guard_expose(g, &key, s, &n, &err) < 0 || guard_finish(g, &key, &verdict, &err) < 0)
		(void)!guard_abort(g, &key, &err);
	(void)!guard_settle(g, clock_boot_ns() + 60 * NS_PER_S, &err);
}

_Noreturn static void
be_agent(const char *state_dir, const char *provider, const char *mount, int report)
{
	struct guard_options o = {.state_dir = state_dir};
	struct error err = ERROR_INIT;
	struct guard *g = NULL;

	provider_settings_init(&o.providers);
	(void)snprintf(o.providers.mount_root, sizeof(o.providers.mount_root), "%.900s/mnt",
		       state_dir);
	(void)snprintf(o.providers.external.create, sizeof(o.providers.external.create),
		       "/bin/sleep 0.01");
	(void)snprintf(o.providers.external.expose, sizeof(o.providers.external.expose),
		       "/bin/true");
	(void)snprintf(o.providers.external.remove, sizeof(o.providers.external.remove),
		       "/bin/true");
	if (guard_start(&o, &g, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.msg);
		_exit(3);
	}
	pid_t pid = guard_pid(g);
	(void)!write(report, &pid, sizeof(pid));
	while (guard_restarts(g) == 0)
		one_backup(g, provider, mount);
	one_backup(g, provider, mount);
	guard_stop(g);
	_exit(0);
}

/* Everybody's end, orphans too: we are their reaper. */
static bool
all_ended(uint64_t limit_ns, pid_t *busy, size_t n_busy)
{
	uint64_t limit = clock_boot_ns() + limit_ns;

	while (clock_boot_ns() < limit) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);
		size_t alive = 0;

		for (size_t i = 0; i < n_busy; i++)
			alive += kill(busy[i], 0) == 0;
		if (pid < 0)
			return true;
		/* Only the busy ones are left? They do not end. */
		if (pid == 0 && n_busy > 0) {
			char path[64], text[4096];
			(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			ssize_t n = read(fd, text, sizeof(text) - 1);
			(void)close(fd);
			size_t words = 0;
			for (ssize_t i = 0; i < n; i++)
				words += text[i] == ' ';
			if (words == alive)
				return true;
		}
		if (pid == 0)
			nap(NS_PER_MS);
	}
	return false;
}

static int
ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t waits[ROUNDS_MAX];

static int
torture(char **argv, int n_argv)
{
	const char *state_dir = argv[0], *mount = argv[1], *provider = argv[2];
	size_t rounds = MIN(strtoull(argv[3], NULL, 10), (unsigned long long)ROUNDS_MAX);
	bool guard = strcmp(argv[4], "guard") == 0;
	pid_t busy[64];
	size_t n_busy = n_argv > 5 ? MIN(strtoull(argv[5], NULL, 10), 64ULL) : 0, n = 0, left = 0;
	uint64_t seed = clock_wall_ns();
	int fd = open_mount(mount), probe = open_probe(mount);

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < n_busy; i++) {
		busy[i] = fork();
		if (busy[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (volatile unsigned turns = 0;; turns++)
				;
		}
	}
	for (size_t round = 0; round < rounds; round++) {
		int ends[2];
		pid_t keeper = 0;

		if (pipe2(ends, O_CLOEXEC) < 0)
			return 2;
		pid_t agent = fork();
		if (agent == 0)
			be_agent(state_dir, provider, mount, ends[1]);
		(void)close(ends[1]);
		if (read(ends[0], &keeper, sizeof(keeper)) != sizeof(keeper))
			return 2;
		(void)close(ends[0]);
		nap(dice(&seed, 60 * NS_PER_MS));
		uint64_t from = clock_boot_ns();
		(void)kill(guard ? keeper : agent, SIGKILL);
		if (pwrite(probe, "x", 1, 0) != 1)
			return 2;
		uint64_t took = clock_boot_ns() - from;
		/* What was not frozen is no measurement. */
		if (took > 100000)
			waits[n++] = took;
		if (!all_ended(30 * NS_PER_S, busy, n_busy)) {
			(void)printf("round %zu: somebody does not end\n", round);
			left++;
		}
		if (is_frozen(fd)) {
			(void)printf("round %zu: left frozen\n", round);
			(void)ioctl(fd, FITHAW, 0);
			left++;
		}
	}
	for (size_t i = 0; i < n_busy; i++)
		(void)kill(busy[i], SIGKILL);
	qsort(waits, n, sizeof(waits[0]), ascending);
	(void)printf("%zu rounds, %zu left frozen; thaw after the death of the %s in %zu of them: "
		     "p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
		     rounds, left, guard ? "guard" : "agent", n,
		     n > 0 ? (double)waits[n / 2] / 1e6 : 0,
		     n > 0 ? (double)waits[n * 99 / 100] / 1e6 : 0,
		     n > 0 ? (double)waits[n - 1] / 1e6 : 0);
	return left > 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (strcmp(what, "watch") == 0 && argc > 3)
		watch(argc - 2, argv + 2);
	if (strcmp(what, "state") == 0) {
		(void)printf("%s\n", is_frozen(open_mount(argv[2])) ? "frozen" : "thawed");
		return 0;
	}
	if (strcmp(what, "killed") == 0 && argc == 4)
		return one_death((pid_t)strtol(argv[2], NULL, 10), argv[3], SIGKILL);
	if (strcmp(what, "stopped") == 0 && argc == 4)
		return one_death((pid_t)strtol(argv[2], NULL, 10), argv[3], SIGSTOP);
	if (strcmp(what, "torture") == 0 && argc >= 7)
		return torture(argv + 2, argc - 2);
	(void)fprintf(stderr, "see the top of freeze_tool.c\n");
	return 2;
}
