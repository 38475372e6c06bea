/* SPDX-License-Identifier: Apache-2.0 */

/* From a staged range of logs to a restore point. Knows no server and no spool. */
#ifndef HF_REQUESTER_LOG_STORE_H
#define HF_REQUESTER_LOG_STORE_H

#include "base/base.h"
#include "base/error.h"
#include "mover/progress.h"
#include "repo/repo.h"
#include "repo/write.h"
#include "requester/log_names.h"
#include "requester/log_point.h"
#include "requester/log_spool.h"

struct log_store_order {
	struct repo *repo; /* open, with keys */
	const char *group;
	const struct log_stage *stage;
	const struct log_point *logs;
	uint64_t start_ns; /* of the restore point: when its range was begun */
	struct repo_write_options write;
	size_t n_tags;
	const char *const *tags;
	struct progress *progress;
	const char *copier, *holder; /* see log_copy.h; NULL: none */
	const struct log_names *names; /* NULL: not known */
	/* The restore point that this one replaces, and its tree to compare with; NULL: none. */
	const struct object_id *replaces;
	const struct blob_id *previous;
};

struct log_stored {
	struct object_id id;
	struct blob_id tree;
	struct repo_write_stats write;
};

/* Afterwards it is durable in the repository, whole; what it replaces is removed only then. */
CHECKED int log_store(const struct log_store_order *order, struct log_stored *ret,
		      struct error *err);

#endif
