/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread. The lock is never held while anything is asked, so that context_link_check() never waits.
 *
 * Who checks also looks at the clock himself: a thread that is stuck (a look-up of a name, a stopped
 * machine) must not keep a backup going whose lease has passed.
 */
#include "group/context_link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

struct context_link {
	const struct context_link_ops *ops;
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t answer; /* whoever awaits a beat */
	int wake_fd; /* an eventfd: the thread, while it rests */
	bool stop;
	bool told_over;
	struct context_policy policy;
	struct error last; /* of the last try that failed, while AWAY */
	struct error over; /* why, for good */
	uint64_t over_after_ns; /* how long it was away before that */
	uint64_t asked, answered; /* tickets */
};

/* With the lock held. */
static void
rouse(const struct context_link *l)
{
	ssize_t n = write(l->wake_fd, &(uint64_t){1}, sizeof(uint64_t));

	(void)n; /* an eventfd takes one */
}

/* Wait for an answer with the lock held, until `until_ns` of the boot clock; in slices, since the clock of the
 * condition stands still while the machine sleeps, and the boot clock does not. */
static void
doze(struct context_link *l, uint64_t until_ns)
{
	uint64_t now_ns = clock_boot_ns();
	uint64_t ns = until_ns > now_ns ? MIN(until_ns - now_ns, NS_PER_S) : 0;
	struct timespec t;

	if (ns == 0)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	ns += (uint64_t)t.tv_nsec;
	t.tv_sec += (time_t)(ns / NS_PER_S);
	t.tv_nsec = (long)(ns % NS_PER_S);
	(void)pthread_cond_timedwait(&l->answer, &l->lock, &t);
}

/* With the lock held; comes back with it. */
static void
tell(struct context_link *l, enum context_phase before, uint64_t away_ns)
{
	struct error why = l->policy.phase == CONTEXT_PHASE_OVER ? l->over : l->last;
	enum context_phase after = l->policy.phase;

	l->told_over |= after == CONTEXT_PHASE_OVER;
	(void)pthread_mutex_unlock(&l->lock);
	if (after == before)
		;
	else if (after == CONTEXT_PHASE_OVER)
		l->ops->over(l->arg, &why, away_ns);
	else if (after == CONTEXT_PHASE_AWAY)
		l->ops->lost(l->arg, &why);
	else
		l->ops->back(l->arg, away_ns);
	(void)pthread_mutex_lock(&l->lock);
}

static uint64_t
away_for(const struct context_link *l, uint64_t now_ns)
{
	const struct context_policy *p = &l->policy;

	return p->phase == CONTEXT_PHASE_AWAY && now_ns > p->away_ns ? now_ns - p->away_ns : 0;
}

/* What was asked, or heard, from asked_ns on, in the phase `before`, ended so. With the lock held; comes back
 * with it. */
static void
settle(struct context_link *l, enum context_phase before, uint64_t asked_ns, int rc,
       const struct error *err)
{
	uint64_t now_ns = clock_boot_ns(), away_ns = away_for(l, now_ns);

	context_policy_answer(&l->policy, asked_ns, now_ns, (enum err)rc);
	if (l->policy.phase == CONTEXT_PHASE_OVER && l->over.code == OK)
		l->over = *err;
	else if (rc < 0)
		l->last = *err;
	(void)pthread_cond_broadcast(&l->answer);
	tell(l, before, away_ns);
}

/* A beat or a reopening, with the lock held, but not while it is asked. */
static void
act(struct context_link *l, enum context_step step)
{
	uint64_t asked_ns = clock_boot_ns(), ticket = l->asked;
	uint64_t deadline_ns = context_policy_deadline(&l->policy, step, asked_ns);
	enum context_phase before = l->policy.phase;
	struct error err = ERROR_INIT;
	int rc;

	(void)pthread_mutex_unlock(&l->lock);
	rc = step == CONTEXT_STEP_BEAT ? l->ops->beat(l->arg, deadline_ns, &err)
				       : l->ops->reopen(l->arg, deadline_ns, &err);
	(void)pthread_mutex_lock(&l->lock);
	if (rc == OK)
		l->answered = ticket;
	settle(l, before, asked_ns, rc, &err);
	/* Somebody has asked meanwhile: that beat may have begun before. */
	if (rc == OK && l->asked != ticket)
		context_policy_hurry(&l->policy, clock_boot_ns());
}

/* The far end was heard; as act(). */
static void
hear(struct context_link *l)
{
	enum context_phase before = l->policy.phase;
	struct error err = ERROR_INIT;
	int rc;

	(void)pthread_mutex_unlock(&l->lock);
	rc = l->ops->hear(l->arg, &err);
	(void)pthread_mutex_lock(&l->lock);
	if (rc < 0)
		settle(l, before, clock_boot_ns(), rc, &err);
}

/*
 * Until it is time for something, or something is said: on this side, or by the far end. The channel says nothing
 * of its own accord but that it has ended, which so is known at once, and not at the next beat. In slices,
 * as doze(). With the lock held, but not while it waits.
 */
static void
rest(struct context_link *l)
{
	struct pollfd p[] = {
		{.fd = l->wake_fd, .events = POLLIN},
		{.fd = l->policy.phase == CONTEXT_PHASE_HELD ? l->ops->fd(l->arg) : -1,
		 .events = POLLIN},
	};
	int ms = MIN(clock_left_ms(l->policy.due_ns), (int)(NS_PER_S / NS_PER_MS));
	uint64_t ignored;

	(void)pthread_mutex_unlock(&l->lock);
	if (poll(p, ARRAY_SIZE(p), ms) > 0 && p[0].revents != 0) {
		ssize_t n = read(l->wake_fd, &ignored, sizeof(ignored));
		(void)n;
	}
	(void)pthread_mutex_lock(&l->lock);
	if (p[1].revents != 0 && !l->stop)
		hear(l);
}

/* With the lock held: over, whoever has seen it. */
static void
expire(struct context_link *l)
{
	struct error none = ERROR_INIT;
	uint64_t now_ns = clock_boot_ns();

	l->over_after_ns = away_for(l, now_ns);

	l->ops->expired(l->arg, now_ns - l->policy.sign_ns,
			l->policy.phase == CONTEXT_PHASE_AWAY ? &l->last : &none, &l->over);
	l->policy.phase = CONTEXT_PHASE_OVER;
	(void)pthread_cond_broadcast(&l->answer);
}

static void *
link_main(void *arg)
{
	struct context_link *l = arg;

	(void)pthread_mutex_lock(&l->lock);
	while (!l->stop && l->policy.phase != CONTEXT_PHASE_OVER) {
		enum context_step step = context_policy_next(&l->policy, clock_boot_ns());

		if (step == CONTEXT_STEP_GIVE_UP)
			expire(l);
		else if (step == CONTEXT_STEP_WAIT)
			rest(l);
		else
			act(l, step);
	}
	/* Somebody who checked may have seen it first. */
	if (l->policy.phase == CONTEXT_PHASE_OVER && !l->told_over)
		tell(l, CONTEXT_PHASE_AWAY, l->over_after_ns);
	(void)pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* Signals are for the thread that drives. */
static int
start_thread(struct context_link *l)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&l->thread, NULL, link_main, l);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void
link_free(struct context_link *l)
{
	(void)close(l->wake_fd);
	(void)pthread_cond_destroy(&l->answer);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

int
context_link_start(const struct context_link_ops *ops, void *arg, const struct group *g,
		   struct context_link **ret, struct error *err)
{
	struct context_link *l = calloc(1, sizeof(*l));
	pthread_condattr_t monotonic;
	int rc;

	if (l == NULL)
		return error_no_memory(err);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0) {
		free(l);
		return error_sys(err, ERR_NO_MEMORY, "make an eventfd");
	}
	l->ops = ops;
	l->arg = arg;
	context_policy_init(&l->policy, g, clock_boot_ns());
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&l->answer, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	rc = start_thread(l);
	if (rc != 0) {
		link_free(l);
		errno = rc;
		return error_sys(err, ERR_NO_MEMORY, "start a thread");
	}
	*ret = l;
	return OK;
}

/* With the lock held: is it over? */
static int
check_locked(struct context_link *l, struct error *err)
{
	if (context_policy_is_expired(&l->policy, clock_boot_ns()))
		expire(l);
	if (l->policy.phase != CONTEXT_PHASE_OVER)
		return OK;
	if (err != NULL)
		*err = l->over;
	return l->over.code;
}

int
context_link_check(struct context_link *l, struct error *err)
{
	int rc;

	(void)pthread_mutex_lock(&l->lock);
	rc = check_locked(l, err);
	(void)pthread_mutex_unlock(&l->lock);
	return rc;
}

uint64_t
context_link_ask(struct context_link *l)
{
	uint64_t ticket;

	(void)pthread_mutex_lock(&l->lock);
	ticket = ++l->asked;
	context_policy_hurry(&l->policy, clock_boot_ns());
	rouse(l);
	(void)pthread_mutex_unlock(&l->lock);
	return ticket;
}

/* With the lock held. 1: not known yet. */
static int
await_locked(struct context_link *l, uint64_t ticket, uint64_t deadline_ns, struct error *err)
{
	int rc = check_locked(l, err);

	if (rc < 0 || l->answered >= ticket)
		return rc;
	if (clock_boot_ns() < deadline_ns)
		return 1;
	if (l->policy.phase == CONTEXT_PHASE_AWAY && err != NULL) {
		*err = l->last;
		(void)error_prefix(err, "it is lost, and was not back in time");
		err->code = ERR_CONTEXT_LOST;
		return ERR_CONTEXT_LOST;
	}
	return error_set(err, ERR_CONTEXT_LOST, "no answer in time");
}

int
context_link_await(struct context_link *l, uint64_t ticket, uint64_t deadline_ns, struct error *err)
{
	int rc;

	(void)pthread_mutex_lock(&l->lock);
	while ((rc = await_locked(l, ticket, deadline_ns, err)) == 1)
		doze(l, deadline_ns);
	(void)pthread_mutex_unlock(&l->lock);
	return rc;
}

void
context_link_state(struct context_link *l, struct context_link_state *ret)
{
	(void)pthread_mutex_lock(&l->lock);
	*ret = (struct context_link_state){
		.held = l->policy.phase == CONTEXT_PHASE_HELD,
		.sign_ns = l->policy.sign_ns,
		.reopened = l->policy.reopened,
	};
	(void)pthread_mutex_unlock(&l->lock);
}

void
context_link_stop(struct context_link *l)
{
	if (l == NULL)
		return;
	(void)pthread_mutex_lock(&l->lock);
	l->stop = true;
	rouse(l);
	(void)pthread_mutex_unlock(&l->lock);
	(void)pthread_join(l->thread, NULL);
	link_free(l);
}
