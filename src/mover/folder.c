/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Entries, and the way from a finished entry to a written folder. Whoever brings a folder's count of
 * pending entries to zero owns the folder from then on, whichever thread that is; the count's release
 * and acquire hand over what the others wrote into their entries.
 */
#include "mover/folder.h"

#include <string.h>

#include "mover/worker.h"

struct graft *
folder_entry_graft(struct entry *e)
{
	return e->folder != NULL ? e->folder->graft : CONTAINER_OF(e, struct graft, entry);
}

static void
free_slice(struct slice *owned)
{
	union {
		const uint8_t *shown;
		uint8_t *own;
	} p = {.shown = owned->p};

	free(p.own);
	*owned = SLICE(NULL, 0);
}

int
folder_entry_copy(struct slice *owned, struct slice from, struct error *err)
{
	uint8_t *copy = NULL;

	if (from.n > 0) {
		copy = malloc(from.n);
		if (copy == NULL)
			return error_no_memory(err);
		memcpy(copy, from.p, from.n);
	}
	free_slice(owned);
	*owned = SLICE(copy, from.n);
	return OK;
}

void
folder_entry_done(struct entry *e)
{
	free_slice(&e->node.xattrs);
	free_slice(&e->node.target);
	free_slice(&e->node.content);
	free(e->past);
	e->past = NULL;
}

/* The names above an entry, from the inside outwards, written from the end of the room. */
static size_t
path_length(const struct entry *e)
{
	size_t n = 0;

	for (; e->folder != NULL; e = e->folder->entry)
		n += e->node.name.n + 1;
	return n;
}

int
folder_entry_path(struct entry *e, enum folder_path kind, struct buf *path, struct error *err)
{
	const struct graft *g = folder_entry_graft(e);
	const char *base = kind == FOLDER_PATH_AT || g->source == NULL ? g->at
			   : kind == FOLDER_PATH_REAL                  ? g->real
								       : g->source;
	size_t n_base = strlen(base), n_rest = path_length(e);

	/* "/" and "" are followed by a name, anything else by a slash: each name brings one. */
	if (n_rest > 0 && n_base > 0 && base[n_base - 1] == '/')
		n_base--;
	bool bare = n_rest > 0 && n_base == 0 && base[0] == '\0';
	buf_reset(path);
	if (buf_reserve(path, n_base + n_rest + 1, err) < 0)
		return err->code;
	memcpy(path->p, base, n_base);
	uint8_t *end = path->p + n_base + n_rest - bare;
	path->n = (size_t)(end - path->p);
	*end = '\0';
	for (; e->folder != NULL; e = e->folder->entry) {
		end -= e->node.name.n;
		memcpy(end, e->node.name.p, e->node.name.n);
		if (end > path->p)
			*--end = '/';
	}
	return OK;
}

int
folder_new(struct folder_fds *f, struct entry *entry, int fd, struct folder **ret,
	   struct error *err)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (folder == NULL) {
		fd_close(&fd);
		return error_no_memory(err);
	}
	folder->entry = entry;
	folder->parent = entry->folder;
	folder->graft = folder_entry_graft(entry);
	folder->depth = folder->parent != NULL ? folder->parent->depth + 1 : 0;
	folder->dev = entry->node.dev;
	folder->ino = entry->node.ino;
	folder->fd = -1;
	folder->names = BUF_INIT(UINT32_MAX);
	folder_adopt(f, folder, fd);
	*ret = folder;
	return OK;
}

static void
drop_window(struct folder *folder)
{
	for (size_t i = 0; i < folder->n_window; i++)
		folder_entry_done(&folder->window[i]);
	free(folder->window);
	folder->window = NULL;
	folder->n_window = 0;
}

void
folder_free(struct folder_fds *f, struct folder *folder)
{
	if (folder == NULL)
		return;
	folder_abandon(f, folder);
	drop_window(folder);
	tree_cursor_close(folder->cursor);
	tree_builder_free(folder->builder);
	buf_done(&folder->names);
	free(folder->refs);
	free(folder->extra);
	free(folder);
}

static int
add_node(struct folder *folder, struct entry *e, struct error *err)
{
	if (e->node.type == 0)
		return OK;
	if (e->flags & ENTRY_RACY)
		e->node.ctime_ns = 0;
	return tree_builder_add(folder->builder, &e->node, err);
}

/* The window's nodes, and among them those that were attached, which go before. */
static int
write_window(struct mover_worker *w, struct folder *folder, struct error *err)
{
	size_t i = 0, k = 0;

	if (folder->builder == NULL) {
		if (tree_builder_new(w->sink, &folder->builder, err) < 0)
			return err->code;
	} else {
		tree_builder_use(folder->builder, w->sink);
	}
	while (i < folder->n_window || k < folder->n_extra) {
		int order = i == folder->n_window  ? 1
			    : k == folder->n_extra ? -1
						   : folder_name_order(folder->window[i].node.name,
								       folder->extra[k]->node.name);
		struct entry *e = order < 0 ? &folder->window[i] : folder->extra[k];

		if (add_node(folder, e, err) < 0)
			return err->code;
		i += order <= 0;
		k += order >= 0;
	}
	drop_window(folder);
	return OK;
}

int
folder_write_held(struct mover_worker *w, struct folder *folder, struct blob_id *ret_id,
		  struct error *err)
{
	if (write_window(w, folder, err) < 0)
		return err->code;
	return tree_builder_finish(folder->builder, ret_id, err);
}

int
folder_release(struct mover_worker *w, struct folder *folder, size_t n, struct error *err)
{
	while (folder != NULL) {
		struct folder *parent = folder->parent;

		if (atomic_fetch_sub_explicit(&folder->pending, n, memory_order_acq_rel) != n ||
		    folder->held)
			return OK;
		if (write_window(w, folder, err) < 0)
			return err->code;
		if (folder->taken < folder->n_refs) {
			jobs_push(w->mover->jobs, &folder->job);
			return OK;
		}
		if (tree_builder_finish(folder->builder, &folder->entry->node.tree, err) < 0)
			return err->code;
		folder_free(&w->mover->fds, folder);
		folder = parent;
		n = 1;
	}
	return OK;
}
