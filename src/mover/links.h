/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files with several names: what the content of an inode came to, so that it is read once and not for
 * every hard link. Bounded: when the table is full, further files are simply read again, and the
 * repository finds that it has their content already.
 *
 * Any thread may call at any time. Two workers that meet two links at the same moment both read; that
 * is rare, and harmless.
 */
#ifndef HF_MOVER_LINKS_H
#define HF_MOVER_LINKS_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/tree.h"

struct links;

CHECKED int links_new(struct links **ret, struct error *err);
void links_free(struct links *l); /* NULL is fine */

/* The content of the same inode, if it was read in the very state (size, times) that `node` says. 1:
 * *ret_content (the caller frees its p) and *ret_flags are set; 0: not known. */
CHECKED int links_find(struct links *l, const struct node *node, struct slice *ret_content,
		       uint8_t *ret_flags, struct error *err);
/* Remember a node whose content is known. Out of memory or full: it does not. */
void links_remember(struct links *l, const struct node *node);

#endif
