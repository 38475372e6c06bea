/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Folders of this host. The tree's top stands for "/"; each path that was asked for is a graft at its
 * place, and what lies between is made of the parents' own attributes.
 */
#include <string.h>

#include "mover/backup.h"
#include "mover/graft.h"
#include "mover/run.h"
#include "mover/worker.h"

/* Does `path` lie in `folder`, or is it that folder? */
static bool
is_within(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	if (strcmp(folder, "/") == 0)
		return true;
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Is it backed up with another of the paths anyhow? Of equal ones the first counts. */
static bool
is_covered(const char *const *paths, size_t n, size_t i)
{
	for (size_t k = 0; k < n; k++) {
		if (k != i && is_within(paths[i], paths[k]) &&
		    (k < i || strcmp(paths[i], paths[k]) != 0))
			return true;
	}
	return false;
}

/* Absolute, no empty, "." or ".." parts. */
static bool
is_normal(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == '\0')
		return true;
	for (const char *at = path; *at == '/';) {
		size_t n = strcspn(++at, "/");

		if (n == 0 || (n == 1 && at[0] == '.') || (n == 2 && memcmp(at, "..", 2) == 0))
			return false;
		at += n;
	}
	return true;
}

static int
start_paths(struct mover *m, const char *const *paths, size_t n, struct error *err)
{
	struct graft *g;

	if (graft_new(m, "", "/", &g, err) < 0)
		return err->code;
	g->asked = true;
	for (size_t i = 0; i < n; i++) {
		if (!is_normal(paths[i]))
			return error_set(err, ERR_USAGE, "'%s' is not an absolute, normalised path",
					 paths[i]);
		if (is_covered(paths, n, i))
			continue;
		if (strcmp(paths[i], "/") == 0)
			return graft_start(m, m->grafts, err);
	}
	if (graft_make_folder(m, m->grafts, err) < 0)
		return err->code;
	for (size_t i = 0; i < n; i++) {
		if (is_covered(paths, n, i))
			continue;
		if (graft_new(m, paths[i] + 1, paths[i], &g, err) < 0)
			return err->code;
		g->asked = true;
		if (graft_start(m, g, err) < 0)
			return err->code;
	}
	return OK;
}

/* Was anything of what was asked for there? */
static bool
has_any(const struct mover *m)
{
	if (m->grafts->entry.held == NULL)
		return m->grafts->entry.node.type != 0;
	for (const struct graft *g = m->grafts->next; g != NULL; g = g->next) {
		if (g->entry.node.type != 0)
			return true;
	}
	return false;
}

static int
backup_paths(struct mover *m, const char *const *paths, size_t n, struct blob_id *ret_tree,
	     struct error *err)
{
	if (start_paths(m, paths, n, err) < 0 || run_jobs(m, err) < 0)
		return err->code;
	if (!has_any(m)) {
		(void)error_set(err, ERR_SOURCE,
				n == 1 ? "'%s' cannot be read" : "nothing of '%s' ... can be read",
				paths[0]);
		return err->code;
	}
	return graft_write(m, ret_tree, err);
}

int
mover_backup_paths(struct mover *m, const char *const *paths, size_t n,
		   const struct blob_id *previous, struct blob_id *ret_tree, struct error *err)
{
	if (run_check(m, err) < 0)
		return err->code;
	if (m->component_open || n == 0)
		return error_set(err, ERR_BAD_STATE,
				 n == 0 ? "no path to back up" : "a component is being backed up");
	m->previous = previous != NULL ? *previous : (struct blob_id){0};
	m->broken = true; /* until it went well */
	if (backup_paths(m, paths, n, ret_tree, err) < 0)
		return err->code;
	m->broken = false;
	return OK;
}
