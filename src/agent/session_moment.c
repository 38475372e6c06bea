/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The moment: everything stands still, snapshots are taken, everything goes on.
 *
 *	guard armed -> writers freeze, front ends first -> file systems freeze, snapshots, file systems
 *	thaw -> writers thaw, in reverse -> held -> writers are told -> snapshots can be read
 *
 * Whatever fails, the writers are thawed before anything else is done, and the guard thaws by itself
 * what we cannot.
 */
#include <string.h>

#include "agent/session_internal.h"
#include "base/clock.h"
#include "base/json.h"

static int
arm(struct session *s, struct error *err)
{
	return s->guard == NULL
		       ? OK
		       : guard_freeze(s->guard, &s->lease.key, s->order.freeze_cap_ns, err);
}

/* Writers are frozen. */
static int
snapshot(struct session *s, struct guard_moment *ret, struct error *err)
{
	*ret = (struct guard_moment){.ours = true};
	return s->guard == NULL ? OK : guard_snapshot(s->guard, &s->lease.key, ret, err);
}

/* From here to the thaw the applications wait, so nothing else happens in between. */
static int
stand_still(struct session *s, struct guard_moment *ret, struct error *err)
{
	struct error thaw = ERROR_INIT;
	uint64_t start_ns = clock_boot_ns();
	int r;

	if (writers_freeze(&s->writers, start_ns + s->order.freeze_cap_ns, err) < 0)
		return err->code;
	r = snapshot(s, ret, err);
	if (writers_thaw(&s->writers, &thaw) < 0 && r == OK) {
		*err = thaw;
		r = thaw.code;
	}
	if (r == OK && s->guard != NULL)
		r = guard_thawed(s->guard, &s->lease.key, err);
	/* Without writers the file systems are all that stood still. */
	if (s->writers.n > 0)
		ret->frozen_ns = clock_boot_ns() - start_ns;
	return r;
}

static int
expose(struct session *s, struct error *err)
{
	struct snapshot snapshots[SNAPSHOT_MEMBERS_MAX];
	size_t n = 0;

	if (s->plan.n_members > 0 && guard_expose(s->guard, &s->lease.key, snapshots, &n, err) < 0)
		return err->code;
	if (n != s->plan.n_members)
		return error_set(err, ERR_PROTOCOL, "the guard shows %zu snapshots, not %zu", n,
				 s->plan.n_members);
	if (plan_map(&s->plan, snapshots, n, &s->map, err) < 0)
		return err->code;
	return session_show_members(s, snapshots, n, err);
}

/* What it was, for people. */
static void
say(struct session *s)
{
	char provider[64];
	uint64_t frozen_us = s->moment.frozen_ns / 1000;

	if (s->plan.n_members == 0)
		return;
	session_phase(s, "snapshot held by %s, frozen %llu.%01llu ms, lease %llu s",
		      session_plan_provider(s, s->order.n_paths > 0 ? NULL : s->writers.members,
					    provider, sizeof(provider)),
		      (unsigned long long)(frozen_us / 1000),
		      (unsigned long long)(frozen_us % 1000 / 100),
		      (unsigned long long)(s->order.ttl_ns / NS_PER_S));
}

static int
create(struct session *s, struct session_moment *m, struct error *err)
{
	struct guard_moment moment;
	int r;

	if (arm(s, err) < 0)
		return err->code;
	/* The folder of the event log may lie on what is frozen. */
	eventlog_hold(s->setup.events);
	r = stand_still(s, &moment, err);
	eventlog_let_go(s->setup.events);
	if (r < 0 || session_lease_held(s, err) < 0 ||
	    writers_post_snapshot(&s->writers, err) < 0 || expose(s, err) < 0)
		return err->code;
	s->moment_ours = moment.ours;
	s->moment = (struct session_moment){
		.time_ns = moment.n_snapshots > 0 ? moment.wall_ns : 0,
		.frozen_ns = moment.frozen_ns,
		.proven = moment.ours,
	};
	say(s);
	*m = s->moment;
	m->members = json_deep_copy(s->members);
	return m->members != NULL ? OK : (int)error_no_memory(err);
}

int
session_create(struct session *s, struct session_moment *ret, struct error *err)
{
	struct session_moment moment = {0};

	if (session_enter(s, SESSION_PREPARED, "create", err) < 0)
		return err->code;
	if (create(s, &moment, err) < 0) {
		session_lease_abort(s);
		return session_failed(s, err);
	}
	session_leave(s, SESSION_CREATED);
	*ret = moment;
	return OK;
}
