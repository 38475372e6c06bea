/* SPDX-License-Identifier: Apache-2.0 */

/* For client*.c only: the guard as its agent sees it. */
#ifndef HF_GUARD_CLIENT_INTERNAL_H
#define HF_GUARD_CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "guard/client.h"
#include "guard/wire.h"

/* A guard that is silent for so long although it was asked whether it is there is dead, or as good as. */
#define GUARD_SILENCE_NS (5 * NS_PER_S)
#define GUARD_PING_FROZEN_NS (NS_PER_S / 2)
#define GUARD_PING_NS (2 * NS_PER_S)

enum {
	GUARD_ZOMBIES_MAX = 16,
};

enum guard_phase {
	GUARD_STARTING, /* greeted, and has not answered yet */
	GUARD_READY,
	GUARD_DOWN, /* dead, and another could not be started so far */
	GUARD_STOPPED,
};

/* A thread that waits for an answer; on its stack. */
struct guard_call {
	struct guard_call *next;
	uint64_t number;
	struct wire_message *answer;
	bool done, lost;
	bool last; /* a STOP: once it is answered, the guard goes */
};

struct guard {
	struct wire_hello hello;
	char program[SNAPSHOT_PATH_MAX];
	guard_event_fn *event;
	void *event_arg;
	pthread_t reader;
	int wake; /* an eventfd: for the reader */

	pthread_mutex_t mutex; /* of all that follows */
	pthread_cond_t changed;
	enum guard_phase phase;
	struct error failure; /* why it is down */
	int socket;
	pid_t pid;
	int pidfd;
	uint64_t number; /* of the last request */
	struct guard_call *calls;
	uint64_t greeting; /* the number of its HELLO */
	uint64_t heard_ns, pinged_ns; /* 0: no ping is out */
	uint64_t armed_until_ns; /* something may be frozen until then */
	unsigned restarts;
	bool served; /* it, or one before it, has been ready: something may be held */
	bool leaving; /* guard_stop was called */
	bool stopping; /* and the guard is done, or no longer waited for */
	pid_t zombies[GUARD_ZOMBIES_MAX]; /* killed, not reaped: they may hang in the kernel */
};

/* client_process.c: start the program; the lock is held, or nobody else is there yet. */
CHECKED int guard_process_start(struct guard *g, struct error *err);
/* End it by force and forget it, its socket too. */
void guard_process_kill(struct guard *g);
/* Wait so long for its end, the socket being closed; never kills it. */
void guard_process_wait(struct guard *g, uint64_t limit_ns);
/* Take the status of those that have ended. */
void guard_process_reap(struct guard *g);

/* client_reader.c: the thread. */
void *guard_reader(void *arg);

#endif
