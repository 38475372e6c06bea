/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The protected host as the requester sees it: the functions of a session (agent/session.h, where each
 * is described), wherever that runs. guest_local: in this process. guest_remote: on a machine that is
 * reached through its agent.
 *
 *	prepare -> create -> move -> finish -> complete -> close		keep: at any time
 *	                     ... or abort -> close, from anywhere
 *
 * One thread drives; keep() and cancel() may be called from any other at the same time, and must not wait
 * for what the driving thread does. An implementation that goes over a network tries again what is lost on
 * the way for as long as the lease lives, and says so by `say`; what it returns is final.
 */
#ifndef HF_REQUESTER_GUEST_H
#define HF_REQUESTER_GUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "agent/session.h"
#include "agent/task.h"
#include "base/base.h"
#include "base/error.h"

/* What a backup failed of before the guest had a part in it. */
struct guest_blame {
	const char *job;
	const char *writer;
	const char
		*instance; /* as the writer's metadata calls it ("id"); NULL: whichever is there */
	const struct error *cause;
	uint64_t limit_ns; /* for all of it */
};

/* The implementation's own struct begins with it. */
struct guest {
	const struct guest_ops *ops;
	/* What is happening now, for people, from the thread that drives. May be NULL; set by the
	 * requester before the first call. */
	session_phase_fn *say;
	void *say_arg;
};

/* For what move() needs on the requester's side. All outlive the call. */
struct guest_move {
	struct repo *repo; /* open, with keys */
	struct repo_index *index; /* of the same, as read before the backup began */
	struct task_order order;
};

struct guest_ops {
	const char *name; /* "local", "remote" */
	bool elsewhere; /* another host: paths mean nothing here */
	int (*prepare)(struct guest *g, const struct session_order *order,
		       struct session_prepared *ret, struct error *err);
	int (*create)(struct guest *g, struct session_moment *ret, struct error *err);
	/* From any thread. ERR_LEASE_ENDED: it is over. Any other failure: it could not be said within
	 * the time that the implementation gives itself, which is less than the time to live. */
	int (*keep)(struct guest *g, uint64_t ttl_ns, struct error *err);
	/* Until everything is durable in move->repo's store. order.mover.progress, warn and check are the
	 * requester's: a remote guest feeds them from what it hears, and asks check about every
	 * 100 ms; an error from it, or progress->cancelled, ends the move. */
	int (*move)(struct guest *g, const struct guest_move *move, struct task_result *ret,
		    struct error *err);
	int (*finish)(struct guest *g, struct session_verdict *ret, struct error *err);
	int (*complete)(struct guest *g, const char *point_id, struct error *err);
	/* From any thread, and a signal handler's flag behind it: whatever the driving thread is waiting
	 * for fails with ERR_CANCELLED, soon. */
	void (*cancel)(struct guest *g);
	/* Best effort; after any failure, and before close() if complete() was not reached. cause: as
	 * session_abort(). */
	void (*abort)(struct guest *g, const struct error *cause);
	/* Best effort; instead of prepare(), or after abort(): the cause becomes the last error of the writer
	 * there, unless abort() has said so already. NULL: cannot be had. */
	void (*blame)(struct guest *g, const struct guest_blame *b);
	void (*close)(struct guest *g);
	/* Who could take part: [{"name", "metadata", "state", "state_number", "last_error",
	 * "error"?}] of the named ones, or of all that are installed (n 0). Independent of
	 * prepare(). */
	int (*writers)(struct guest *g, const char *const *names, size_t n, json_t **ret,
		       struct error *err);
	/* As session_status(). */
	int (*status)(struct guest *g, json_t **ret, struct error *err);
	/* As session_writers(): how those that take part are. NULL: ask in another way. */
	int (*states)(struct guest *g, json_t **ret, struct error *err);
	/* Instead of move(): as task_skip(), here or within finish(). */
	int (*skip)(struct guest *g, struct error *err);
};

static inline void
guest_closep(struct guest **g)
{
	if (*g != NULL)
		(*g)->ops->close(*g);
}

/* A session in this process. */
CHECKED int guest_local_open(const struct session_setup *setup, struct guest **ret,
			     struct error *err);

#endif
