/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asking all copies at once, a thread for each. The engine ends each call at the deadline; but a
 * name server that does not answer holds up a thread in the C library, and so nobody waits for a thread
 * longer than a moment beyond that. What a late thread uses is its own, or belongs to all and goes with
 * the last of them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/status.h"

enum { GRACE_MS = 500, STOP_LOOK_MS = 100 };

struct asked {
	bool done;
	struct copy_facts facts;
};

struct inquiry {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned users; /* threads, and who asked */
	struct group *group;
	uint64_t deadline_ns;
	struct asked *asked; /* one for each copy */
};

struct asker {
	struct inquiry *inquiry;
	size_t copy;
};

static void
inquiry_leave(struct inquiry *q)
{
	bool last;

	(void)pthread_mutex_lock(&q->lock);
	last = --q->users == 0;
	(void)pthread_mutex_unlock(&q->lock);
	if (!last)
		return;
	(void)pthread_cond_destroy(&q->changed);
	(void)pthread_mutex_destroy(&q->lock);
	group_free(q->group);
	free(q->asked);
	free(q);
}

static void
inquiry_leavep(struct inquiry **q)
{
	if (*q != NULL)
		inquiry_leave(*q);
}

static int
inquiry_new(const struct group *g, uint64_t deadline_ns, struct inquiry **ret, struct error *err)
{
	struct inquiry *q = calloc(1, sizeof(*q));
	struct asked *asked = calloc(g->n, sizeof(*asked));
	pthread_condattr_t attributes;

	if (q == NULL || asked == NULL || group_dup(g, &q->group, err) < 0) {
		free(asked);
		free(q);
		return error_no_memory(err);
	}
	q->asked = asked;
	q->deadline_ns = deadline_ns;
	q->users = 1;
	(void)pthread_mutex_init(&q->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&q->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	*ret = q;
	return OK;
}

static void
ask(struct inquiry *q, size_t copy, struct copy_facts *ret)
{
	const struct group *g = q->group;
	struct error err = ERROR_INIT;

	if (g->engine->look(g, &g->copies[copy], q->deadline_ns, ret, &err) == OK)
		return;
	*ret = (struct copy_facts){.failure = err.code};
	(void)text_printf(ret->message, sizeof(ret->message), "%s", err.msg);
	(void)text_printf(ret->hint, sizeof(ret->hint), "%s", err.hint);
}

static void *
asker_main(void *arg)
{
	struct asker *a = arg;
	struct inquiry *q = a->inquiry;
	struct copy_facts facts = {0};

	ask(q, a->copy, &facts);
	(void)pthread_mutex_lock(&q->lock);
	q->asked[a->copy] = (struct asked){.done = true, .facts = facts};
	(void)pthread_cond_broadcast(&q->changed);
	(void)pthread_mutex_unlock(&q->lock);
	inquiry_leave(q);
	free(a);
	return NULL;
}

static int
asker_start(struct inquiry *q, size_t copy, struct error *err)
{
	struct asker *a = calloc(1, sizeof(*a));
	pthread_t thread;
	int r;

	if (a == NULL)
		return error_no_memory(err);
	*a = (struct asker){.inquiry = q, .copy = copy};
	(void)pthread_mutex_lock(&q->lock);
	q->users++;
	(void)pthread_mutex_unlock(&q->lock);
	r = pthread_create(&thread, NULL, asker_main, a);
	if (r != 0) {
		inquiry_leave(q);
		free(a);
		errno = r;
		return error_sys(err, ERR_IO, "start a thread");
	}
	(void)pthread_detach(thread);
	return OK;
}

static bool
all_done(const struct inquiry *q)
{
	for (size_t i = 0; i < q->group->n; i++)
		if (!q->asked[i].done)
			return false;
	return true;
}

static struct timespec
monotonic_after(uint64_t ns)
{
	struct timespec t;
	uint64_t at;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	at = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec + ns;
	return (struct timespec){.tv_sec = (time_t)(at / NS_PER_S),
				 .tv_nsec = (long)(at % NS_PER_S)};
}

/* Wait until every copy was asked, or the time is over. Under the lock. */
static int
await_all(struct inquiry *q, const _Atomic bool *stop, struct error *err)
{
	uint64_t until_ns = q->deadline_ns + GRACE_MS * NS_PER_MS, now_ns;

	while (!all_done(q) && (now_ns = clock_boot_ns()) < until_ns) {
		struct timespec t = monotonic_after(
			MIN(until_ns - now_ns, STOP_LOOK_MS * NS_PER_MS));

		if (stop != NULL && atomic_load(stop))
			return error_set(err, ERR_CANCELLED, "stopped while asking the copies");
		(void)pthread_cond_timedwait(&q->changed, &q->lock, &t);
	}
	return OK;
}

/* Take what there is. Under the lock. */
static void
take_answers(const struct inquiry *q, struct group_view *v)
{
	for (size_t i = 0; i < v->n; i++) {
		struct group_member *m = &v->members[i];

		if (q->asked[i].done) {
			m->facts = q->asked[i].facts;
			continue;
		}
		m->facts = (struct copy_facts){.failure = ERR_TIMEOUT};
		(void)text_printf(m->facts.message, sizeof(m->facts.message),
				  "it did not answer in time");
	}
}

int
group_look_while(const struct group *g, uint64_t deadline_ns, const _Atomic bool *stop,
		 struct group_view *ret, struct error *err)
{
	CLEAN(inquiry_leavep) struct inquiry *q = NULL;
	CLEAN(group_view_done) struct group_view v = {.group = g, .n = g->n};
	int r = inquiry_new(g, deadline_ns, &q, err);

	if (r < 0 || q == NULL)
		return r;
	v.members = calloc(g->n, sizeof(*v.members));
	if (v.members == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < g->n; i++)
		v.members[i].copy = &g->copies[i];
	for (size_t i = 0; r == OK && i < g->n; i++)
		r = asker_start(q, i, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&q->lock);
	r = await_all(q, stop, err);
	if (r == OK)
		take_answers(q, &v);
	(void)pthread_mutex_unlock(&q->lock);
	if (r < 0)
		return r;
	v.time_ns = clock_wall_ns();
	group_judge(&v);
	*ret = v;
	v.members = NULL;
	return OK;
}

int
group_look(const struct group *g, uint64_t deadline_ns, struct group_view *ret, struct error *err)
{
	return group_look_while(g, deadline_ns, NULL, ret, err);
}
