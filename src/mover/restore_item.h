/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One file or folder being restored: where it is (a name in a parent, up to a root), which file
 * system object it is (device and inode, so that it can be opened again later and be known for the
 * same), and what it will get when it is complete.
 *
 * Two counts: `pending` holds back completion (one for whoever plans it, one for each piece of
 * content on its way, one for each child not complete), `refs` holds the memory (one for completion,
 * one for each child, one for the table of hard links).
 */
#ifndef HF_MOVER_RESTORE_ITEM_H
#define HF_MOVER_RESTORE_ITEM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/tree.h"

struct restore_item {
	struct restore_item *parent; /* NULL: a root folder, whose name is its whole path */
	_Atomic uint32_t refs;
	_Atomic uint32_t pending;

	/* Guarded by the lock of struct restore_fds. */
	int fd; /* -1: not open now */
	int close_errno; /* of an early close, so that no write error gets lost */
	uint32_t pins;
	struct restore_item *newer, *older;

	/* Known once `present`. */
	uint64_t dev, ino;
	_Atomic bool present; /* it is there: created by us, or existing and kept */
	_Atomic bool failed; /* and reported; only cleaned up from here on */
	_Atomic bool written; /* its content was changed */
	bool existing; /* was there before, is compared and changed in place */
	int locked_errno; /* why its descriptor is only for reading; 0: it is not */
	bool fresh; /* a folder we created: nothing is in the way in it */

	/* What the node says. */
	uint8_t type;
	bool keeps_attributes; /* a root folder no node describes */
	bool xattrs_done; /* applied early, not kept here */
	uint16_t mode;
	uint32_t uid, gid;
	int64_t mtime_ns;
	uint64_t size;
	uint64_t nlink;
	struct slice xattrs; /* our own memory */

	uint16_t name_len;
	char name[]; /* and a zero */
};

/* refs = pending = 1: the planner's. The parent gains one of each. */
CHECKED int restore_item_new(struct restore_item *parent, const struct node *node,
			     struct restore_item **ret, struct error *err);
/* A root folder: `path` is shown in messages. It keeps its attributes unless it is described. */
CHECKED int restore_item_new_root(const char *path, struct restore_item **ret, struct error *err);
/* What the item is to become. */
CHECKED int restore_item_describe(struct restore_item *item, const struct node *node,
				  struct error *err);
/* For attributes_apply(): the node as kept here, slices pointing into the item. */
void restore_item_node(const struct restore_item *item, struct node *ret);
void restore_item_free_xattrs(struct restore_item *item);

void restore_item_ref(struct restore_item *item);
/* Drop a reference; frees what nobody refers to any more, up to the root. The descriptor must have
 * been closed. */
void restore_item_unref(struct restore_item *item);

/* "TARGET/a/b", and "/name" after it if name is not empty. Very long paths begin with "…". Never
 * fails: without memory it gives what fits into a few bytes. */
void restore_item_path(const struct restore_item *item, struct slice name, struct buf *text);

#endif
