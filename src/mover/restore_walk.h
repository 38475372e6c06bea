/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The planner's walk: down the tree of the restore point in order, one folder after the other, giving
 * every entry its place. Memory is bounded however deep the tree is: only the deepest few folders
 * are kept open, the others are opened again on the way back up.
 */
#ifndef HF_MOVER_RESTORE_WALK_H
#define HF_MOVER_RESTORE_WALK_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_paths.h"
#include "mover/restore_place.h"

/* What is treated in a way of its own, and where relocated folders go: elsewhere[i] is the root for
 * relocate.list[i], and a link to it takes its place. */
struct restore_special_paths {
	struct restore_paths skip;
	struct restore_paths relocate;
	struct restore_item **elsewhere;
};

/* Restore the content of `tree` into folder `root`. Root folders stay held by the caller. */
CHECKED int restore_walk_tree(struct restore_planner *planner, struct restore_item *root,
			      const struct blob_id *tree,
			      const struct restore_special_paths *special, struct error *err);

#endif
