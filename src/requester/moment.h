/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which backup a restore to a moment begins with, where it ends, and what the server has to be told. All of it
 * is known before the first file is written.
 */
#ifndef HF_REQUESTER_MOMENT_H
#define HF_REQUESTER_MOMENT_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/read.h"
#include "requester/log_chain.h"
#include "requester/log_search.h"
#include "requester/restore.h"

struct moment_order {
	struct repo *repo;
	struct repo_reader *reader;
	const struct restore_job *job;
};

struct moment {
	struct point_list list;
	struct log_chain chain;
	struct log_stop stop;
	const struct log_base *base; /* of the chain */
	json_t *recovery; /* for the writer; NULL: the base is the moment */
};

/* ERR_LOG_GAP if the logs do not lead there from any backup (the hint says where to they do); else as
 * log_chain_read() and log_search(). */
CHECKED int moment_find(const struct moment_order *order, struct moment *ret, struct error *err);
void moment_done(struct moment *m);

#endif
