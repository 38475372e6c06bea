/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lease of a session. Where something has to be undone whatever happens to us, the guard has it;
 * where there is nothing to undo, a lease of our own only tells when the requester has been silent for
 * too long.
 */
#include <string.h>

#include "agent/session_internal.h"
#include "base/clock.h"
#include "base/text.h"
#include "crypto/crypto.h"

/* What every duty of an own lease comes to: nothing. Under the lock. */
static void
own_settle(struct session *s)
{
	const struct lease *l;

	while ((l = lease_duty_next(&s->own)) != NULL)
		lease_duty_done(&s->own, &s->lease.key,
				l->duties & LEASE_DUTY_THAW ? LEASE_DUTY_THAW : LEASE_DUTY_RELEASE);
	l = lease_find(&s->own, &s->lease.key);
	if (l != NULL)
		s->lease = *l;
}

void
session_lease_event(const struct guard_event *event, void *arg)
{
	struct session *s = arg;

	atomic_store(&s->news, true);
	guard_event_log(s->setup.events, event);
}

/* A guard, if there is anything for it to hold. */
static int
start_guard(struct session *s, struct error *err)
{
	struct guard_options options;

	if (s->setup.guard == NULL || s->writers.n + s->plan.n_members == 0)
		return OK;
	options = *s->setup.guard;
	options.providers = s->providers;
	options.event = session_lease_event;
	options.event_arg = s;
	if (guard_start(&options, &s->guard, err) == OK)
		return OK;
	if (s->plan.n_members > 0)
		return err->code;
	/* Writers that are read live end with us, and what they hold ends with them: a host on which
	 * the state folder cannot be had is backed up all the same. */
	session_phase(s, "going on without a guard: %s", err->msg);
	*err = ERROR_INIT;
	return OK;
}

int
session_lease_begin(struct session *s, struct error *err)
{
	uint64_t ttl_ns = s->order.ttl_ns;
	const char *job = s->order.job != NULL ? s->order.job : "";
	uint8_t set[LEASE_SET_SIZE];
	struct lease_key key;
	int r;

	if (start_guard(s, err) < 0)
		return err->code;
	if (s->guard == NULL && !s->setup.always_leased)
		return OK;
	if (crypto_random(set, sizeof(set), err) < 0)
		return err->code;
	if (s->guard != NULL) {
		r = guard_begin(s->guard, set, job, ttl_ns, &key, err);
	} else {
		lease_table_init(&s->own, s->own_open, ARRAY_SIZE(s->own_open), s->own_ended,
				 ARRAY_SIZE(s->own_ended));
		r = lease_begin(&s->own, set, ttl_ns, clock_boot_ns(), &key, err);
	}
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&s->lock);
	s->lease = (struct lease){
		.key = key,
		.state = LEASE_PREPARING,
		.ttl_ns = ttl_ns,
		.renewed_ns = clock_boot_ns(),
		.deadline_ns = clock_boot_ns() + ttl_ns,
	};
	s->leased = true;
	(void)pthread_mutex_unlock(&s->lock);
	return OK;
}

/* Nobody changes key and guard while the session lives; what is read without the lock is these. */
static bool
is_leased(struct session *s)
{
	bool leased;

	(void)pthread_mutex_lock(&s->lock);
	leased = s->leased;
	(void)pthread_mutex_unlock(&s->lock);
	return leased;
}

/* The event log's story of a keep-alive. */
static void
tell_keep(struct session *s, uint64_t ttl_ns, uint64_t since_ns, const struct error *failed)
{
	const char *job = s->order.job;
	uint64_t ttl_s = ttl_ns / NS_PER_S, since_ms = since_ns / NS_PER_MS;
	unsigned long long left_ms = ttl_ns > since_ns ? (ttl_ns - since_ns) / NS_PER_MS : 0;

	if (failed != NULL)
		eventlog_add(s->setup.events, EVENT_KEEP_REFUSED, job, "cause=%s", failed->msg);
	else if (since_ns > ttl_ns / 5)
		eventlog_add(s->setup.events, EVENT_KEEP_LATE, job,
			     "ttl_s=%llu since_ms=%llu left_ms=%llu", (unsigned long long)ttl_s,
			     (unsigned long long)since_ms, left_ms);
	else
		eventlog_add(s->setup.events, EVENT_KEEP_RECEIVED, job, "ttl_s=%llu since_ms=%llu",
			     (unsigned long long)ttl_s, (unsigned long long)since_ms);
}

static void
kept(struct session *s, uint64_t ttl_ns)
{
	uint64_t now_ns = clock_boot_ns(), since_ns;

	(void)pthread_mutex_lock(&s->lock);
	since_ns = now_ns - s->lease.renewed_ns;
	if (s->lease.state != LEASE_ENDED) {
		s->lease.ttl_ns = ttl_ns;
		s->lease.renewed_ns = now_ns;
		s->lease.deadline_ns = now_ns + ttl_ns;
	}
	(void)pthread_mutex_unlock(&s->lock);
	tell_keep(s, ttl_ns, since_ns, NULL);
}

int
session_keep(struct session *s, uint64_t ttl_ns, struct error *err)
{
	int r;

	if (!is_leased(s))
		return OK;
	if (s->guard != NULL) {
		r = guard_keep(s->guard, &s->lease.key, ttl_ns, err);
	} else {
		(void)pthread_mutex_lock(&s->lock);
		r = lease_keep(&s->own, &s->lease.key, ttl_ns, clock_boot_ns(), err);
		own_settle(s);
		(void)pthread_mutex_unlock(&s->lock);
	}
	if (r == OK) {
		kept(s, ttl_ns);
		return OK;
	}
	if (r == ERR_LEASE_ENDED)
		tell_keep(s, ttl_ns, 0, err);
	atomic_store(&s->news, true);
	return r;
}

/* The guard told of something: see what has become of the lease. */
static int
look(struct session *s, struct error *err)
{
	struct guard_lease now;

	if (guard_look(s->guard, &s->lease.key, &now, err) < 0)
		return err->code;
	(void)pthread_mutex_lock(&s->lock);
	s->lease = now.lease;
	(void)pthread_mutex_unlock(&s->lock);
	return OK;
}

int
session_lease_check(struct session *s, struct error *err)
{
	struct lease now;
	int r = OK;

	if (!is_leased(s))
		return OK;
	if (s->guard != NULL && atomic_exchange(&s->news, false) && look(s, err) < 0)
		return err->code;
	if (!session_lease(s, &now) || now.state != LEASE_ENDED || now.end == LEASE_FINISHED)
		return OK;
	/* Whoever asks what has ended is told how. */
	if (s->guard != NULL) {
		r = guard_keep(s->guard, &now.key, now.ttl_ns, err);
	} else {
		(void)pthread_mutex_lock(&s->lock);
		r = lease_keep(&s->own, &now.key, now.ttl_ns, clock_boot_ns(), err);
		(void)pthread_mutex_unlock(&s->lock);
	}
	return r;
}

bool
session_lease(struct session *s, struct lease *ret)
{
	bool leased;

	(void)pthread_mutex_lock(&s->lock);
	leased = s->leased;
	if (leased && s->guard == NULL) {
		lease_tick(&s->own, clock_boot_ns());
		own_settle(s);
	}
	*ret = s->lease;
	(void)pthread_mutex_unlock(&s->lock);
	return leased;
}

int
session_lease_held(struct session *s, struct error *err)
{
	int r = OK;

	(void)pthread_mutex_lock(&s->lock);
	if (s->leased && s->guard == NULL) {
		r = lease_freeze(&s->own, &s->lease.key, LEASE_FREEZE_DEFAULT_NS, clock_boot_ns(),
				 err);
		if (r == OK)
			r = lease_thaw(&s->own, &s->lease.key, true, clock_boot_ns(), err);
		own_settle(s);
	} else if (s->lease.state != LEASE_ENDED) {
		s->lease.state = LEASE_HELD;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

static void
tell_refused(struct session *s, const struct error *err)
{
	if (err->code == ERR_LEASE_ENDED)
		eventlog_add(s->setup.events, EVENT_FINISH_REFUSED, s->order.job, "cause=%s",
			     err->msg);
}

int
session_lease_finish(struct session *s, struct guard_verdict *ret, struct error *err)
{
	int r = OK;

	*ret = (struct guard_verdict){.proven = true};
	if (!s->leased)
		return OK;
	if (s->guard != NULL) {
		r = guard_finish(s->guard, &s->lease.key, ret, err);
		atomic_store(&s->news, true);
	} else {
		(void)pthread_mutex_lock(&s->lock);
		r = lease_finish(&s->own, &s->lease.key, clock_boot_ns(), &ret->proven, err);
		own_settle(s);
		(void)pthread_mutex_unlock(&s->lock);
	}
	if (r < 0) {
		tell_refused(s, err);
		return r;
	}
	(void)pthread_mutex_lock(&s->lock);
	s->lease.state = LEASE_ENDED;
	s->lease.end = LEASE_FINISHED;
	s->lease.ended_ns = clock_boot_ns();
	(void)pthread_mutex_unlock(&s->lock);
	return OK;
}

void
session_lease_abort(struct session *s)
{
	struct error ignored;

	if (!s->leased)
		return;
	if (s->guard != NULL) {
		(void)!guard_abort(s->guard, &s->lease.key, &ignored);
		atomic_store(&s->news, true);
		return;
	}
	(void)pthread_mutex_lock(&s->lock);
	(void)!lease_abort(&s->own, &s->lease.key, clock_boot_ns(), &ignored);
	own_settle(s);
	(void)pthread_mutex_unlock(&s->lock);
}
