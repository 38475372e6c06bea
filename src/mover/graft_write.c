/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Attaching: each graft becomes an entry of the folder above its place, in front of what that folder
 * may have there by itself (the symbolic link of a tablespace). Folders that are missing on the way are
 * made. A folder that was scanned, but not held, is written already; nothing can be put there.
 */
#include <stdio.h>
#include <string.h>

#include "mover/graft.h"

/* "a/b" is on the way to "a/b/c". */
static bool
is_above(const char *at, const char *below)
{
	size_t n = strlen(at);

	return strncmp(at, below, n) == 0 && below[n] == '/';
}

int
graft_holds(struct mover_worker *w, struct entry *e, bool *ret_held, struct error *err)
{
	struct mover *m = w->mover;
	const char *at;

	*ret_held = false;
	if (!m->component_open || folder_entry_graft(e)->component == NULL)
		return OK;
	if (folder_entry_path(e, FOLDER_PATH_AT, &w->path, err) < 0)
		return err->code;
	at = (const char *)w->path.p;
	*ret_held = strchr(at, '/') == NULL;
	for (const struct graft *g = m->grafts; g != NULL && !*ret_held; g = g->next)
		*ret_held = is_above(at, g->at);
	return OK;
}

static struct entry *
find_entry(struct folder *folder, struct slice name)
{
	size_t from = 0, to = folder->n_window;

	for (size_t i = 0; i < folder->n_extra; i++) {
		if (folder_name_order(folder->extra[i]->node.name, name) == 0)
			return folder->extra[i];
	}
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = folder_name_order(folder->window[middle].node.name, name);

		if (order == 0)
			return &folder->window[middle];
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

static int
attach_to(struct folder *folder, struct graft *g, struct error *err)
{
	struct entry **extra = reallocarray(folder->extra, folder->n_extra + 1, sizeof(*extra));
	size_t i;

	if (extra == NULL)
		return error_no_memory(err);
	folder->extra = extra;
	for (i = folder->n_extra; i > 0; i--) {
		int order = folder_name_order(extra[i - 1]->node.name, g->entry.node.name);

		if (order == 0)
			return error_set(err, ERR_PROTOCOL, "two things are to be put at '%s'",
					 g->at);
		if (order < 0)
			break;
	}
	memmove(extra + i + 1, extra + i, (folder->n_extra - i) * sizeof(*extra));
	extra[i] = &g->entry;
	folder->n_extra++;
	g->attached = true;
	return OK;
}

/* A folder that nothing was scanned for: at is its place. */
static int
make_on_the_way(struct mover *m, struct folder *parent, const char *at, struct folder **ret,
		struct error *err)
{
	CLEAN(free_ptr) char *source = NULL;
	struct graft *g;

	if (m->grafts->asked && asprintf(&source, "/%s", at) < 0) {
		source = NULL;
		return error_no_memory(err);
	}
	if (graft_new(m, at, source, &g, err) < 0 || graft_make_folder(m, g, err) < 0 ||
	    attach_to(parent, g, err) < 0)
		return err->code;
	*ret = g->entry.held;
	return OK;
}

static int
attach(struct mover *m, struct graft *g, struct error *err)
{
	struct folder *folder = m->grafts->entry.held;
	CLEAN(free_ptr) char *at = strdup(g->at);
	char *name = at, *slash;

	if (at == NULL)
		return error_no_memory(err);
	for (; (slash = strchr(name, '/')) != NULL; name = slash + 1) {
		struct entry *e = find_entry(folder, SLICE(name, slash - name));

		*slash = '\0';
		if (e != NULL && e->node.type == NODE_DIR && e->held == NULL)
			return error_set(err, ERR_PROTOCOL,
					 "'%s' lies in a folder that was backed up already", g->at);
		if (e != NULL && e->node.type == NODE_DIR)
			folder = e->held;
		else if (make_on_the_way(m, folder, at, &folder, err) < 0)
			return err->code;
		*slash = '/';
	}
	return attach_to(folder, g, err);
}

static size_t
levels(const char *at)
{
	size_t n = 1;

	for (; *at != '\0'; at++)
		n += *at == '/';
	return n;
}

/* From the top downwards, since one may lie in another. */
static int
attach_all(struct mover *m, struct error *err)
{
	size_t deepest = 0;

	for (struct graft *g = m->grafts->next; g != NULL; g = g->next)
		deepest = MAX(deepest, levels(g->at));
	for (size_t level = 1; level <= deepest; level++) {
		for (struct graft *g = m->grafts->next; g != NULL; g = g->next) {
			if (!g->attached && g->entry.node.type != 0 && levels(g->at) == level &&
			    attach(m, g, err) < 0)
				return err->code;
		}
	}
	return OK;
}

/* Held folders, the inner ones first. Only as deep as places are that somebody named. */
static int
write_held(struct mover *m, struct entry *e, struct error *err)
{
	struct folder *folder = e->held;

	for (size_t i = 0; i < folder->n_window; i++) {
		if (folder->window[i].held != NULL && write_held(m, &folder->window[i], err) < 0)
			return err->code;
	}
	for (size_t i = 0; i < folder->n_extra; i++) {
		if (folder->extra[i]->held != NULL && write_held(m, folder->extra[i], err) < 0)
			return err->code;
	}
	if (folder_write_held(&m->workers[0], folder, &e->node.tree, err) < 0)
		return err->code;
	folder_free(&m->fds, folder);
	e->held = NULL;
	return OK;
}

static int
write_all(struct mover *m, struct blob_id *ret_tree, struct error *err)
{
	struct entry *top = &m->grafts->entry;

	/* A single path "/" is scanned and written like any folder. */
	if (top->held != NULL && (attach_all(m, err) < 0 || write_held(m, top, err) < 0))
		return err->code;
	*ret_tree = top->node.tree;
	return OK;
}

int
graft_write(struct mover *m, struct blob_id *ret_tree, struct error *err)
{
	int r = write_all(m, ret_tree, err);

	graft_drop_all(m);
	return r;
}
