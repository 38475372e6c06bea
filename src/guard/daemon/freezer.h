/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Freezing and thawing file systems. Both can hang in the kernel, where no signal reaches them, so each
 * file system has two threads of its own, started before anything is frozen: a freeze that hangs keeps
 * neither its own thaw waiting nor anybody else's.
 *
 *	EMPTY -> READY -> FREEZING -> FROZEN -> THAWING -> THAWED | FOREIGN | THAW_FAILED
 *			      |  `-----------------^
 *			      `-> REFUSED
 *
 * A thaw may be asked for at any time. While the freeze has not returned, FITHAW either waits behind it
 * in the kernel, and undoes it the moment it is complete, or says EINVAL, and is tried again every
 * FREEZER_RETRY_NS until the freeze has returned. Only what our own FIFREEZE froze is thawed, once.
 *
 * A slot may also take over a freeze that another process began (freezer_adopt); until that process is
 * gone its freeze may still be under way. Of that the descriptor may be missing, if it is not mounted any
 * more where it was: then the thread for thaws looks for it (reach.h).
 */
#ifndef HF_GUARD_DAEMON_FREEZER_H
#define HF_GUARD_DAEMON_FREEZER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "guard/daemon/jobs.h"

#define FREEZER_RETRY_NS (20 * NS_PER_MS)

enum freezer_state {
	FREEZER_EMPTY,
	FREEZER_READY,
	FREEZER_FREEZING,
	FREEZER_FROZEN,
	FREEZER_REFUSED, /* FIFREEZE failed: nothing of ours is frozen */
	FREEZER_THAWING,
	FREEZER_THAWED, /* our FITHAW ended our freeze */
	FREEZER_FOREIGN, /* it was not frozen any more */
	FREEZER_THAW_FAILED,
};

/* The two ioctls, 0 or -1 and errno, and reach_again(); tests put others in their place. */
struct freezer_calls {
	int (*freeze)(int fd);
	int (*thaw)(int fd);
	int (*reach)(uint64_t device);
};

extern const struct freezer_calls freezer_kernel;

struct freezer {
	/* The main loop's. */
	char path[1024];
	uint64_t device;
	bool orphan; /* of no set that is known: closed when it is thawed */

	/* Shared, under the lock. */
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	const struct freezer_calls *calls;
	struct jobs_done *done; /* woken at every change of state */
	int fd; /* open on the file system: pins the mount, and thaws it; -1: not reached yet */
	enum freezer_state state;
	bool threads; /* are there */
	bool want_freeze, want_thaw;
	bool returned; /* FIFREEZE has, with freeze_errno */
	int freeze_errno, thaw_errno;
	uint64_t frozen_ns, thawed_ns; /* when the calls returned */
	bool adopted;
	uint64_t owner_pid, owner_started; /* of an adopted freeze */
	pthread_t freeze_thread, thaw_thread;
};

/* Zeroed memory becomes an EMPTY slot with its threads running. */
CHECKED int freezer_init(struct freezer *f, const struct freezer_calls *calls,
			 struct jobs_done *done, struct error *err);
/* EMPTY -> READY. Takes the descriptor. */
void freezer_open(struct freezer *f, int fd);
/* EMPTY -> FROZEN, as far as anybody knows, by the process `pid` that was started at `started`. fd: -1 if
 * what is at its path is not the file system `device`. */
void freezer_adopt(struct freezer *f, int fd, uint64_t device, uint64_t pid, uint64_t started);
/* READY -> FREEZING. */
void freezer_freeze(struct freezer *f);
/* Ask for a thaw. READY, REFUSED and states after it: nothing to do. */
void freezer_thaw(struct freezer *f);
/* A state that never comes back from THAWING is a thaw that hangs. */
enum freezer_state freezer_state(struct freezer *f);
/* Nothing of ours is frozen, and no thread of it is in the kernel. */
bool freezer_settled(struct freezer *f);
/* Back to EMPTY; it is settled. */
void freezer_close(struct freezer *f);

/* When a process was started, in clock ticks since boot; 0: there is none. */
uint64_t freezer_process_start(uint64_t pid);

#endif
