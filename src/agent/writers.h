/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writers that take part in one backup, driven together: each step goes through all of them,
 * and the first failure stops it. Closing writers that did not complete aborts them first, so
 * that no database stays in backup mode, whichever way the backup ends.
 */
#ifndef HF_AGENT_WRITERS_H
#define HF_AGENT_WRITERS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "writer/client.h"

/* How writers are started; borrowed. */
struct writers_setup {
	const char *dir; /* folder of their programs */
	uint64_t timeout_ns; /* for each step; 0: the protocol's own */
	/* The settings of a writer, as an object of strings. */
	int (*settings)(void *arg, const char *name, json_t **ret, struct error *err);
	void *settings_arg;
};

enum { WRITERS_ROOT_MAX = 256 };

struct writers_member {
	const char *name; /* borrowed */
	struct writer *writer;
	struct component *component; /* from prepare-snapshot on */
	json_t *metadata; /* of component and tail, merged; from post-copy on */
	bool proven; /* its component is whole and consistent, as far as the writer can tell */
	bool completed;
	bool aborted;
};

struct writers {
	size_t n;
	struct writers_member *members;
};

/* Is there a program of that name? False, too, of what cannot be a name. */
bool writers_is_installed(const struct writers_setup *setup, const char *name);
/* Start one program, for a backup or a restore. */
CHECKED int writers_start_one(const struct writers_setup *setup, const char *name,
			      struct writer **ret, struct error *err);

/* Start each, let it identify itself and prepare for a backup of that type ("full", "copy" ...). */
CHECKED int writers_start(struct writers *w, const struct writers_setup *setup, size_t n,
			  const char *const *names, const char *type, struct error *err);
CHECKED int writers_prepare_snapshot(struct writers *w, const struct writer_moment *moment,
				     struct error *err);
/* Freeze all, front ends first; on failure all are thawed again. Whoever has not thawed at the
 * deadline (boot clock) is killed by the thaw. */
CHECKED int writers_freeze(struct writers *w, uint64_t deadline_ns, struct error *err);
/* Thaw all in reverse order, even if one fails; the first failure is reported. */
CHECKED int writers_thaw(struct writers *w, struct error *err);
CHECKED int writers_post_snapshot(struct writers *w, struct error *err);
/* Is each still good? For the mover's `check`; arg is the struct writers. */
CHECKED int writers_check(void *arg, struct error *err);
/* One writer's data has been read: ends its backup mode. Sets `metadata` and `proven`. */
CHECKED int writers_post_copy(struct writers_member *m, struct component_tail **ret,
			      struct error *err);
/* The restore point is stored. A writer that fails now has lost nothing of the backup: goes on with
 * the others and reports the first failure. */
CHECKED int writers_complete(struct writers *w, const char *point_id, struct error *err);
/* Abort those that did not complete. Best effort, and fine twice. cause: as writer_abort(). */
void writers_abort(struct writers *w, const struct error *cause);
/* They were killed to end a wait: as writer_excuse(). */
void writers_excuse(struct writers *w);
/* Abort those that did not complete, end all, free. */
void writers_done(struct writers *w);

/* The name of its root in a restore point: "postgresql", or "postgresql:NAME" for a component that is
 * not the writer's main one. */
CHECKED int writers_root_name(const struct writers_member *m, char text[WRITERS_ROOT_MAX],
			      struct error *err);
/* [{"name", "state", "state_number", "last_error", "error"?}] */
CHECKED int writers_states(const struct writers *w, json_t **ret, struct error *err);
/*
 * Ask who is there: each is started, identified and ended. As writers_states(), with "metadata" (null
 * if it failed). A writer that fails is listed with its error. n 0: all that are installed.
 */
CHECKED int writers_gather(const struct writers_setup *setup, const char *const *names, size_t n,
			   json_t **ret, struct error *err);

#endif
