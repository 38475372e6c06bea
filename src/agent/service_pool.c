/* SPDX-License-Identifier: Apache-2.0 */

/* A few threads and a queue; threads are made as they are needed, and stay. */
#include "agent/service_internal.h"

void
service_pool_init(struct service_pool *p, unsigned max)
{
	*p = (struct service_pool){.max = MIN(max, (unsigned)ARRAY_SIZE(p->threads))};
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->wake, NULL);
	STAILQ_INIT(&p->queue);
}

static void *
work(void *arg)
{
	struct service_pool *p = arg;
	struct pool_work *next;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		while ((next = STAILQ_FIRST(&p->queue)) == NULL && !p->ending) {
			p->idle++;
			(void)pthread_cond_wait(&p->wake, &p->lock);
			p->idle--;
		}
		if (next == NULL)
			break;
		STAILQ_REMOVE_HEAD(&p->queue, next);
		p->n_queue--;
		(void)pthread_mutex_unlock(&p->lock);
		next->run(next);
		(void)pthread_mutex_lock(&p->lock);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

bool
service_pool_add(struct service_pool *p, struct pool_work *w, void (*run)(struct pool_work *work))
{
	bool taken = false;

	(void)pthread_mutex_lock(&p->lock);
	if (p->idle <= p->n_queue && p->n < p->max &&
	    pthread_create(&p->threads[p->n], NULL, work, p) == 0)
		p->n++;
	if (p->n > 0 && p->n_queue < SERVICE_POOL_QUEUE) {
		w->run = run;
		STAILQ_INSERT_TAIL(&p->queue, w, next);
		p->n_queue++;
		(void)pthread_cond_signal(&p->wake);
		taken = true;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return taken;
}

void
service_pool_done(struct service_pool *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->ending = true;
	(void)pthread_cond_broadcast(&p->wake);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n; i++)
		(void)pthread_join(p->threads[i], NULL);
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->wake);
}
