/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The task of a session: move what was prepared into a repository. Runs where the data is: in the
 * process of the session, whoever's repository it is.
 *
 * Databases come first, since their logs are held back for as long as they are being read; then the
 * folders. When task_run() returns OK everything is durable in the repository's store. The restore
 * point is not: that is the requester's to write.
 */
#ifndef HF_AGENT_TASK_H
#define HF_AGENT_TASK_H

#include <jansson.h>

#include "agent/session.h"
#include "base/base.h"
#include "base/error.h"
#include "mover/backup.h"
#include "repo/repo.h"
#include "repo/write.h"

enum { TASK_ROOT_MAX = 256 };

/* The tree that a root is compared with. "" is the root of the folders. */
struct task_previous {
	char root[TASK_ROOT_MAX];
	struct blob_id tree;
};

struct task_order {
	size_t n_previous;
	const struct task_previous *previous; /* at most one for each root; others do no harm */
	/* progress is required; warn and check are called as mover/backup.h says (check by the thread
	 * that called task_run, about every 100 ms, on top of what the task checks itself). */
	struct mover_options mover;
	struct repo_write_options write;
};

/*
 * roots: what becomes "roots" of the restore point (doc/json.md), without "consistency", which only
 * session_finish() knows:
 *	[{"name": "" or "postgresql" or "postgresql:NAME", "tree": hex, "provider",
 *	  of a writer also "writer", "component", "relocatable", "top", "writer_metadata"}]
 */
struct task_result {
	json_t *roots; /* owned by the receiver */
	struct repo_write_stats write;
};

/* Once, between session_create() and session_finish(). ERR_CANCELLED: progress->cancelled was set, or
 * session_cancel() called. After a failure only session_abort() is left. */
CHECKED int task_run(struct session *s, struct repo *repo, struct repo_index *index,
		     const struct task_order *order, struct task_result *ret, struct error *err);
/* Instead of task_run(): nothing is read, writers end their backup mode all the same. For tests of
 * everything else; the verdict is about a copy that was not made. */
CHECKED int task_skip(struct session *s, struct error *err);
void task_result_done(struct task_result *r);

#endif
