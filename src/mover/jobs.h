/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A stack of jobs that several threads share. The newest job is taken first, so that a walk through
 * folders goes deep before it goes wide and only few folders are open at any time.
 *
 *	jobs_begin(j, n)	before n workers start: all of them count as busy
 *	worker:			job = jobs_try(j); if none: finish what is held back, then
 *				job = jobs_wait(j); NULL: everything is done, or jobs_stop() was called
 *	anyone:			jobs_push() while it is busy itself, or before jobs_begin()
 *
 * Everything is done when the stack is empty and every worker waits: only busy workers make new jobs.
 * A job is part of a larger structure that its maker owns; the stack never frees one.
 */
#ifndef HF_MOVER_JOBS_H
#define HF_MOVER_JOBS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct job {
	struct job *next;
	/* `worker` is what the taker passes. The job may be freed by its own run(). */
	int (*run)(struct job *job, void *worker, struct error *err);
	/* Free it, never run. */
	void (*drop)(struct job *job);
};

struct jobs;

CHECKED int jobs_new(struct jobs **ret, struct error *err);
/* Jobs that are left are dropped. NULL is fine. */
void jobs_free(struct jobs *j);

/* Ready for n workers (again): nothing stopped, all busy. Jobs pushed before stay. */
void jobs_begin(struct jobs *j, unsigned n);
void jobs_push(struct jobs *j, struct job *job);
/* The newest job, or NULL if there is none at the moment or the work was stopped. Never blocks. */
struct job *jobs_try(struct jobs *j);
/* Wait for a job; NULL when all is done or stopped, and then this worker no longer counts. */
struct job *jobs_wait(struct jobs *j);
/* Every worker gets NULL from now on. */
void jobs_stop(struct jobs *j);
bool jobs_stopped(struct jobs *j);
/* For the thread that watches: true once every worker has got NULL from jobs_wait(), false after
 * `timeout_ms` without. */
CHECKED bool jobs_watch(struct jobs *j, unsigned timeout_ms);

#endif
