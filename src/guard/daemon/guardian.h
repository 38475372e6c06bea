/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The state of the guard's process. One thread, the main loop, owns all of it; jobs and freezers are
 * handed to threads and come back (jobs.h, freezer.h).
 *
 *	request.c	what the agent asks	make.c	from preparing to held
 *	undo.c		leases that ended	adopt.c	what earlier guards left
 *	record.c	the journal		say.c	answers and events
 *	loop.c		waiting, and calling the above
 *
 * While a file system is frozen (guardian_frozen) nothing is written to any file, no answer is waited
 * for and no memory is asked for: what changes then is marked dirty and recorded after the thaw.
 */
#ifndef HF_GUARD_DAEMON_GUARDIAN_H
#define HF_GUARD_DAEMON_GUARDIAN_H

#include <stdbool.h>

#include "base/base.h"
#include "guard/daemon/freezer.h"
#include "guard/daemon/jobs.h"
#include "guard/journal.h"
#include "guard/lease.h"
#include "guard/wire.h"
#include "provider/provider.h"

enum {
	GUARDIAN_LEASES_MAX = 16384,
	GUARDIAN_ENDED_MAX = 1024, /* remembered */
	GUARDIAN_TOMBSTONES_MAX = 128, /* of them, in the journal */
	GUARDIAN_FREEZERS_MAX = 32, /* of sets of ours, and adopted ones */
	GUARDIAN_EVENTS_MAX = 512,
	GUARDIAN_ANSWERS_MAX = 64,
	GUARDIAN_SETTLERS_MAX = 8,
	GUARDIAN_OLD_MAX = 256, /* journals taken over at a start */
};

#define GUARDIAN_FLUSH_NS (200 * NS_PER_MS) /* deadlines are journaled so much later at most */
#define GUARDIAN_SPACE_INTERVAL_NS (3 * NS_PER_S)
#define GUARDIAN_LINGER_NS (120 * NS_PER_S) /* for removing, after the agent is gone */

struct guardian;

/* A snapshot of a set. Its job works on `work`, which becomes `s` when it is done. */
struct member {
	struct hold *hold;
	const struct provider_ops *ops;
	struct snapshot s;
	enum journal_stage stage;
	bool dirty; /* the journal does not say so yet */

	struct job job;
	struct snapshot work;
	const struct provider_settings *settings;
	uint64_t deadline_ns; /* of create */
	int rc;
	struct error err;
	bool checking_space;
	uint64_t free_bytes, total_bytes;

	bool posted_remove;
	unsigned tries;
	uint64_t retry_ns;
};

/* Where a set stands between two requests of the agent, or what is under way. */
enum hold_step {
	HOLD_OPEN, /* sources are added */
	HOLD_ADDING, /* a member is journaled, then prepared, then journaled */
	HOLD_ARMING,
	HOLD_ARMED,
	HOLD_QUIET, /* waiting for the journal to be at rest */
	HOLD_FREEZING, /* at = the file system that freezes */
	HOLD_CREATING, /* at = the member */
	HOLD_THAWING,
	HOLD_MADE,
	HOLD_FAILED, /* thawed; waits for the abort */
	HOLD_HELD,
	HOLD_EXPOSING,
};

struct hold {
	struct guardian *g;
	struct lease_key key;
	char job[GUARD_JOB_MAX];
	uint64_t begun_wall_ns;
	enum hold_step step;
	size_t at;
	struct {
		enum wire_kind kind; /* 0: nobody waits */
		uint64_t number;
	} asker;

	struct member *members[SNAPSHOT_MEMBERS_MAX];
	size_t n_members;
	int writers[GUARD_WRITERS_MAX]; /* pidfds; -1: has ended */
	size_t n_writers;
	bool writer_lost;

	uint64_t cap_ns;
	struct job arm; /* opens and flushes file systems */
	int arm_rc;
	struct error arm_err;
	struct {
		int fd;
		uint64_t device;
		const char *path; /* a member's source */
	} armed[SNAPSHOT_MEMBERS_MAX]; /* the job's, until it is done */
	size_t n_armed;
	struct freezer *freezers[SNAPSHOT_MEMBERS_MAX];
	size_t n_freezers;
	bool freezers_dirty;
	struct error failure; /* of the moment */
	struct guard_moment moment;
	uint64_t first_frozen_ns, last_thawed_ns;

	bool journaled; /* has a member that must be undone */
	bool dirty; /* the lease as the journal knows it is old */
	uint64_t journaled_deadline_ns;
	unsigned writing; /* journal jobs that will call back */
	bool ending; /* seen by undo.c */
};

struct settler {
	uint64_t number;
	bool stop; /* the answer to STOP */
};

struct guardian {
	int socket, agent; /* agent: its pidfd */
	int timer, signals;
	bool greeted;
	bool agent_lost;
	bool leaving; /* nothing new begins; exits when all is undone */
	uint64_t leaving_since_ns;
	char state_dir[SNAPSHOT_PATH_MAX];
	struct provider_settings settings;
	uint8_t token[WIRE_TOKEN_SIZE];
	char boot[JOURNAL_BOOT_MAX];

	struct jobs_done done;
	struct jobs_crew maker; /* one thread: what belongs to the set that is being made */
	struct jobs_crew keepers; /* expose, remove, space */
	struct jobs_crew scribe; /* one thread: the journal */
	struct freezer freezers[GUARDIAN_FREEZERS_MAX];

	struct lease_table leases;
	struct hold **holds; /* sorted by epoch */
	size_t n_holds;
	struct hold *making; /* the one that is prepared or frozen, or was and may still be */
	size_t n_exposing;
	bool dirty; /* some hold is */
	uint64_t flush_ns; /* when it is recorded at the latest, frozen or not */
	struct journal_lease tombstones[GUARDIAN_ENDED_MAX]; /* a ring beside leases.ended */
	uint64_t n_tombstones;
	uint64_t next_space_ns;

	struct {
		int dir; /* of the journals; -1: not there yet. The scribe's, as is fd */
		int fd;
		char name[64];
		bool begun; /* the next record goes behind others, not into a new file */
		bool broken; /* a write failed: the next one writes all anew */
		uint64_t bytes, bytes_min; /* now, and after the last time all was written anew */
		unsigned waiting; /* jobs at the scribe */
		uint64_t retry_ns;
	} journal;
	struct {
		int fd;
		char name[64];
		bool damaged;
		bool empty; /* only memories */
	} old[GUARDIAN_OLD_MAX]; /* taken over, locked, to be removed when ours says it all */
	size_t n_old;

	struct guard_event events[GUARDIAN_EVENTS_MAX];
	uint64_t events_first, events_next, events_lost;
	struct wire_message answers[GUARDIAN_ANSWERS_MAX];
	uint64_t answers_first, answers_next;
	struct settler settlers[GUARDIAN_SETTLERS_MAX];
	size_t n_settlers;
};

/* A file system is frozen by us or by a dead guard of ours, or a thaw of one is still on its way. */
bool guardian_thaws_pending(struct guardian *g);
/* Something of ours is frozen, may be, or is about to be. */
bool guardian_frozen(struct guardian *g);
/* The journal does not know yet what changed about it. */
void guardian_dirty(struct hold *h);
struct hold *guardian_find(struct guardian *g, const struct lease_key *key);
/* A hold for a lease that is in the table. NULL: no memory, or too many. */
struct hold *guardian_add(struct guardian *g, const struct lease_key *key, const char *job);
void guardian_remove(struct guardian *g, struct hold *h);
struct member *guardian_add_member(struct hold *h, const struct provider_ops *ops);
/* A slot that is EMPTY, with its threads running; NULL if there is none. */
struct freezer *guardian_freezer(struct guardian *g);

#endif
