/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which earlier restore point a backup compares with: for each root the newest one of the same host
 * that has it. For folders, one of the same paths goes before a newer one of others. A wrong choice
 * costs time, never correctness: every file is compared by itself.
 */
#ifndef HF_REQUESTER_PREVIOUS_H
#define HF_REQUESTER_PREVIOUS_H

#include <jansson.h>

#include "agent/task.h"
#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"

/* The folders' root; `paths` is this backup's array of paths as it will stand in the point. NULL if
 * there is none. Results live as long as the list. */
const struct point *previous_folders(const struct point_list *l, const char *host,
				     const json_t *paths);
const struct point *previous_component(const struct point_list *l, const char *host,
				       const char *root);
/* Either of them, by the root's name. */
const struct point *previous_root(const struct point_list *l, const char *host, const json_t *paths,
				  const char *root);
/* For each root that there is of this host, its tree: an array for a task (agent/task.h). */
CHECKED int previous_trees(const struct point_list *l, const char *host, const json_t *paths,
			   struct task_previous **ret, size_t *ret_n, struct error *err);

#endif
