/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast-guard: owns what must be undone whatever happens to the agent that started it. Not for people:
 * it is started with a socket as descriptor 3 and says nothing anywhere else (src/guard/wire.h).
 *
 * It makes itself hard to disturb: its memory is locked (what it runs may lie on a file system that
 * freezes), the OOM killer passes it over, it has a session of its own, and it runs before others.
 */
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/eventlog.h"
#include "base/uuid.h"
#include "guard/daemon/loop.h"

enum { SOCKET_FD = 3 };

/* Large, and of one piece: locked with everything else. */
static struct guardian guardian;

static void
write_text(const char *path, const char *text)
{
	CLEAN(fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, text, strlen(text));
}

/* Best effort, all of it: without privilege nothing can be frozen either. */
static void
harden(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	const struct sched_param first = {.sched_priority = 1};

	(void)setsid();
	(void)prctl(PR_SET_NAME, "holdfast-guard");
	(void)prctl(PR_SET_DUMPABLE, 1);
	write_text("/proc/self/oom_score_adj", "-1000");
	/* One arena, and no giving back of memory: it stays as it was locked. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, -1);
	(void)mallopt(M_MMAP_MAX, 0);
	(void)sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first);
	if (GUARD_LOCK_MEMORY && setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE);
}

static void
close_standard(void)
{
	CLEAN(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < SOCKET_FD; fd++)
		(void)dup2(null, fd);
	(void)!chdir("/proc"); /* an open folder elsewhere keeps its file system busy */
}

/* The agent would have kept these. It is gone, everything is undone, and files may be written again. */
static void
keep_events(struct guardian *g)
{
	const struct eventlog_options o = {
		.dir = g->state_dir,
		.program = "holdfast-guard",
		.journal = EVENTLOG_JOURNAL,
	};
	CLEAN(eventlog_closep) struct eventlog *log = NULL;

	if (!g->agent_lost || !g->greeted || g->events_first == g->events_next ||
	    access(g->state_dir, W_OK) < 0 || eventlog_open(&o, &log, NULL) < 0)
		return;
	for (; g->events_first != g->events_next; g->events_first++)
		guard_event_log(log, &g->events[g->events_first % GUARDIAN_EVENTS_MAX]);
}

int
main(void)
{
	struct error err = ERROR_INIT;

	if (fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC) < 0) {
		static const char text[] = "holdfast-guard is started by holdfast, not by hand.\n";

		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		return 2;
	}
	close_standard();
	harden();
	if (loop_init(&guardian, SOCKET_FD, &err) < 0)
		return 1;
	loop_run(&guardian);
	keep_events(&guardian);
	/* Without atexit's business: nothing of ours is in the standard library's hands. */
	_exit(0);
}
