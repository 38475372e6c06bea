/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is left out: by the user's patterns (folders of the host), by the writer's (a component), and
 * because something else belongs in its place (relocated folders of a component). The user's
 * patterns do not reach into components: a database without some of its files is none.
 */
#include <fnmatch.h>
#include <string.h>

#include "mover/scan.h"

static bool
needs_path(const struct mover *m, const struct graft *g)
{
	if (g->component != NULL)
		return true;
	if (!g->asked)
		return false;
	for (size_t i = 0; i < m->options.n_exclude; i++) {
		if (strchr(m->options.exclude[i], '/') != NULL)
			return true;
	}
	return false;
}

/* The folder's path once for all its entries, to which each name is added in turn. */
int
scan_filter_begin(struct mover_worker *w, struct folder *folder, size_t *ret_prefix,
		  struct error *err)
{
	struct graft *g = folder->graft;

	*ret_prefix = 0;
	buf_reset(&w->scratch);
	if (!needs_path(w->mover, g))
		return OK;
	if (folder_entry_path(folder->entry,
			      g->component != NULL ? FOLDER_PATH_AT : FOLDER_PATH_SOURCE,
			      &w->scratch, err) < 0)
		return err->code;
	if (w->scratch.n > 0 && w->scratch.p[w->scratch.n - 1] != '/' &&
	    buf_u8(&w->scratch, '/', err) < 0)
		return err->code;
	*ret_prefix = w->scratch.n;
	return OK;
}

static bool
user_excludes(const struct mover_options *o, const char *path, const char *name)
{
	for (size_t i = 0; i < o->n_exclude; i++) {
		const char *p = o->exclude[i];

		if (fnmatch(p, strchr(p, '/') != NULL ? path : name, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

static bool
is_replaced(const struct mover *m, const struct graft *own, const char *at)
{
	for (const struct graft *g = m->grafts; g != NULL; g = g->next) {
		if (g != own && strcmp(g->at, at) == 0)
			return true;
	}
	return false;
}

int
scan_filter(struct mover_worker *w, struct entry *e, size_t prefix, bool *ret_wanted,
	    struct error *err)
{
	const struct mover *m = w->mover;
	const struct graft *g = e->folder->graft;
	const char *name = (const char *)e->node.name.p, *path;

	if (!needs_path(m, g)) {
		*ret_wanted = !g->asked || !user_excludes(&m->options, name, name);
		return OK;
	}
	w->scratch.n = prefix;
	if (buf_append(&w->scratch, name, e->node.name.n + 1, err) < 0)
		return err->code;
	path = (const char *)w->scratch.p;
	if (g->asked) {
		*ret_wanted = !user_excludes(&m->options, path, name);
		return OK;
	}
	*ret_wanted = !component_excludes(g->component, path) && !is_replaced(m, g, path);
	if (component_is_last(g->component, path))
		e->flags |= ENTRY_LAST;
	if (component_is_paged(g->component, path))
		e->flags |= ENTRY_PAGED;
	return OK;
}
