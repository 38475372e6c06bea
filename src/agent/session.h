/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A session: one backup on the protected host, seen from there. It owns the writers' programs, the
 * lease on the snapshots, and knows what has been proven about the moment.
 *
 *	open -> prepare -> create -> task_run (task.h) -> finish -> complete -> close
 *	           |          |           |                 |
 *	           `----------+-----------+-----------------+--> abort -> close
 *
 *	prepare		writers identify and prepare; the plan: what is snapshotted, by which provider;
 *			refused here if the plan cannot give what is required; the lease begins
 *	create		the moment: writers and file systems frozen, snapshots, thawed; exposed
 *	task_run	the data moves; writers end their backup mode
 *	finish		the lease ends; what was achieved, with reasons. Call it right after the last
 *			byte is durable in the repository, and before the restore point is written
 *	complete	the restore point is stored: writers let go of their logs
 *
 * One thread drives a session; session_keep(), session_cancel(), session_check(), session_writers()
 * and session_status() may be called from any other meanwhile, and none of these waits for the
 * driving thread. Every call after a failure but abort and close is refused with ERR_BAD_STATE; a
 * failed call has already undone what was frozen.
 *
 * The lease. With snapshots (any provider but `direct`), or with writers, a guard (guard/client.h)
 * holds it: who does not call session_keep() for the time to live loses the snapshots, and every
 * later call fails with ERR_LEASE_ENDED and says which end it was. Without both there is nothing to
 * hold, and no lease unless it is asked for: session_keep() then always succeeds.
 */
#ifndef HF_AGENT_SESSION_H
#define HF_AGENT_SESSION_H

#include <jansson.h>
#include <stdbool.h>

#include "agent/writers.h"
#include "base/base.h"
#include "base/error.h"
#include "guard/lease.h"
#include "repo/point.h"

enum { SESSION_JOB_MAX = 40, SESSION_REASON_MAX = 256 };

struct eventlog;
struct guard_options;
struct session;

/* What is happening now, for people. From the thread that drives the session. */
typedef void session_phase_fn(void *arg, const char *what);

/* How a session works on this host. Copied; what it points to must outlive the session. */
struct session_setup {
	struct writers_setup writers;
	/* The guard's program, state folder and providers; its event function is the session's own.
	 * NULL: there is none, and only `direct` can be had. */
	const struct guard_options *guard;
	bool always_leased; /* a lease even where there is nothing to hold: the requester is elsewhere */
	const char *state_dir; /* the last state of each writer is kept there; NULL: nowhere */
	struct eventlog *events; /* NULL: none is kept */
	session_phase_fn *phase; /* may be NULL */
	void *phase_arg;
};

/* What is to be backed up. Pointers need to last until session_close(). */
struct session_order {
	const char *job; /* "{8-4-4-4-12}" or any name up to SESSION_JOB_MAX; NULL: none */
	size_t n_paths;
	const char *const *paths; /* absolute, normalised; each was there a moment ago */
	size_t n_writers;
	const char *const *writers; /* names, each once; front-end applications first */
	const char *provider; /* "auto", or a provider's name for everything; NULL: auto */
	bool one_file_system; /* what is mounted below the paths is not wanted */
	/*
	 * CONSISTENCY_NONE: take what can be had. CONSISTENCY_CRASH: of every root at least one
	 * instant. CONSISTENCY_APPLICATION: that, and `application` of every writer. 0: `application` of
	 * every writer, of folders what can be had.
	 */
	enum consistency require;
	uint64_t ttl_ns; /* 0: LEASE_TTL_DEFAULT_NS */
	uint64_t freeze_cap_ns; /* 0: LEASE_FREEZE_DEFAULT_NS */
	const char *backup_type; /* for the writers: "full", "copy", "incremental"; NULL: full */
	const char *label; /* shown in the database; NULL: "holdfast" */
};

struct session_prepared {
	bool leased; /* there is a lease, and it wants to be kept alive: every ttl_ns / 10 */
	bool guarded; /* by a guard, which tells the event log of it */
	struct lease_key key; /* if so */
	uint64_t ttl_ns;
	/* {"paths": [...], "crossings": [...], "members": [...], "atomic": bool}, objects as
	 * `holdfast plan --json` prints them (provider/plan_json.h). Owned by the receiver. */
	json_t *plan;
};

struct session_moment {
	uint64_t time_ns; /* wall clock: what is read is as of then; 0: no snapshot was taken */
	uint64_t
		frozen_ns; /* from the first thing that froze to the last that went on; 0: nothing did */
	bool proven; /* nobody else thawed what we had frozen */
	/* [{"provider", "source", "exposed"}], empty without snapshots. Owned by the receiver. */
	json_t *members;
};

/*
 * What the moment was worth, root by root (names as in task.h). `application` takes proof: the same
 * lease from before the freeze until after the last byte, each thaw our own, every writer good to the
 * end, its logs contiguous.
 */
struct session_verdict {
	bool proven; /* nothing was lost of what the plan promised */
	bool as_required; /* and nothing of what session_order.require asks for */
	char reason[SESSION_REASON_MAX]; /* why not; "" if so */
	/* [{"name", "consistency", "reason"?}]: one for each root of the task. `reason` is there if
	 * it is not the best that such a root can have. Owned by the receiver. */
	json_t *roots;
};

CHECKED int session_open(const struct session_setup *setup, struct session **ret,
			 struct error *err);
/* Aborts what is not complete, ends writers and guard. NULL is fine. */
void session_close(struct session *s);
void session_closep(struct session **s);

/* ERR_REQUIRE: the plan cannot give what is required; nothing was started then but the writers. */
CHECKED int session_prepare(struct session *s, const struct session_order *order,
			    struct session_prepared *ret, struct error *err);
CHECKED int session_create(struct session *s, struct session_moment *ret, struct error *err);
/* ERR_BAD_STATE before task_run() succeeded. A lease that was lost fails with ERR_LEASE_ENDED. */
CHECKED int session_finish(struct session *s, struct session_verdict *ret, struct error *err);
/* Fails with the first failure of a writer; the others complete all the same, and the restore point
 * is none the worse. */
CHECKED int session_complete(struct session *s, const char *point_id, struct error *err);
/* Give up: thaw, end the lease, tell the writers. Fine in any state, and twice. cause: what the requester gives up
 * for, kept as the writers' last error unless they have one of their own; NULL: nothing of theirs. */
void session_abort(struct session *s, const struct error *cause);

/* A keep-alive: the lease lasts for ttl_ns from now on. OK before there is a lease, and without. */
CHECKED int session_keep(struct session *s, uint64_t ttl_ns, struct error *err);
/* Is the lease still held, and are the writers good? For the mover, at least once a second while data
 * moves; waits for nobody but, at most, the guard's answer. Writers are looked at only if called by the
 * thread that drives. */
CHECKED int session_check(struct session *s, struct error *err);
/* The lease as it is now, as far as it is known here; false if there is none. Any thread. */
bool session_lease(struct session *s, struct lease *ret);
/* Whatever the driving thread is doing: fail with ERR_CANCELLED, soon. It then aborts. */
void session_cancel(struct session *s);

/* [{"name", "state", "state_number", "last_error", "error"?}], in the order of freezing. */
CHECKED int session_writers(struct session *s, json_t **ret, struct error *err);
/* {"state": "preparing", "frozen", "held", "finished" or "aborted", "end"?: "expired" ..., "job", "phase",
 * "members": as session_moment.members, and with a lease "set", "epoch", "ttl_ms", "left_ms"}. */
CHECKED int session_status(struct session *s, json_t **ret, struct error *err);

/* For who reports a prepared, a moment, a verdict; all zero is fine. */
void session_prepared_done(struct session_prepared *p);
void session_moment_done(struct session_moment *m);
void session_verdict_done(struct session_verdict *v);

#endif
