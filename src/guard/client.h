/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The agent's end of the guard: holdfast-guard, a program of its own that owns everything that must be
 * undone whatever happens to the agent: frozen file systems, snapshots, the leases on them.
 *
 *	guard_start
 *	  guard_begin -> guard_add (each source) -> guard_writer (each writer's process)
 *	    -> guard_freeze         armed: from here on the guard lets go by itself at the cap
 *	       (writers are frozen)
 *	    -> guard_snapshot       file systems freeze, snapshots are made, file systems thaw
 *	       (writers are thawed)
 *	    -> guard_thawed         held
 *	    -> guard_expose         readable
 *	       (data moves; guard_keep every tenth of the time to live)
 *	    -> guard_finish         the verdict; the snapshots go
 *	guard_stop
 *
 * guard_abort may come at any point, and twice. A lease ends by itself when its time to live runs out,
 * when it was frozen for longer than its cap, when its file system runs low, when the agent is gone,
 * or when an administrator releases it. Whatever it was, from then on every call with its key gives
 * ERR_LEASE_ENDED, with what happened and when.
 *
 * What the guard does when the lease ends in a freeze (cap, time to live, agent lost): thaws, kills the
 * writers' processes, removes the snapshots. When it ends later: removes the snapshots.
 *
 * If the guard dies or hangs, the library starts another at once (from the thread that reads its
 * answers). It thaws what the dead one had frozen, goes on with leases that are HELD, at their old
 * deadlines, and ends those that were not (LEASE_RESTARTED). Calls that were under way fail with
 * ERR_GUARD; a guard_keep is sent again. If the agent dies, the guard notices within milliseconds, lets
 * go of everything, and ends.
 *
 * Threads: every function may be called from any thread at any time, between guard_start and
 * guard_stop. Answers are matched by number, so a guard_keep never waits behind a slow guard_snapshot;
 * a set's own steps are to be called one after the other.
 */
#ifndef HF_GUARD_CLIENT_H
#define HF_GUARD_CLIENT_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "guard/lease.h"
#include "guard/report.h"
#include "provider/settings.h"
#include "provider/snapshot.h"

/* Called from the library's own thread, in the order in which things happened. It must not call the
 * guard. What happened while something was frozen comes afterwards, with its time. */
typedef void guard_event_fn(const struct guard_event *event, void *arg);

struct guard_options {
	const char *
		program; /* NULL: "holdfast-guard" in HOLDFAST_WRITER_DIR, or where it is installed */
	const char *state_dir; /* its journals are in STATE_DIR/guard/ */
	struct provider_settings providers;
	guard_event_fn *event; /* NULL: nobody wants to know */
	void *event_arg;
};

struct guard;

/*
 * Start a guard. First of all it takes over what earlier guards left in the state folder and nobody
 * holds any more: frozen file systems are thawed, snapshots removed in the background.
 */
CHECKED int guard_start(const struct guard_options *options, struct guard **ret, struct error *err);
/* Ends all leases, waits (a minute at most) until everything is undone, and frees. NULL is fine. What
 * could not be removed stays in the journal, for the next guard. */
void guard_stop(struct guard *g);
void guard_stopp(struct guard **g); /* for CLEAN() */

/* A new set, PREPARING; see lease_begin. `job`: for people, cut to GUARD_JOB_MAX. ERR_BUSY: another set
 * is being prepared or frozen. */
CHECKED int guard_begin(struct guard *g, const uint8_t set[LEASE_SET_SIZE], const char *job,
			uint64_t ttl_ns, struct lease_key *ret, struct error *err);
/* Prepare a snapshot of `source`. File systems freeze in the order of these calls (plan_make gives it),
 * and thaw in the reverse. */
CHECKED int guard_add(struct guard *g, const struct lease_key *key, const char *provider,
		      const char *source, struct snapshot *ret, struct error *err);
/* This process is killed when the lease ends while it is frozen. The descriptor stays the caller's. */
CHECKED int guard_writer(struct guard *g, const struct lease_key *key, int pidfd,
			 struct error *err);
/* Everything is made ready, written down and flushed, and the cap armed. Then freeze the writers. */
CHECKED int guard_freeze(struct guard *g, const struct lease_key *key, uint64_t cap_ns,
			 struct error *err);
/* The moment. When this returns, failed or not, no file system of the set is frozen, or the guard is
 * still at it (a thaw that hangs in the kernel); thaw the writers, then guard_thawed or guard_abort.
 * ERR_FREEZE: a file system could not be frozen, or was frozen by somebody else. */
CHECKED int guard_snapshot(struct guard *g, const struct lease_key *key, struct guard_moment *ret,
			   struct error *err);
/* All writers are thawed. From its return on the set is held, whatever happens to this guard: that is
 * written down and flushed before. ERR_BAD_STATE if guard_snapshot did not succeed. */
CHECKED int guard_thawed(struct guard *g, const struct lease_key *key, struct error *err);
/* Make all snapshots readable. ret: room for SNAPSHOT_MEMBERS_MAX, in the order of guard_add. May be
 * called again. */
CHECKED int guard_expose(struct guard *g, const struct lease_key *key, struct snapshot ret[],
			 size_t *ret_n, struct error *err);
/* A keep-alive; see lease_keep. */
CHECKED int guard_keep(struct guard *g, const struct lease_key *key, uint64_t ttl_ns,
		       struct error *err);
/* The last byte was read. The snapshots are removed in the background. */
CHECKED int guard_finish(struct guard *g, const struct lease_key *key, struct guard_verdict *ret,
			 struct error *err);
CHECKED int guard_abort(struct guard *g, const struct lease_key *key, struct error *err);

/* The lease of this key, open or ended; ERR_NOT_FOUND if it is not known (any more). */
CHECKED int guard_look(struct guard *g, const struct lease_key *key, struct guard_lease *ret,
		       struct error *err);
/* Its snapshots; room for SNAPSHOT_MEMBERS_MAX. */
CHECKED int guard_snapshots(struct guard *g, const struct lease_key *key, struct snapshot ret[],
			    size_t *ret_n, struct error *err);
/* Each lease that is open, oldest first. A negative result ends it and is the result. */
typedef int guard_each_fn(const struct guard_lease *lease, void *arg, struct error *err);
CHECKED int guard_list(struct guard *g, guard_each_fn *each, void *arg, struct error *err);
/* By hand: end the lease of this set, with LEASE_BY_HAND. ERR_NOT_FOUND. */
CHECKED int guard_release(struct guard *g, const uint8_t set[LEASE_SET_SIZE], struct error *err);
/* Wait until all that ended is undone. ERR_TIMEOUT at the deadline (boot clock). */
CHECKED int guard_settle(struct guard *g, uint64_t deadline_ns, struct error *err);

/* Who it is: for tests, and for people. */
pid_t guard_pid(struct guard *g);
/* How often a dead guard was replaced. */
unsigned guard_restarts(struct guard *g);

#endif
