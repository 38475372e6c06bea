/* SPDX-License-Identifier: Apache-2.0 */

/* Whom to tell, and until when. */
#include "requester/group_blame.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "requester/ssh_url.h"

#define LIMIT_NS (3 * NS_PER_S)

/* Of the host, not of the application: stopped by hand; out of memory; the queue of --wait, which is no failure. */
static bool
is_worth_telling(const struct group_backup_order *o, const struct error *cause)
{
	switch (cause->code) {
	case OK:
	case ERR_CANCELLED:
	case ERR_NO_MEMORY:
		return false;
	case ERR_GROUP_BUSY:
		return !o->wait;
	default:
		return !atomic_load(&o->job.mover.progress->cancelled);
	}
}

static void
tell(const struct group_backup_order *o, struct guest *g, const char *identity,
     const struct error *cause, uint64_t limit_ns)
{
	const struct guest_blame b = {
		.job = o->job.order.job,
		.writer = o->group->engine->writer,
		.instance = identity[0] != '\0' ? identity : NULL,
		.cause = cause,
		.limit_ns = limit_ns,
	};

	if (g->ops->blame != NULL)
		g->ops->blame(g, &b);
}

void
group_blame_chosen(const struct group_backup_order *o, struct guest *g, const char *identity,
		   const struct error *cause)
{
	if (is_worth_telling(o, cause))
		tell(o, g, identity, cause, LIMIT_NS);
}

/* Nothing is kept where the programs are only for the time of a backup. */
static bool
is_candidate(const struct group_backup_order *o, const struct group_member *m)
{
	enum copy_role other = o->group->prefer == GROUP_PREFER_ACTIVE ? COPY_ROLE_PASSIVE
								       : COPY_ROLE_ACTIVE;

	return m->copy->agent != NULL && !ssh_url_is(m->copy->agent) && m->facts.role != other;
}

/* One that is asked for nothing else. */
struct telling {
	const struct group_backup_order *order;
	const struct group_member *member;
	const struct error *cause;
	uint64_t until_ns;
	pthread_t thread;
	bool started;
};

static void *
tell_member(void *arg)
{
	const struct telling *t = arg;
	const struct group_backup_order *o = t->order;
	CLEAN(guest_closep) struct guest *g = NULL;
	struct error ignored = ERROR_INIT;
	uint64_t now_ns = clock_boot_ns();

	if (now_ns >= t->until_ns || o->open_guest(o->open_arg, t->member->copy->agent,
						   t->until_ns - now_ns, &g, &ignored) < 0)
		return NULL;
	now_ns = clock_boot_ns();
	if (now_ns < t->until_ns)
		tell(o, g, t->member->facts.identity, t->cause, t->until_ns - now_ns);
	return NULL;
}

/* All at once: one that does not answer costs the others nothing. */
void
group_blame_all(const struct group_backup_order *o, const struct group_view *v,
		const struct error *cause)
{
	struct telling all[GROUP_COPIES_MAX] = {{0}};
	uint64_t until_ns = clock_boot_ns() + LIMIT_NS;

	if (!is_worth_telling(o, cause))
		return;
	for (size_t i = 0; i < v->n; i++) {
		struct telling *t = &all[i];

		if (!is_candidate(o, &v->members[i]))
			continue;
		t->order = o;
		t->member = &v->members[i];
		t->cause = cause;
		t->until_ns = until_ns;
		t->started = pthread_create(&t->thread, NULL, tell_member, t) == 0;
	}
	for (size_t i = 0; i < v->n; i++)
		if (all[i].started)
			(void)pthread_join(all[i].thread, NULL);
}
