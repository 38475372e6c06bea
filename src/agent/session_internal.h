/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the files of a session share.
 *
 *	session.c		the order of calls, the beginning and the end
 *	session_plan.c		what is snapshotted by whom, and what it promises
 *	session_lease.c		the lease: the guard's, or one of our own
 *	session_moment.c	freeze, snapshot, thaw
 *	session_status.c	what other threads see
 */
#ifndef HF_AGENT_SESSION_INTERNAL_H
#define HF_AGENT_SESSION_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/session.h"
#include "base/eventlog.h"
#include "guard/client.h"
#include "provider/plan.h"
#include "provider/snapshot_map.h"

enum session_state {
	SESSION_NEW,
	SESSION_PREPARED,
	SESSION_CREATED,
	SESSION_MOVED,
	SESSION_FINISHED,
	SESSION_COMPLETE,
	SESSION_FAILED, /* a call failed, or is going on */
	SESSION_ABORTED,
};

struct session {
	struct session_setup setup;
	struct session_order order;
	struct provider_settings providers;
	pthread_t driver; /* the thread that called prepare */

	struct writers writers;
	size_t *first_path; /* of each writer in plan.paths; [n] is the end */
	struct plan plan;
	const struct error *blamed; /* while aborting: not the writers' own failure */
	bool moment_ours; /* nobody else thawed what we had frozen */
	struct session_moment moment; /* its members are not kept here */
	struct snapshot_map map; /* where to read, from create on */

	struct guard *guard; /* NULL: none is needed, or none can be had */
	bool leased;
	atomic_bool cancelled;
	atomic_bool news; /* the guard told of something: look at the lease */

	pthread_mutex_t lock; /* for what any thread may look at: */
	enum session_state state;
	bool driving; /* in a call */
	bool waiting; /* for a writer, who may take long */
	size_t n_pidfds; /* of the writers */
	int pidfds[GUARD_WRITERS_MAX];
	struct lease lease; /* as it was last seen */
	struct lease_table own; /* if there is no guard */
	struct lease own_open[1], own_ended[1];
	char doing[160]; /* the last phase */
	json_t *shown; /* the writers as of the last step */
	json_t *members; /* what is exposed */
};

/* May this call come now? Sets the state to SESSION_FAILED until session_leave() says otherwise. */
CHECKED int session_enter(struct session *s, enum session_state wanted, const char *call,
			  struct error *err);
/* The call that entered went well. */
void session_leave(struct session *s, enum session_state now);
/* It did not. Returns err->code, after making sense of what a cancel has done to it. */
enum err session_failed(struct session *s, struct error *err);

/* Around what a writer may take minutes for: a cancel kills it. Look at session_cancelled() after it was
 * set. */
void session_wait(struct session *s, bool waiting);
/* ERR_CANCELLED once session_cancel() was called. */
CHECKED int session_cancelled(struct session *s, struct error *err);

/* ---- session_plan.c -------------------------------------------------------------------------- */

/* Make s->plan. Writers have been identified. */
CHECKED int session_plan_make(struct session *s, struct error *err);
/* ERR_REQUIRE if it cannot give what is required. */
CHECKED int session_plan_check(const struct session *s, struct error *err);
/* What writers are told of the moment to come. `sources` is room for SNAPSHOT_MEMBERS_MAX. */
void session_plan_moment(const struct session *s, const struct writers_member *m,
			 const char **sources, struct writer_moment *ret);
/* ERR_WRITER_FAILED if the component is good only as one instant, and will not be read as that. */
CHECKED int session_plan_covers(const struct session *s, const struct writers_member *m,
				struct error *err);
CHECKED int session_plan_json(const struct session *s, json_t **ret, struct error *err);
/* Paths of a root in s->plan: of the writer, or of the folders if m is NULL. */
void session_plan_range(const struct session *s, const struct writers_member *m, size_t *ret_from,
			size_t *ret_to);
/* "btrfs", or "btrfs+direct" where a root is read in several ways. Returns text. */
const char *session_plan_provider(const struct session *s, const struct writers_member *m,
				  char *text, size_t size);
/* What is promised, and why not more: *ret_why is "" if it is the best there is. */
enum consistency session_plan_promise(const struct session *s, const struct writers_member *m,
				      const char **ret_why);
/* Does what was achieved for such a root meet the order's `require`? */
bool session_plan_suffices(const struct session *s, bool writer, enum consistency achieved);

/* ---- session_lease.c ------------------------------------------------------------------------- */

CHECKED int session_lease_begin(struct session *s, struct error *err);
/* With a lease of our own: the moment has passed. */
CHECKED int session_lease_held(struct session *s, struct error *err);
/* From the driving thread. */
CHECKED int session_lease_finish(struct session *s, struct guard_verdict *ret, struct error *err);
void session_lease_abort(struct session *s);
/* ERR_LEASE_ENDED if it has ended. Any thread. */
CHECKED int session_lease_check(struct session *s, struct error *err);
/* The guard has something to say; a guard_event_fn. */
void session_lease_event(const struct guard_event *event, void *arg);

/* ---- session_status.c ------------------------------------------------------------------------ */

void session_phase(struct session *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* Let other threads, and those who look later, see the writers as they are now. From the driving thread;
 * not while anything is frozen. */
void session_show_writers(struct session *s);
CHECKED int session_show_members(struct session *s, const struct snapshot *snapshots, size_t n,
				 struct error *err);

#endif
