/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Owner, mode, times and extended attributes of the folder that a root or a path stands for. A tree
 * knows those of its entries, not its own, so a component's are kept in the record of its root; a
 * database does not start in a folder that belongs to somebody else.
 */
#ifndef HF_MOVER_TOP_H
#define HF_MOVER_TOP_H

#include <jansson.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/tree.h"

/* Look at a folder of this host: {"mode", "uid", "gid", "mtime_ns", "xattrs"?}. */
CHECKED int top_record(const char *folder, json_t **ret, struct error *err);
/* Read that back as a node without name and content; its xattrs lie in `hold`. 1 read, 0 the record
 * has none. */
CHECKED int top_parse(const json_t *root, struct buf *hold, struct node *ret, struct error *err);

/* Give the folder `target` the node's attributes, its owner only if `owner`. */
CHECKED int top_apply(const char *target, const struct node *node, bool owner, struct error *err);

#endif
