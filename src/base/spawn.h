/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Child processes by argument vector, never through a shell. The child gets the descriptors it is
 * given and no others (closefrom), default signal dispositions, and dies with its parent
 * (PR_SET_PDEATHSIG), which for Linux is the thread that started it: start children from a thread
 * that outlives them.
 */
#ifndef HF_BASE_SPAWN_H
#define HF_BASE_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/error.h"

struct child {
	pid_t pid; /* 0: none, or already reaped */
	int pidfd;
	int in; /* our end of its standard input, -1 if none */
	int out;
	int errout;
	bool group; /* ends with all it started */
};

#define CHILD_INIT ((struct child){.pidfd = -1, .in = -1, .out = -1, .errout = -1})

/* Start argv[0] (searched in PATH unless it has a slash) with pipes on all three standard
 * descriptors, ours CLOEXEC and non-blocking. If `user` is not NULL the child first becomes that
 * user (root only). A program that cannot be executed is reported here: ERR_SPAWN. */
CHECKED int child_start(char *const argv[], const char *user, struct child *ret, struct error *err);
/* The same, in a process group of its own, which is killed as a whole when the program ends, wanted or
 * not: nothing that it started stays, holding its pipes or a database's lock. (A terminal's signals do
 * not reach it.) */
CHECKED int child_start_group(char *const argv[], const char *user, struct child *ret,
			      struct error *err);
/* The same, with this environment. */
CHECKED int child_start_env(char *const argv[], char *const env[], struct child *ret,
			    struct error *err);
/* Wait until the deadline (boot clock); 1 ended (*ret_status as of waitpid), 0 still running. */
CHECKED int child_wait(struct child *c, uint64_t deadline_ns, int *ret_status, struct error *err);
/* SIGKILL, reap, close everything. Safe on CHILD_INIT and twice; for CLEAN(). */
void child_kill(struct child *c);

#endif
