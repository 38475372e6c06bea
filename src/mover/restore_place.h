/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Giving one entry of the restore point its place in the target: looking at what is there, clearing
 * the way, making folders, links and special files at once, and planning files for the workers.
 *
 * Only the planner's thread is in here. Losses are reported as they happen; what is returned as a
 * failure is meant to stop the restore.
 */
#ifndef HF_MOVER_RESTORE_PLACE_H
#define HF_MOVER_RESTORE_PLACE_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_item.h"
#include "mover/restore_links.h"
#include "mover/restore_pool.h"
#include "mover/restore_run.h"
#include "repo/read.h"
#include "repo/tree.h"

struct restore_planner {
	struct restore_run *run;
	struct restore_pool *pool;
	struct repo_reader *reader;
	struct restore_links *links;
};

/* A folder. 1: it is there, *ret_dir (the planner's hold) waits for its entries; 0: it could not be
 * made, which was reported. */
CHECKED int restore_place_dir(struct restore_planner *planner, struct restore_item *parent,
			      const struct node *node, struct restore_item **ret_dir,
			      struct error *err);

/* Anything else. */
CHECKED int restore_place_entry(struct restore_planner *planner, struct restore_item *parent,
				const struct node *node, struct error *err);

#endif
