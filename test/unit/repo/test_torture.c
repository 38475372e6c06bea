/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Memory runs out at the n-th allocation, for every n: making a repository, opening it, backing up,
 * reading back. Never a crash, never a leak (with a sanitizer that looks for them), and never a
 * success that is none.
 *
 * The allocators below stand before libc's for the whole program, its libraries included. Where
 * AddressSanitizer has its own they stand before those.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "repo/point.h"
#include "repo/prune.h"
#include "repo/verify.h"
#include "rig.h"
#include "scenario.h"
#include "store/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WITHOUT_INJECTION
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WITHOUT_INJECTION
#endif

static _Atomic uint64_t countdown; /* 0: nothing fails */
static _Atomic uint64_t allocations;
static atomic_bool persistent;
static _Atomic uint64_t failures;

#ifndef WITHOUT_INJECTION

#ifdef WITH_ASAN
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

/* NOLINTBEGIN(bugprone-reserved-identifier): the names are theirs. */
void *REAL(malloc)(size_t n);
void *REAL(calloc)(size_t n, size_t size);
void *REAL(realloc)(void *p, size_t n);
/* NOLINTEND(bugprone-reserved-identifier) */

static _Thread_local bool exempt;

static bool
is_to_fail(void)
{
	if (exempt)
		return false;
	atomic_fetch_add(&allocations, 1);
	uint64_t left = atomic_load(&countdown);
	while (left > 1 && !atomic_compare_exchange_weak(&countdown, &left, left - 1))
		;
	if (left != 1)
		return false;
	if (!atomic_load(&persistent))
		atomic_store(&countdown, 0);
	atomic_fetch_add(&failures, 1);
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t n)
{
	return is_to_fail() ? NULL : REAL(malloc)(n);
}

void *
calloc(size_t n, size_t size)
{
	return is_to_fail() ? NULL : REAL(calloc)(n, size);
}

void *
realloc(void *p, size_t n)
{
	return is_to_fail() ? NULL : REAL(realloc)(p, n);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, bytes);
}

#ifdef WITH_ASAN
/* The sanitizer asks this of each new thread, and gives up for good when there is no memory for the
 * answer. */
int
pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
	static int (*real)(pthread_t, pthread_attr_t *);

	exempt = true;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_getattr_np");
	int rc = real(thread, attr);
	exempt = false;
	return rc;
}
#endif

#endif

static void
arm(uint64_t n, bool from_then_on)
{
	atomic_store(&persistent, from_then_on);
	atomic_store(&failures, 0);
	atomic_store(&allocations, 0);
	atomic_store(&countdown, n);
}

/* How many failed since arm(). */
static uint64_t
disarm(void)
{
	atomic_store(&countdown, 0);
	return atomic_load(&failures);
}

/* ---- what is done meanwhile ------------------------------------------------------------------ */

struct torture {
	struct rig *r;
	struct object_id first; /* there before */
	struct error err;
};

static int
make_one(struct torture *t)
{
	struct store *store = NULL;
	struct object_id id;
	int rc = store_mem_open(&store, &t->err);

	if (rc == OK)
		rc = repo_init(store, &t->r->source, "label", &id, &t->err);
	store_close(store);
	return rc;
}

static int
open_it(struct torture *t)
{
	struct repo *repo = NULL;
	int rc = repo_open(t->r->store, &t->r->source, t->r->cache, &repo, &t->err);

	repo_close(repo);
	return rc;
}

static int
back_up(struct torture *t)
{
	struct object_id second;
	uint64_t failed;
	int rc = scenario_backup(t->r->repo, 2, &second, &t->err);

	failed = disarm();
	uint64_t counted = atomic_load(&allocations);
	if (rc == OK)
		rig_ok(t->r, scenario_check(t->r->repo, &second, 2, &t->r->err));
	atomic_store(&failures, failed);
	atomic_store(&allocations, counted);
	return rc;
}

static int
read_back(struct torture *t)
{
	return scenario_check(t->r->repo, &t->first, 1, &t->err);
}

static int
verify_all(struct torture *t)
{
	const struct verify_options options = {.level = VERIFY_DATA, .workers = 2};
	struct verify_stats stats = {0};

	return verify_repository(t->r->repo, &options, &stats, &t->err);
}

static int
prune_all(struct torture *t)
{
	const struct prune_options options = {0};
	struct prune_stats stats;

	return prune_run(t->r->repo, &options, &stats, &t->err);
}

typedef int step_fn(struct torture *t);

static uint64_t step_allocations; /* in the last run, or up to its failure and beyond */

/* One run of `step` with the n-th allocation failing; true if it came to that. */
static bool
one_run(step_fn *step, uint64_t n, bool from_then_on)
{
	struct torture t = {.r = rig_new(false)};

	rig_ok(t.r, scenario_backup(t.r->repo, 1, &t.first, &t.r->err));
	if (step == prune_all) {
		struct object_id gone;

		rig_ok(t.r, scenario_backup(t.r->repo, 3, &gone, &t.r->err));
		assert_int_equal(point_remove(t.r->repo, &gone, &t.r->err), 1);
	}
	t.err = ERROR_INIT;
	arm(n, from_then_on);
	int rc = step(&t);
	bool fired = disarm() > 0;
	step_allocations = atomic_load(&allocations);
	if (rc < 0) {
		assert_true(fired);
		assert_int_equal(rc, t.err.code);
		assert_true(t.err.msg[0] != 0);
	}
	/* All is as it was before, and goes on. */
	rig_reopen(t.r);
	rig_ok(t.r, scenario_check(t.r->repo, &t.first, 1, &t.r->err));
	rig_free(t.r);
	return fired;
}

/* Every n would take minutes where there are thousands; odd steps reach another share each time the
 * number of allocations before them changes. */
static void
torture(step_fn *step, uint64_t runs_at_most)
{
#ifdef WITHOUT_INJECTION
	(void)runs_at_most;
	assert_false(one_run(step, 0, false));
	return;
#endif
	assert_false(one_run(step, UINT64_MAX, false));
	uint64_t n = step_allocations;
	assert_true(n > 50);
	bool all = getenv("HF_TORTURE_ALL") != NULL;
#ifdef WITH_ASAN
	runs_at_most /= 4; /* each takes ten times as long */
#endif
	uint64_t stride = all ? 1 : 1 + n / runs_at_most;

	for (uint64_t at = 1; one_run(step, at, false);)
		at += at < 50 ? 1 : stride;
	for (uint64_t at = 1; one_run(step, at, true);)
		at += at < 10 ? 1 : 5 * stride;
}

#define TORTURE(step, runs_at_most)                                                                \
	static void torture_##step(void **state)                                                   \
	{                                                                                          \
		(void)state;                                                                       \
		torture(step, runs_at_most);                                                       \
	}

TORTURE(make_one, 100)
TORTURE(open_it, 100)
TORTURE(back_up, 300)
TORTURE(read_back, 100)
TORTURE(verify_all, 150)
TORTURE(prune_all, 150)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torture_make_one),   cmocka_unit_test(torture_open_it),
		cmocka_unit_test(torture_back_up),    cmocka_unit_test(torture_read_back),
		cmocka_unit_test(torture_verify_all), cmocka_unit_test(torture_prune_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
