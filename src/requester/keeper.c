/* SPDX-License-Identifier: Apache-2.0 */

/* The thread of keep-alives. */
#include "requester/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"

/* So long after the user asked to stop does the guest hear of it, at most. */
#define LOOK_NS (100 * NS_PER_MS)

struct keeper {
	struct guest *guest;
	struct progress *progress;
	uint64_t ttl_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop; /* the thread is to end */
	bool left; /* failures no longer count */
	struct error lost; /* code OK: nothing is */
	struct keeper_watch watch; /* check NULL: none */
	bool watch_failed; /* that is what lost says */
};

/* Sleep until something is to be done, with the lock held. */
static void
doze(struct keeper *k, uint64_t ns)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ns;
	until.tv_sec += until.tv_nsec / (long)NS_PER_S;
	until.tv_nsec %= (long)NS_PER_S;
	(void)pthread_cond_timedwait(&k->wake, &k->lock, &until);
}

/* Without the lock: an answer may take its time. True: go on. */
static bool
keep(struct keeper *k)
{
	struct error err = ERROR_INIT;
	bool lost;

	if (k->guest->ops->keep(k->guest, k->ttl_ns, &err) == OK)
		return true;
	(void)pthread_mutex_lock(&k->lock);
	lost = !k->left && !k->stop;
	if (lost && k->lost.code == OK)
		k->lost = err;
	(void)pthread_mutex_unlock(&k->lock);
	if (lost)
		k->guest->ops->cancel(k->guest);
	return false;
}

/* Without the lock. True: go on. */
static bool
look(struct keeper *k)
{
	struct error err = ERROR_INIT;
	bool first;

	if (k->watch.check == NULL || k->watch.check(k->watch.arg, &err) == OK)
		return true;
	(void)pthread_mutex_lock(&k->lock);
	first = k->lost.code == OK && !k->stop;
	if (first) {
		k->lost = err;
		k->watch_failed = true;
	}
	(void)pthread_mutex_unlock(&k->lock);
	if (first)
		k->guest->ops->cancel(k->guest);
	return false;
}

static void *
keeper_main(void *arg)
{
	struct keeper *k = arg;
	uint64_t next_ns = clock_boot_ns() + k->ttl_ns / 10;
	bool told = false, held = true, watched = true;

	(void)pthread_mutex_lock(&k->lock);
	while (!k->stop) {
		bool due = held && !k->left && clock_boot_ns() >= next_ns;

		if (!due) {
			doze(k, MIN(LOOK_NS, k->ttl_ns / 20));
		}
		(void)pthread_mutex_unlock(&k->lock);
		if (!told && atomic_load(&k->progress->cancelled)) {
			k->guest->ops->cancel(k->guest);
			told = true;
		}
		watched = watched && look(k);
		if (due) {
			/* From when it was sent: what an answer takes does not make the next late. */
			next_ns = clock_boot_ns() + k->ttl_ns / 10;
			held = keep(k);
		}
		(void)pthread_mutex_lock(&k->lock);
	}
	(void)pthread_mutex_unlock(&k->lock);
	return NULL;
}

/* Signals are for the thread that drives. */
static int
start_thread(struct keeper *k)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&k->thread, NULL, keeper_main, k);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int
keeper_start(struct guest *guest, uint64_t ttl_ns, struct progress *progress,
	     const struct keeper_watch *watch, struct keeper **ret, struct error *err)
{
	struct keeper *k = calloc(1, sizeof(*k));
	pthread_condattr_t monotonic;
	int rc;

	if (k == NULL)
		return error_no_memory(err);
	k->guest = guest;
	k->progress = progress;
	k->ttl_ns = ttl_ns;
	if (watch != NULL)
		k->watch = *watch;
	(void)pthread_mutex_init(&k->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&k->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	rc = start_thread(k);
	if (rc != 0) {
		free(k);
		errno = rc;
		return error_sys(err, ERR_NO_MEMORY, "start a thread");
	}
	*ret = k;
	return OK;
}

int
keeper_check(void *keeper, struct error *err)
{
	struct keeper *k = keeper;

	(void)pthread_mutex_lock(&k->lock);
	*err = k->lost;
	(void)pthread_mutex_unlock(&k->lock);
	return err->code;
}

bool
keeper_watch_failed(struct keeper *k)
{
	bool failed;

	(void)pthread_mutex_lock(&k->lock);
	failed = k->watch_failed;
	(void)pthread_mutex_unlock(&k->lock);
	return failed;
}

void
keeper_leave(struct keeper *k)
{
	(void)pthread_mutex_lock(&k->lock);
	k->left = true;
	(void)pthread_mutex_unlock(&k->lock);
}

void
keeper_stop(struct keeper *k)
{
	if (k == NULL)
		return;
	(void)pthread_mutex_lock(&k->lock);
	k->stop = true;
	(void)pthread_cond_signal(&k->wake);
	(void)pthread_mutex_unlock(&k->lock);
	(void)pthread_join(k->thread, NULL);
	(void)pthread_cond_destroy(&k->wake);
	(void)pthread_mutex_destroy(&k->lock);
	free(k);
}
