/* SPDX-License-Identifier: Apache-2.0 */

/* From a plan and its exposed snapshots to where everything is read. */
#include <stdio.h>
#include <string.h>

#include "provider/plan.h"

/* What of a volume's path is below its source. */
static const char *
rest_of(const struct volume *v, const char *source)
{
	/* The whole file system is what was snapshotted, wherever the path sees it. */
	if (v->top != NULL && v->inner != NULL && strcmp(source, v->top) == 0)
		return v->inner;
	return snapshot_map_covers(source, v->real)
		       ? v->real + (strcmp(source, "/") == 0 ? 0 : strlen(source))
		       : NULL;
}

static int
place_of(const struct plan *p, const struct snapshot *snapshots, size_t n, const struct volume *v,
	 int member, char **ret, struct error *err)
{
	const char *rest;

	if (member < 0 || (size_t)member >= n) {
		*ret = strdup(v->real);
		return *ret != NULL ? OK : (int)error_no_memory(err);
	}
	rest = rest_of(v, p->members[member].source);
	if (rest == NULL || snapshots[member].exposed[0] != '/')
		return error_set(err, ERR_INTERNAL, "'%s' is not in the snapshot of '%s'", v->real,
				 p->members[member].source);
	if (asprintf(ret, "%s%s", snapshots[member].exposed, strcmp(rest, "/") == 0 ? "" : rest) <
	    0)
		return error_no_memory(err);
	return OK;
}

static int
add_path(const struct plan *p, const struct snapshot *snapshots, size_t n,
	 const struct plan_path *path, struct snapshot_map *m, struct error *err)
{
	CLEAN(free_ptr) char *at = NULL;

	if (place_of(p, snapshots, n, &path->volume, path->member, &at, err) < 0)
		return err->code;
	/* Read live, it is read by the name it was given by. */
	return snapshot_map_add(m, path->path, path->member < 0 || n == 0 ? path->path : at, err);
}

/* By each path that leads to it: a path may have symbolic links in it, a crossing has none. */
static int
add_crossing(const struct plan *p, const struct snapshot *snapshots, size_t n,
	     const struct plan_crossing *x, struct snapshot_map *m, struct error *err)
{
	CLEAN(free_ptr) char *at = NULL;

	if (place_of(p, snapshots, n, &x->volume, x->member, &at, err) < 0)
		return err->code;
	for (size_t i = 0; i < p->n_paths; i++) {
		CLEAN(free_ptr) char *live = NULL;
		const struct plan_path *path = &p->paths[i];
		const char *real = path->volume.real;
		size_t skip = strcmp(real, "/") == 0 ? 0 : strlen(real);

		if (!snapshot_map_covers(real, x->path) || strcmp(real, x->path) == 0)
			continue;
		if (asprintf(&live, "%s%s", strcmp(path->path, "/") == 0 ? "" : path->path,
			     x->path + skip) < 0)
			return error_no_memory(err);
		if (snapshot_map_add(m, live, at, err) < 0)
			return err->code;
	}
	return OK;
}

int
plan_map(const struct plan *p, const struct snapshot *snapshots, size_t n, struct snapshot_map *ret,
	 struct error *err)
{
	CLEAN(snapshot_map_done) struct snapshot_map m = SNAPSHOT_MAP_INIT;

	for (size_t i = 0; i < p->n_crossings; i++)
		if (add_crossing(p, snapshots, n, &p->crossings[i], &m, err) < 0)
			return err->code;
	for (size_t i = 0; i < p->n_paths; i++)
		if (add_path(p, snapshots, n, &p->paths[i], &m, err) < 0)
			return err->code;
	*ret = m;
	m = SNAPSHOT_MAP_INIT;
	return OK;
}
