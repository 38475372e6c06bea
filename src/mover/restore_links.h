/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hard links: which restored file stands for which inode of the source. A file is forgotten when as
 * many names were seen as it had, so what is kept are inodes with names still to come; the table is
 * bounded, and what does not fit is restored as files of their own, with a warning.
 */
#ifndef HF_MOVER_RESTORE_LINKS_H
#define HF_MOVER_RESTORE_LINKS_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_item.h"

enum { RESTORE_LINKS_MAX = 128 << 10 };

struct restore_links;

CHECKED int restore_links_new(struct restore_links **ret, struct error *err);
void restore_links_free(struct restore_links *links);

/* The file that stands for the node's inode, or NULL. Also NULL, and *ret_differs is set, if there is
 * one whose content is not the same: then the source changed while it was read. */
struct restore_item *restore_links_find(struct restore_links *links, const struct node *node,
					bool *ret_differs);
/* `item` stands for the node's inode from here on. ERR_LIMIT when the table is full. */
CHECKED int restore_links_add(struct restore_links *links, const struct node *node,
			      struct restore_item *item, struct error *err);
/* Another name was made. */
void restore_links_used(struct restore_links *links, const struct node *node);
/* The file that stood for the inode is gone. */
void restore_links_drop(struct restore_links *links, const struct node *node);

#endif
