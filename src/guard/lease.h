/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Leases: who holds which snapshot set, until when, and what must be undone when one ends.
 *
 * Pure: no clock, no memory but the table's, no system call. The guard feeds in requests and the time
 * (boot clock, base/clock.h) and carries out the duties that come back; so every order of events can be
 * tested, and test/model/lease.pml is a model with the same states, checked by spin.
 *
 *	             begin            freeze           thaw            finish
 *	  (nothing) -------> PREPARING ------> FROZEN ------> HELD ------------> ENDED
 *	                        |                |              |                  ^
 *	                        `--- timeout, abort, freeze cap, agent lost ... ---'
 *
 * Rules, after the timeout of guest snapshots in VSS-based backups:
 *   - The requester renews, the guard expires: by its own clock, from when a request arrived. Expiry
 *     happens at the deadline, not when somebody looks: every function first does what is due.
 *   - Expire, finish, abort: exactly one wins, and the others are told which.
 *   - A freeze has a cap of its own that no keep-alive extends.
 *   - A lease is named by its set and its epoch. Epochs only grow, restarts included.
 *   - What has ended is remembered, so that who comes late learns what happened, and when. He gets
 *     ERR_LEASE_ENDED, 0x800401fd.
 */
#ifndef HF_GUARD_LEASE_H
#define HF_GUARD_LEASE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"

enum {
	LEASE_SET_SIZE = 16,
};

#define LEASE_TTL_DEFAULT_NS (1200 * NS_PER_S)
#define LEASE_TTL_MIN_NS NS_PER_S
#define LEASE_TTL_MAX_NS (24 * 3600 * NS_PER_S)
#define LEASE_FREEZE_DEFAULT_NS (10 * NS_PER_S)
#define LEASE_FREEZE_MAX_NS (60 * NS_PER_S)

enum lease_state {
	LEASE_PREPARING, /* writers are asked; nothing is frozen, no snapshot taken */
	LEASE_FROZEN, /* from before the first freeze until after the last thaw */
	LEASE_HELD, /* there is a snapshot, and everything runs */
	LEASE_ENDED,
};

enum lease_end {
	LEASE_NOT_ENDED,
	LEASE_FINISHED, /* the requester was done with it */
	LEASE_ABORTED, /* the requester gave up */
	LEASE_EXPIRED, /* no keep-alive for the time to live */
	LEASE_FREEZE_CAP, /* frozen for too long */
	LEASE_AGENT_LOST,
	LEASE_NO_SPACE, /* production needs the space */
	LEASE_BY_HAND, /* an administrator released it */
	LEASE_RESTARTED, /* the guard or the machine came up anew, and it could not go on */
};

/* What the guard has to do for a lease that ended, in this order. */
enum lease_duty {
	LEASE_DUTY_THAW = 1, /* file systems and writers */
	LEASE_DUTY_RELEASE = 2, /* snapshots; tell the writers */
};

struct lease_key {
	uint8_t set[LEASE_SET_SIZE];
	uint64_t epoch;
};

/* Read only, but for the functions below. Times are on the boot clock. */
struct lease {
	struct lease_key key;
	enum lease_state state;
	enum lease_end end;
	bool proven; /* our own thaw found everything still frozen: the moment was one moment */
	unsigned duties; /* of enum lease_duty, not yet carried out */
	uint64_t ttl_ns, renewed_ns, deadline_ns;
	uint64_t frozen_ns; /* when it was armed */
	uint64_t freeze_deadline_ns; /* while FROZEN */
	uint64_t held_ns; /* since when; 0: never */
	uint64_t ended_ns;
};

/*
 * Set up by lease_table_init. Invariants:
 *  1. open[] is sorted by epoch; leases that ended stay there until their duties are done.
 *  2. Nothing is due before soonest_ns.
 *  3. n_duties leases of open[] have ended.
 *  4. At most one lease is PREPARING, FROZEN, or has LEASE_DUTY_THAW (of those begun here; what was
 *     restored may have the duty, too).
 */
struct lease_table {
	struct lease *open;
	size_t n_open, open_max;
	struct lease *ended; /* a ring: what is remembered */
	size_t ended_max;
	uint64_t n_ended; /* ever */
	uint64_t last_epoch;
	uint64_t soonest_ns;
	size_t n_duties;
};

/* An empty table in the caller's memory, all of it that it will ever use. */
void lease_table_init(struct lease_table *t, struct lease *open, size_t open_max,
		      struct lease *ended, size_t ended_max);

/*
 * A new set, PREPARING, for ttl_ns from now. *ret_key names it from here on. ERR_BUSY: another one is
 * being prepared or frozen (VSS: snapshot set in progress), or too many are held. ERR_LIMIT: ttl_ns
 * is not between LEASE_TTL_MIN_NS and LEASE_TTL_MAX_NS.
 */
CHECKED int lease_begin(struct lease_table *t, const uint8_t set[LEASE_SET_SIZE], uint64_t ttl_ns,
			uint64_t now_ns, struct lease_key *ret_key, struct error *err);
/* A keep-alive; its time to live counts from now on, the last one wins. */
CHECKED int lease_keep(struct lease_table *t, const struct lease_key *key, uint64_t ttl_ns,
		       uint64_t now_ns, struct error *err);
/* Call before the first file system or writer is frozen. cap_ns: at most LEASE_FREEZE_MAX_NS. */
CHECKED int lease_freeze(struct lease_table *t, const struct lease_key *key, uint64_t cap_ns,
			 uint64_t now_ns, struct error *err);
/* Call when everything is thawed. `ours`: each thaw undid our freeze (it returned 0); if somebody else
 * was first, the set is held all the same, and is not proven. After the cap it is too late: a freeze
 * that lasted too long is never called good, whenever that is noticed. */
CHECKED int lease_thaw(struct lease_table *t, const struct lease_key *key, bool ours,
		       uint64_t now_ns, struct error *err);
/* The requester has all it wants. *ret_proven: see struct lease. ERR_BAD_STATE before HELD. */
CHECKED int lease_finish(struct lease_table *t, const struct lease_key *key, uint64_t now_ns,
			 bool *ret_proven, struct error *err);
/* The requester gives up. Fine in any state, and twice. ERR_NOT_FOUND if it is not known. */
CHECKED int lease_abort(struct lease_table *t, const struct lease_key *key, uint64_t now_ns,
			struct error *err);

/* As lease_abort, for another reason (no space, by hand). */
CHECKED int lease_end_one(struct lease_table *t, const struct lease_key *key, enum lease_end why,
			  uint64_t now_ns, struct error *err);
/* End all that are open (agent lost). */
void lease_end_all(struct lease_table *t, enum lease_end why, uint64_t now_ns);
/* Do what is due. */
void lease_tick(struct lease_table *t, uint64_t now_ns);
/* When something will be due: the end of a wait. UINT64_MAX: nothing is held. */
uint64_t lease_next_ns(const struct lease_table *t);

/* OK while it is open, else how it ended. ERR_NOT_FOUND if it is not known. */
CHECKED int lease_check(struct lease_table *t, const struct lease_key *key, uint64_t now_ns,
			struct error *err);
/* What is known of this key, open or ended, or NULL; good until the table changes. */
const struct lease *lease_find(const struct lease_table *t, const struct lease_key *key);
/* A lease whose duties wait, thaws first, or NULL; good until the table changes. */
const struct lease *lease_duty_next(const struct lease_table *t);
/* One duty is done; the last makes a memory of the lease. */
void lease_duty_done(struct lease_table *t, const struct lease_key *key, enum lease_duty duty);

/*
 * A lease as it was journaled, after a restart of the guard; same_boot: times still mean the same. A
 * deadline stays what it was. What was not held, or is of an earlier boot, ends at once, with all duties
 * that it may have; what had ended without duties is remembered. ERR_LIMIT: there is no room for it.
 * ERR_EXISTS: it is known already.
 */
CHECKED int lease_restore(struct lease_table *t, const struct lease *journaled, bool same_boot,
			  uint64_t now_ns, struct error *err);

/* "snapshot timeout occurred", "the agent was lost" ... */
const char *lease_end_text(enum lease_end end);
/* "expired", "agent-lost" ...; "open" if it has not ended: as the agent's replies and the events have it. */
const char *lease_end_name(enum lease_end end);

#endif
