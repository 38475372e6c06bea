/* SPDX-License-Identifier: Apache-2.0 */

/* The stack of jobs: newest first, nothing lost, everybody leaves at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "mover/jobs.h"

enum { WORKERS = 4 };

struct counting {
	struct jobs *jobs;
	atomic_uint run, dropped;
};

struct counted {
	struct job job;
	struct counting *all;
	unsigned children; /* each with one less of them */
};

static void push(struct counting *c, unsigned children);

static int
run(struct job *job, void *worker, struct error *err)
{
	struct counted *j = CONTAINER_OF(job, struct counted, job);
	struct counting *c = j->all;
	unsigned children = j->children;

	(void)worker;
	(void)err;
	free(j);
	for (unsigned i = 0; i < children; i++)
		push(c, children - 1);
	atomic_fetch_add(&c->run, 1);
	return OK;
}

static void
drop(struct job *job)
{
	struct counted *j = CONTAINER_OF(job, struct counted, job);

	atomic_fetch_add(&j->all->dropped, 1);
	free(j);
}

static void
push_job(struct counting *c, int (*what)(struct job *job, void *worker, struct error *err),
	 unsigned children)
{
	struct counted *j = malloc(sizeof(*j));

	assert_non_null(j);
	*j = (struct counted){.job = {.run = what, .drop = drop}, .all = c, .children = children};
	jobs_push(c->jobs, &j->job);
}

static void
push(struct counting *c, unsigned children)
{
	push_job(c, run, children);
}

static void *
work(void *arg)
{
	struct counting *c = arg;
	struct job *job;

	while ((job = jobs_try(c->jobs)) != NULL || (job = jobs_wait(c->jobs)) != NULL)
		(void)job->run(job, NULL, NULL);
	return NULL;
}

static void
run_all(struct counting *c)
{
	pthread_t threads[WORKERS];

	jobs_begin(c->jobs, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, c), 0);
	while (!jobs_watch(c->jobs, 1000))
		;
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void
newest_first(void **state)
{
	struct error err = ERROR_INIT;
	struct counting c = {0};
	struct job *first, *second;

	(void)state;
	assert_int_equal(jobs_new(&c.jobs, &err), OK);
	jobs_begin(c.jobs, 1);
	assert_null(jobs_try(c.jobs));
	push(&c, 1);
	push(&c, 2);
	first = jobs_try(c.jobs);
	second = jobs_wait(c.jobs);
	assert_int_equal(CONTAINER_OF(first, struct counted, job)->children, 2);
	assert_int_equal(CONTAINER_OF(second, struct counted, job)->children, 1);
	drop(first);
	drop(second);
	assert_null(jobs_wait(c.jobs));
	assert_true(jobs_watch(c.jobs, 0));
	jobs_free(c.jobs);
}

static void
all_run_and_all_leave(void **state)
{
	struct error err = ERROR_INIT;
	struct counting c = {0};

	(void)state;
	assert_int_equal(jobs_new(&c.jobs, &err), OK);
	/* 1 + 7 * (1 + 6 * (1 + 5 * ...)) jobs. */
	push(&c, 7);
	run_all(&c);
	assert_int_equal(c.run, 13700);
	assert_int_equal(c.dropped, 0);
	/* Once more, and with nothing to do. */
	run_all(&c);
	push(&c, 3);
	run_all(&c);
	assert_int_equal(c.run, 13700 + 16);
	jobs_free(c.jobs);
}

static int
stop(struct job *job, void *worker, struct error *err)
{
	struct counted *j = CONTAINER_OF(job, struct counted, job);
	struct counting *c = j->all;

	(void)worker;
	(void)err;
	free(j);
	jobs_stop(c->jobs);
	return OK;
}

/* Runs until the queue is stopped: so the others cannot empty it before the one that stops it gets to run. */
static int
outlast(struct job *job, void *worker, struct error *err)
{
	struct counted *j = CONTAINER_OF(job, struct counted, job);
	struct counting *c = j->all;

	(void)worker;
	(void)err;
	free(j);
	while (!jobs_stopped(c->jobs))
		(void)sched_yield();
	atomic_fetch_add(&c->run, 1);
	return OK;
}

static void
stopped_in_the_middle(void **state)
{
	struct error err = ERROR_INIT;
	struct counting c = {0};

	(void)state;
	assert_int_equal(jobs_new(&c.jobs, &err), OK);
	for (int i = 0; i < 1000; i++)
		push_job(&c, outlast, 0);
	push_job(&c, stop, 0);
	run_all(&c);
	assert_true(jobs_stopped(c.jobs));
	assert_null(jobs_try(c.jobs));
	jobs_free(c.jobs);
	assert_int_equal(c.run + c.dropped, 1000);
	assert_true(c.dropped > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_first),
		cmocka_unit_test(all_run_and_all_leave),
		cmocka_unit_test(stopped_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
