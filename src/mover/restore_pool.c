/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads take jobs under one lock; jobs are large (a frame), so it is rarely contended. Nothing here
 * ever waits for the planner but for more work, and when the restore is stopped the jobs still pass
 * through, only letting go of their items: so all waits end.
 */
#include "mover/restore_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "mover/restore_compare.h"
#include "mover/restore_file.h"
#include "mover/restore_worker.h"

enum { SLOTS = 2, FIRST_SHARE = 5 };

enum phase {
	SLOT_FREE = 0,
	SLOT_FILLING,
	SLOT_COMPARING,
	SLOT_SORTING,
	SLOT_WRITING,
};

struct slot {
	struct restore_window window;
	enum phase phase;
	uint64_t number; /* in the order they were filled: the older goes first */
	size_t next_job, running;
};

struct restore_pool {
	struct restore_run *run;
	pthread_mutex_t lock;
	pthread_cond_t work; /* there may be a job, or the end */
	pthread_cond_t room; /* a slot may be free */
	struct slot slots[SLOTS];
	struct slot *filling; /* the planner's; NULL: none */
	uint64_t filled;
	bool ending;
	size_t n_threads;
	pthread_t threads[];
};

/* With the lock held: a slot that has a job to give, the oldest. */
static struct slot *
find_work(struct restore_pool *pool)
{
	struct slot *found = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &pool->slots[i];

		if ((s->phase == SLOT_COMPARING || s->phase == SLOT_WRITING) &&
		    s->next_job < s->window.n_jobs && (found == NULL || s->number < found->number))
			found = s;
	}
	return found;
}

/* With the lock held: all jobs of the slot's phase are done. */
static void
advance(struct restore_pool *pool, struct slot *s)
{
	if (s->phase == SLOT_COMPARING) {
		s->phase = SLOT_SORTING;
		(void)pthread_mutex_unlock(&pool->lock);
		restore_window_cut_write(&s->window);
		(void)pthread_mutex_lock(&pool->lock);
		s->next_job = 0;
		s->phase = SLOT_WRITING;
		(void)pthread_cond_broadcast(&pool->work);
		if (s->window.n_jobs > 0)
			return;
	}
	s->phase = SLOT_FREE;
	(void)pthread_cond_broadcast(&pool->room);
	/* The others may be waiting for the end. */
	(void)pthread_cond_broadcast(&pool->work);
}

static bool
all_free(const struct restore_pool *pool)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (pool->slots[i].phase != SLOT_FREE)
			return false;
	return true;
}

static void
do_job(struct restore_pool *pool, struct restore_worker *w, struct slot *s, size_t job)
{
	struct restore_window *window = &s->window;
	struct restore_piece *pieces = window->pieces + window->jobs[job];
	size_t n = window->jobs[job + 1] - window->jobs[job];
	bool stopped = restore_run_stopped(pool->run);

	if (s->phase == SLOT_COMPARING && !stopped)
		restore_compare_job(w, pieces, n);
	else if (s->phase == SLOT_WRITING && !stopped)
		restore_worker_write(w, pieces, n);
	else if (s->phase == SLOT_WRITING)
		restore_worker_drop(pool->run, pieces, n);
}

static void *
thread_main(void *arg)
{
	struct restore_pool *pool = arg;
	struct restore_worker worker = {.run = pool->run};
	struct error err = ERROR_INIT;

	/* Without a worker nothing can be done but to let go: the run is stopped. */
	if (restore_worker_open(&worker, pool->run, &err) < 0)
		restore_run_fail(pool->run, &err);
	(void)pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct slot *s = find_work(pool);
		if (s == NULL && pool->ending && all_free(pool))
			break;
		if (s == NULL) {
			(void)pthread_cond_wait(&pool->work, &pool->lock);
			continue;
		}
		size_t job = s->next_job++;
		s->running++;
		(void)pthread_mutex_unlock(&pool->lock);
		do_job(pool, &worker, s, job);
		(void)pthread_mutex_lock(&pool->lock);
		s->running--;
		if (s->running == 0 && s->next_job == s->window.n_jobs)
			advance(pool, s);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	restore_worker_close(&worker);
	return NULL;
}

/* Signals are for the thread that called us. */
static int
start_threads(struct restore_pool *pool, unsigned workers, struct error *err)
{
	sigset_t all, before;
	int rc = 0;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->n_threads < workers) {
		rc = pthread_create(&pool->threads[pool->n_threads], NULL, thread_main, pool);
		if (rc != 0)
			break;
		pool->n_threads++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pool->n_threads > 0)
		return OK;
	errno = rc;
	return error_sys(err, ERR_IO, "start a thread");
}

int
restore_pool_start(struct restore_run *run, unsigned workers, struct restore_pool **ret,
		   struct error *err)
{
	struct restore_pool *pool = calloc(1, sizeof(*pool) + workers * sizeof(pool->threads[0]));
	int rc = OK;

	if (pool == NULL)
		return error_no_memory(err);
	pool->run = run;
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->work, NULL);
	(void)pthread_cond_init(&pool->room, NULL);
	for (size_t i = 0; i < SLOTS && rc == OK; i++)
		rc = restore_window_init(&pool->slots[i].window, err);
	if (rc == OK)
		rc = start_threads(pool, workers, err);
	if (rc < 0)
		restore_pool_finish(pool);
	else
		*ret = pool;
	return rc;
}

/* Hand the window being filled to the workers. */
static void
submit(struct restore_pool *pool)
{
	struct slot *s = STEAL_PTR(pool->filling);

	if (s == NULL)
		return;
	if (s->window.compares)
		restore_window_cut_compare(&s->window);
	else
		restore_window_cut_write(&s->window);
	(void)pthread_mutex_lock(&pool->lock);
	s->number = pool->filled++;
	s->next_job = 0;
	s->phase = s->window.n == 0     ? SLOT_FREE
		   : s->window.compares ? SLOT_COMPARING
					: SLOT_WRITING;
	(void)pthread_cond_broadcast(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
}

/* Wait for a free window and take it. */
static void
acquire(struct restore_pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	while (pool->filling == NULL) {
		for (size_t i = 0; i < SLOTS && pool->filling == NULL; i++)
			if (pool->slots[i].phase == SLOT_FREE)
				pool->filling = &pool->slots[i];
		if (pool->filling == NULL)
			(void)pthread_cond_wait(&pool->room, &pool->lock);
	}
	pool->filling->phase = SLOT_FILLING;
	/* Each of the first ones twice as large as the one before. */
	unsigned share = pool->filled < FIRST_SHARE ? FIRST_SHARE - (unsigned)pool->filled : 0;
	(void)pthread_mutex_unlock(&pool->lock);
	restore_window_reset(&pool->filling->window, share);
}

int
restore_pool_add(struct restore_pool *pool, const struct restore_piece *piece,
		 const uint8_t *fingerprints, size_t n, struct error *err)
{
	if (restore_run_stopped(pool->run))
		return restore_run_result(pool->run, err);
	if (pool->filling != NULL && restore_window_full(&pool->filling->window, n))
		submit(pool);
	if (pool->filling == NULL)
		acquire(pool);
	atomic_fetch_add(&piece->item->pending, 1);
	restore_window_add(&pool->filling->window, piece, fingerprints, n);
	return OK;
}

void
restore_pool_finish(struct restore_pool *pool)
{
	if (pool == NULL)
		return;
	submit(pool);
	(void)pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	(void)pthread_cond_broadcast(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->n_threads; i++)
		(void)pthread_join(pool->threads[i], NULL);
	for (size_t i = 0; i < SLOTS; i++)
		restore_window_done(&pool->slots[i].window);
	(void)pthread_cond_destroy(&pool->work);
	(void)pthread_cond_destroy(&pool->room);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool);
}
