/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asking all copies at once, a thread for each. The engine ends each call at the deadline; but a
 * name server that does not answer holds up a thread in the C library, and so nobody waits for a thread
 * longer than a moment beyond that. What a late thread uses is its own, or belongs to all and goes with
 * the last of them.
 */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/status.h"

enum { GRACE_MS = 500 };

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

/* Wait until every copy was asked, or the time is over, and take what there is. */
static void
collect(struct inquiry *q, struct group_view *v)
{
	int left_ms = clock_left_ms(q->deadline_ns);
	struct timespec until;
	uint64_t until_ns;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until_ns = (uint64_t)until.tv_sec * NS_PER_S + (uint64_t)until.tv_nsec +
		   ((uint64_t)left_ms + GRACE_MS) * NS_PER_MS;
	until.tv_sec = (time_t)(until_ns / NS_PER_S);
	until.tv_nsec = (long)(until_ns % NS_PER_S);
	(void)pthread_mutex_lock(&q->lock);
	while (!all_done(q) && pthread_cond_timedwait(&q->changed, &q->lock, &until) == 0)
		;
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
	(void)pthread_mutex_unlock(&q->lock);
}

int
group_look(const struct group *g, uint64_t deadline_ns, struct group_view *ret, struct error *err)
{
	CLEAN(inquiry_leavep) struct inquiry *q = NULL;
	struct group_view v = {.group = g, .n = g->n};
	int r = inquiry_new(g, deadline_ns, &q, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == OK && i < g->n; i++)
		r = asker_start(q, i, err);
	if (r < 0)
		return r;
	v.members = calloc(g->n, sizeof(*v.members));
	if (v.members == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < g->n; i++)
		v.members[i].copy = &g->copies[i];
	collect(q, &v);
	v.time_ns = clock_wall_ns();
	group_judge(&v);
	*ret = v;
	return OK;
}
