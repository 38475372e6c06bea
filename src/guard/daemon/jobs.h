/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Work that may block, done by threads that are there beforehand. The main loop posts a job to a crew;
 * a thread of the crew runs it; its descriptor becomes readable; the main loop calls jobs_done_take and
 * then the job's `done`. A job belongs to its crew while it is `busy`, and to the main loop otherwise.
 * Posting allocates nothing.
 */
#ifndef HF_GUARD_DAEMON_JOBS_H
#define HF_GUARD_DAEMON_JOBS_H

#include <pthread.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum {
	JOBS_THREADS_MAX = 8,
	JOBS_STACK_BYTES = 512
			   << 10, /* locked in memory: the library's default would be 8 MiB each */
};

struct job {
	void (*run)(struct job *job); /* in a thread of the crew */
	void (*done)(struct job *job, void *arg); /* afterwards, in the main loop */
	struct job *next;
	bool busy;
};

/* What is done, of any number of crews. */
struct jobs_done {
	pthread_mutex_t mutex;
	struct job *first, **last;
	int fd; /* an eventfd: readable when there is something */
};

struct jobs_crew {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct job *first, **last;
	struct jobs_done *done;
	pthread_t threads[JOBS_THREADS_MAX];
};

CHECKED int jobs_done_init(struct jobs_done *d, struct error *err);
/* All that is done, oldest first, linked by `next`; no longer busy. Never blocks. */
struct job *jobs_done_take(struct jobs_done *d);
/* From any thread: make the descriptor readable. */
void jobs_done_wake(struct jobs_done *d);

/* Threads run until the process ends. */
CHECKED int jobs_crew_start(struct jobs_crew *c, size_t n_threads, struct jobs_done *done,
			    struct error *err);
void jobs_post(struct jobs_crew *c, struct job *job);

/* A thread with a small stack and all signals blocked. */
CHECKED int jobs_thread(pthread_t *ret, void *(*run)(void *arg), void *arg, struct error *err);

#endif
