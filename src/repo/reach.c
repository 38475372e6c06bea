/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The walk keeps a stack of folders still to be read; bits are kept beside each segment of the index.
 * A blob that lies in several packs is reached in one that is not marked for removal, if there is such
 * a copy: so that prune may drop the others.
 */
#include "repo/reach.h"

#include <string.h>

#include "base/hex.h"
#include "repo/index.h"
#include "repo/map.h"
#include "repo/tree.h"

struct reach {
	struct repo_index *index;
	struct repo_reader *reader;
	size_t n_segments; /* a writer may have added more since */
	uint8_t *bits[INDEX_SEGMENTS_MAX];
	struct blob_id *stack;
	size_t n, cap;
	uint64_t logical, files;
};

int
reach_new(struct repo *repo, struct repo_index *index, struct reach **ret, struct error *err)
{
	CLEAN(reach_freep) struct reach *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return error_no_memory(err);
	r->index = index;
	r->n_segments = index->n;
	for (size_t i = 0; i < r->n_segments; i++) {
		r->bits[i] = calloc(index->segments[i]->n / 8 + 1, 1);
		if (r->bits[i] == NULL)
			return error_no_memory(err);
	}
	if (repo_reader_open(repo, index, &r->reader, err) < 0)
		return err->code;
	*ret = STEAL_PTR(r);
	return OK;
}

void
reach_free(struct reach *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < INDEX_SEGMENTS_MAX; i++)
		free(r->bits[i]);
	free(r->stack);
	repo_reader_close(r->reader);
	free(r);
}

void
reach_freep(struct reach **r)
{
	reach_free(*r);
}

/* Looks through all copies. 1: was reached before; 0: is now; < 0: there is no such blob. */
static int
mark(struct reach *r, const struct blob_id *id, struct error *err)
{
	size_t best_segment = 0;
	uint64_t best = 0;
	bool found = false, best_visible = false;

	for (size_t i = 0; i < r->n_segments; i++) {
		const struct index_segment *s = r->index->segments[i];

		for (uint64_t k = index_segment_find(s, id); k < s->n; k++) {
			struct blob_id here;
			struct blob_loc loc;

			if (!index_segment_get(s, k, &here, &loc))
				return error_set(err, ERR_CORRUPT, "the cached index is damaged");
			if (!blob_id_equal(&here, id))
				break;
			if ((r->bits[i][k / 8] >> (k % 8)) & 1)
				return 1;
			bool visible = !repo_index_hidden(r->index, &loc.pack);
			if (!found || (visible && !best_visible)) {
				found = true;
				best_segment = i;
				best = k;
				best_visible = visible;
			}
		}
	}
	if (!found) {
		char hex[2 * BLOB_ID_SIZE + 1];

		return error_set(err, ERR_CORRUPT, "blob %.16s… is in no index",
				 hex_encode(id->b, BLOB_ID_SIZE, hex));
	}
	r->bits[best_segment][best / 8] |= (uint8_t)(1u << (best % 8));
	return 0;
}

static int
mark_map_blob(void *arg, const struct blob_id *id, bool meta, struct error *err)
{
	(void)meta;
	return mark(arg, id, err);
}

static int
mark_tree_blob(void *arg, const struct blob_id *id, struct error *err)
{
	int r = mark(arg, id, err);

	return r < 0 ? r : OK;
}

static int
push(struct reach *r, const struct blob_id *id, struct error *err)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 256;
		struct blob_id *stack = reallocarray(r->stack, cap, sizeof(*stack));

		if (stack == NULL)
			return error_no_memory(err);
		r->stack = stack;
		r->cap = cap;
	}
	r->stack[r->n++] = *id;
	return OK;
}

/* Nodes of one folder are gone through twice: maps are read with the same reader as the folder, which
 * is fine since the cursor keeps a copy of its page. */
static int
walk_folder(struct reach *r, const struct blob_id *id, struct error *err)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *c = NULL;
	struct node node;
	int more;
	/* The folder's own id first: reached before means everything below it was, too. */
	int known = mark(r, id, err);

	if (known != 0)
		return known < 0 ? known : OK;
	if (tree_blobs(r->reader, id, mark_tree_blob, r, err) < 0 ||
	    tree_cursor_open(r->reader, id, &c, err) < 0)
		return err->code;
	while ((more = tree_cursor_next(c, &node, err)) == 1) {
		if (node.type == NODE_DIR && push(r, &node.tree, err) < 0)
			return err->code;
		if (node.type != NODE_FILE)
			continue;
		r->files++;
		r->logical += node.size;
		if (map_blobs(r->reader, node.content, node.size, mark_map_blob, r, err) < 0)
			return error_prefix(err, "file '%.*s'", (int)node.name.n, node.name.p);
	}
	return more;
}

int
reach_add_tree(struct reach *r, const struct blob_id *tree, const _Atomic bool *cancelled,
	       struct error *err)
{
	r->n = 0;
	if (push(r, tree, err) < 0)
		return err->code;
	while (r->n > 0) {
		struct blob_id id = r->stack[--r->n];

		if (cancelled != NULL && atomic_load(cancelled))
			return error_set(err, ERR_CANCELLED, "stopped on request");
		if (walk_folder(r, &id, err) < 0)
			return err->code;
	}
	return OK;
}

int
reach_each(struct reach *r, reach_record_fn *each, void *arg, struct error *err)
{
	for (size_t i = 0; i < r->n_segments; i++) {
		const struct index_segment *s = r->index->segments[i];

		for (uint64_t k = 0; k < s->n; k++) {
			struct blob_id id;
			struct blob_loc loc;

			if (!index_segment_get(s, k, &id, &loc))
				return error_set(err, ERR_CORRUPT, "the cached index is damaged");
			if (each(arg, &id, &loc, (r->bits[i][k / 8] >> (k % 8)) & 1, err) < 0)
				return err->code;
		}
		index_segment_trim(s);
	}
	return OK;
}

uint64_t
reach_logical_bytes(const struct reach *r)
{
	return r->logical;
}

uint64_t
reach_files(const struct reach *r)
{
	return r->files;
}
