/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Leases: who holds which snapshot set, until when, and what must be undone when one ends.
 *
 * Pure: no clock, no memory beyond the table, no system call. The guard feeds in requests and the time
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
	LEASE_OPEN_MAX = 8, /* sets held at one time */
	LEASE_ENDED_MAX = 64, /* that are remembered */
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
	uint64_t freeze_deadline_ns; /* while FROZEN */
	uint64_t ended_ns;
};

/* All zero is an empty one. */
struct lease_table {
	struct lease open[LEASE_OPEN_MAX]; /* also those ended whose duties are not done */
	size_t n_open;
	struct lease ended[LEASE_ENDED_MAX]; /* a ring */
	uint64_t n_ended; /* ever */
	uint64_t last_epoch;
};

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
 * was first, the set is held all the same, and is not proven. */
CHECKED int lease_thaw(struct lease_table *t, const struct lease_key *key, bool ours,
		       uint64_t now_ns, struct error *err);
/* The requester has all it wants. *ret_proven: see struct lease. ERR_BAD_STATE before HELD. */
CHECKED int lease_finish(struct lease_table *t, const struct lease_key *key, uint64_t now_ns,
			 bool *ret_proven, struct error *err);
/* The requester gives up. Fine in any state, and twice. ERR_NOT_FOUND if it is not known. */
CHECKED int lease_abort(struct lease_table *t, const struct lease_key *key, uint64_t now_ns,
			struct error *err);

/* End all that are open (agent lost, no space, by hand). */
void lease_end_all(struct lease_table *t, enum lease_end why, uint64_t now_ns);
/* Do what is due. */
void lease_tick(struct lease_table *t, uint64_t now_ns);
/* When something will be due: the end of a wait. UINT64_MAX: nothing is held. */
uint64_t lease_next_ns(const struct lease_table *t);

/* A lease whose duties wait, thaws first, or NULL; good until the table changes. */
const struct lease *lease_duty_next(const struct lease_table *t);
/* One duty is done; the last makes a memory of the lease. */
void lease_duty_done(struct lease_table *t, const struct lease_key *key, enum lease_duty duty);

/*
 * A lease as it was journaled, after a restart of the guard; same_boot: times still mean the same. A
 * deadline stays what it was. What was frozen, or is of an earlier boot, ends at once, with all duties
 * that it may have. ERR_LIMIT: there is no room for it.
 */
CHECKED int lease_restore(struct lease_table *t, const struct lease *journaled, bool same_boot,
			  uint64_t now_ns, struct error *err);

/* "snapshot timeout occurred", "the agent was lost" ... */
const char *lease_end_text(enum lease_end end);

#endif
