/* SPDX-License-Identifier: Apache-2.0 */

/* Items: plain bookkeeping. Loops instead of recursion wherever parents are followed, as a tree may be
 * deeper than a stack. */
#include "mover/restore_item.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SHOWN_MAX = 16384 };

static int
item_new(struct slice name, struct restore_item **ret, struct error *err)
{
	struct restore_item *item = calloc(1, sizeof(*item) + name.n + 1);

	if (item == NULL)
		return error_no_memory(err);
	item->fd = -1;
	item->refs = 1;
	item->pending = 1;
	item->type = NODE_DIR;
	item->keeps_attributes = true;
	item->name_len = (uint16_t)name.n;
	if (name.n > 0)
		memcpy(item->name, name.p, name.n);
	*ret = item;
	return OK;
}

int
restore_item_describe(struct restore_item *item, const struct node *node, struct error *err)
{
	if (node->xattrs.n > 0) {
		uint8_t *copy = malloc(node->xattrs.n);
		if (copy == NULL)
			return error_no_memory(err);
		memcpy(copy, node->xattrs.p, node->xattrs.n);
		restore_item_free_xattrs(item);
		item->xattrs = SLICE(copy, node->xattrs.n);
	}
	item->keeps_attributes = false;
	item->type = node->type;
	item->mode = node->mode;
	item->uid = node->uid;
	item->gid = node->gid;
	item->mtime_ns = node->mtime_ns;
	item->size = node->size;
	item->nlink = node->nlink;
	return OK;
}

int
restore_item_new(struct restore_item *parent, const struct node *node, struct restore_item **ret,
		 struct error *err)
{
	struct restore_item *item = NULL;

	int rc = item_new(node->name, &item, err);
	if (rc < 0)
		return rc;
	rc = restore_item_describe(item, node, err);
	if (rc < 0) {
		restore_item_unref(item);
		return rc;
	}
	item->parent = parent;
	atomic_fetch_add(&parent->refs, 1);
	atomic_fetch_add(&parent->pending, 1);
	*ret = item;
	return OK;
}

int
restore_item_new_root(const char *path, struct restore_item **ret, struct error *err)
{
	size_t n = strlen(path);

	if (n > UINT16_MAX)
		return error_set(err, ERR_LIMIT, "the path of the target is too long");
	while (n > 1 && path[n - 1] == '/')
		n--;
	return item_new(SLICE(path, n), ret, err);
}

void
restore_item_node(const struct restore_item *item, struct node *ret)
{
	*ret = (struct node){
		.name = SLICE(item->name, item->name_len),
		.type = item->type,
		.mode = item->mode,
		.uid = item->uid,
		.gid = item->gid,
		.mtime_ns = item->mtime_ns,
		.size = item->size,
		.nlink = item->nlink,
		.xattrs = item->xattrs,
	};
}

void
restore_item_free_xattrs(struct restore_item *item)
{
	free((void *)(uintptr_t)item->xattrs.p);
	item->xattrs = SLICE(NULL, 0);
}

void
restore_item_ref(struct restore_item *item)
{
	atomic_fetch_add(&item->refs, 1);
}

void
restore_item_unref(struct restore_item *item)
{
	while (item != NULL && atomic_fetch_sub(&item->refs, 1) == 1) {
		struct restore_item *parent = item->parent;

		assert(item->fd < 0);
		restore_item_free_xattrs(item);
		free(item);
		item = parent;
	}
}

void
restore_item_path(const struct restore_item *item, struct slice name, struct buf *text)
{
	struct error ignored = ERROR_INIT;
	size_t len = name.n > 0 ? name.n + 1 : 0;

	/* Lengths first, from the entry up to the root or to what is shown at most. */
	const struct restore_item *top = item;
	len += item->name_len;
	while (top->parent != NULL && len + top->parent->name_len + 1 <= PATH_SHOWN_MAX) {
		top = top->parent;
		len += top->name_len + 1u;
	}
	buf_reset(text);
	if (top->parent != NULL && buf_printf(text, &ignored, "…/") < 0)
		return;
	if (buf_reserve(text, len + 1, &ignored) < 0)
		return;

	/* Then filled in from the end. */
	uint8_t *end = text->p + text->n + len;
	*end = '\0';
	text->n += len;
	if (name.n > 0) {
		end -= name.n;
		memcpy(end, name.p, name.n);
		*--end = '/';
	}
	for (const struct restore_item *i = item;; i = i->parent) {
		end -= i->name_len;
		memcpy(end, i->name, i->name_len);
		if (i == top)
			return;
		*--end = '/';
	}
}
