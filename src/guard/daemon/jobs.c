/* SPDX-License-Identifier: Apache-2.0 */

/* Crews are queues with a lock each; the locks are held for a few instructions. */
#include "guard/daemon/jobs.h"

#include <signal.h>
#include <sys/eventfd.h>

int
jobs_thread(pthread_t *ret, void *(*run)(void *arg), void *arg, struct error *err)
{
	pthread_attr_t attr;
	sigset_t all, before;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, JOBS_STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(ret, &attr, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return errno != 0 ? (int)error_sys(err, ERR_NO_MEMORY, "start a thread") : OK;
}

/* ---- what is done ---------------------------------------------------------------------------- */

int
jobs_done_init(struct jobs_done *d, struct error *err)
{
	(void)pthread_mutex_init(&d->mutex, NULL);
	d->first = NULL;
	d->last = &d->first;
	d->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return d->fd < 0 ? (int)error_sys(err, ERR_IO, "create an eventfd") : OK;
}

void
jobs_done_wake(struct jobs_done *d)
{
	const uint64_t one = 1;

	/* Only fails if it is readable already. */
	(void)!write(d->fd, &one, sizeof(one));
}

struct job *
jobs_done_take(struct jobs_done *d)
{
	uint64_t n;

	(void)!read(d->fd, &n, sizeof(n));
	(void)pthread_mutex_lock(&d->mutex);
	struct job *first = STEAL_PTR(d->first);
	d->last = &d->first;
	(void)pthread_mutex_unlock(&d->mutex);
	for (struct job *j = first; j != NULL; j = j->next)
		j->busy = false;
	return first;
}

static void
put_done(struct jobs_done *d, struct job *job)
{
	(void)pthread_mutex_lock(&d->mutex);
	job->next = NULL;
	*d->last = job;
	d->last = &job->next;
	(void)pthread_mutex_unlock(&d->mutex);
	jobs_done_wake(d);
}

/* ---- crews ----------------------------------------------------------------------------------- */

static void *
crew_member(void *arg)
{
	struct jobs_crew *c = arg;

	for (;;) {
		(void)pthread_mutex_lock(&c->mutex);
		while (c->first == NULL)
			(void)pthread_cond_wait(&c->wake, &c->mutex);
		struct job *job = c->first;
		c->first = job->next;
		if (c->first == NULL)
			c->last = &c->first;
		(void)pthread_mutex_unlock(&c->mutex);
		job->run(job);
		put_done(c->done, job);
	}
	return NULL;
}

int
jobs_crew_start(struct jobs_crew *c, size_t n_threads, struct jobs_done *done, struct error *err)
{
	*c = (struct jobs_crew){.done = done};
	(void)pthread_mutex_init(&c->mutex, NULL);
	(void)pthread_cond_init(&c->wake, NULL);
	c->last = &c->first;
	for (size_t i = 0; i < MIN(n_threads, (size_t)JOBS_THREADS_MAX); i++) {
		if (jobs_thread(&c->threads[i], crew_member, c, err) < 0)
			return err->code;
	}
	return OK;
}

void
jobs_post(struct jobs_crew *c, struct job *job)
{
	(void)pthread_mutex_lock(&c->mutex);
	job->busy = true;
	job->next = NULL;
	*c->last = job;
	c->last = &job->next;
	(void)pthread_cond_signal(&c->wake);
	(void)pthread_mutex_unlock(&c->mutex);
}
