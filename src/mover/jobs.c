/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One mutex, two conditions: "there may be a job for you" for workers, "the last worker has left" for
 * who watches. Jobs are coarse (a folder, dozens of small files, 64 MiB), so the mutex is never what
 * anyone waits for.
 */
#include "mover/jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct jobs {
	pthread_mutex_t lock;
	pthread_cond_t more; /* a job came, or the end */
	pthread_cond_t left; /* the last worker has left */
	struct job *top;
	unsigned workers; /* that have not yet got NULL from jobs_wait() */
	unsigned busy; /* of those, not waiting: only they make jobs */
	bool ended; /* the stack was empty and nobody busy */
	atomic_bool stopped; /* written under the lock, looked at without */
};

int
jobs_new(struct jobs **ret, struct error *err)
{
	struct jobs *j = calloc(1, sizeof(*j));
	pthread_condattr_t attr;

	if (j == NULL)
		return error_no_memory(err);
	/* These fail on Linux only for lack of memory that they do not allocate. */
	(void)pthread_mutex_init(&j->lock, NULL);
	(void)pthread_cond_init(&j->more, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&j->left, &attr);
	(void)pthread_condattr_destroy(&attr);
	*ret = j;
	return OK;
}

void
jobs_free(struct jobs *j)
{
	if (j == NULL)
		return;
	while (j->top != NULL) {
		struct job *job = j->top;

		j->top = job->next;
		job->drop(job);
	}
	(void)pthread_cond_destroy(&j->left);
	(void)pthread_cond_destroy(&j->more);
	(void)pthread_mutex_destroy(&j->lock);
	free(j);
}

void
jobs_begin(struct jobs *j, unsigned n)
{
	(void)pthread_mutex_lock(&j->lock);
	j->workers = n;
	j->busy = n;
	j->ended = false;
	atomic_store(&j->stopped, false);
	(void)pthread_mutex_unlock(&j->lock);
}

void
jobs_push(struct jobs *j, struct job *job)
{
	(void)pthread_mutex_lock(&j->lock);
	job->next = j->top;
	j->top = job;
	if (j->busy < j->workers)
		(void)pthread_cond_signal(&j->more);
	(void)pthread_mutex_unlock(&j->lock);
}

static struct job *
pop(struct jobs *j)
{
	struct job *job = j->top;

	if (job != NULL)
		j->top = job->next;
	return job;
}

struct job *
jobs_try(struct jobs *j)
{
	struct job *job = NULL;

	(void)pthread_mutex_lock(&j->lock);
	if (!atomic_load(&j->stopped))
		job = pop(j);
	(void)pthread_mutex_unlock(&j->lock);
	return job;
}

struct job *
jobs_wait(struct jobs *j)
{
	struct job *job = NULL;

	(void)pthread_mutex_lock(&j->lock);
	j->busy--;
	if (j->busy == 0 && j->top == NULL) {
		j->ended = true;
		(void)pthread_cond_broadcast(&j->more);
	}
	while (!j->ended && !atomic_load(&j->stopped) && j->top == NULL)
		(void)pthread_cond_wait(&j->more, &j->lock);
	if (!atomic_load(&j->stopped))
		job = pop(j);
	if (job != NULL)
		j->busy++;
	else if (--j->workers == 0)
		(void)pthread_cond_broadcast(&j->left);
	(void)pthread_mutex_unlock(&j->lock);
	return job;
}

void
jobs_stop(struct jobs *j)
{
	(void)pthread_mutex_lock(&j->lock);
	atomic_store(&j->stopped, true);
	(void)pthread_cond_broadcast(&j->more);
	(void)pthread_mutex_unlock(&j->lock);
}

bool
jobs_stopped(struct jobs *j)
{
	return atomic_load_explicit(&j->stopped, memory_order_relaxed);
}

bool
jobs_watch(struct jobs *j, unsigned timeout_ms)
{
	struct timespec until;
	bool all_left;
	int rc = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&j->lock);
	while (j->workers > 0 && rc == 0)
		rc = pthread_cond_timedwait(&j->left, &j->lock, &until);
	all_left = j->workers == 0;
	(void)pthread_mutex_unlock(&j->lock);
	return all_left;
}
