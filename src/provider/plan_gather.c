/* SPDX-License-Identifier: Apache-2.0 */

/* The facts of a plan: what each path lies on, what is nested below it, which device needs which. */
#include <string.h>
#include <sys/stat.h>

#include "provider/ownfolder.h"
#include "provider/plan.h"
#include "provider/subvolume.h"

enum { CROSSINGS_MAX = 65536 };

static bool
is_below(const char *top, const char *path)
{
	return strcmp(top, path) != 0 && snapshot_map_covers(top, path);
}

/* 0: there is one already. */
static int
add_crossing(struct plan *p, const struct mounts *mounts, const char *path, bool subvolume,
	     uint64_t mount_id, bool hot, struct error *err)
{
	CLEAN(volume_done) struct volume v = {0};
	struct error ignored = ERROR_INIT;
	struct plan_crossing *grown;

	for (size_t i = 0; i < p->n_crossings; i++)
		if (strcmp(p->crossings[i].path, path) == 0) {
			p->crossings[i].hot = p->crossings[i].hot || hot;
			return 0;
		}
	/* Gone, hidden by what was mounted later, or not for us to see: not to be walked into. */
	if (volume_among(mounts, path, &v, &ignored) < 0 || v.mount_id != mount_id)
		return 0;
	if (p->n_crossings >= CROSSINGS_MAX)
		return error_set(err, ERR_LIMIT, "more than %d mounts and subvolumes",
				 CROSSINGS_MAX);
	grown = reallocarray(p->crossings, p->n_crossings + 1, sizeof(*grown));
	if (grown == NULL)
		return error_no_memory(err);
	p->crossings = grown;
	grown[p->n_crossings] = (struct plan_crossing){.path = strdup(path),
						       .subvolume = subvolume,
						       .hot = hot,
						       .volume = v,
						       .member = PLAN_LIVE};
	v = (struct volume){0};
	if (grown[p->n_crossings++].path == NULL)
		return error_no_memory(err);
	return 1;
}

static int
add_mounts(struct plan *p, const struct mounts *mounts, const struct plan_path *path,
	   struct error *err)
{
	for (size_t i = 0; i < mounts->n; i++) {
		const struct mount *m = &mounts->list[i];

		if (is_below(path->volume.real, m->point) && !mounts_is_pseudo(m->type) &&
		    strstr(m->point, "/" OWNFOLDER_NAME "/") == NULL &&
		    add_crossing(p, mounts, m->point, false, m->id, path->hot, err) < 0)
			return err->code;
	}
	return OK;
}

struct gathering {
	struct plan *plan;
	const struct mounts *mounts;
};

/* A subvolume that is seen there: is it below a path? */
static int
add_subvolume(const struct mount *m, const char *at, void *arg, struct error *err)
{
	const struct gathering *g = arg;
	struct plan *p = g->plan;

	/* Snapshots of ours, which are left out of backups. */
	if (strstr(at, "/" OWNFOLDER_NAME "/") != NULL)
		return OK;
	for (size_t i = 0; i < p->n_paths; i++)
		if (is_below(p->paths[i].volume.real, at) &&
		    add_crossing(p, g->mounts, at, true, m->id, p->paths[i].hot, err) < 0)
			return err->code;
	return OK;
}

static int
gather_crossings(struct plan *p, const struct mounts *mounts, struct error *err)
{
	struct gathering g = {.plan = p, .mounts = mounts};

	for (size_t i = 0; i < p->n_paths; i++)
		if (p->paths[i].volume.directory && add_mounts(p, mounts, &p->paths[i], err) < 0)
			return err->code;
	for (size_t i = 0; i < mounts->n; i++) {
		const struct mount *m = &mounts->list[i];
		bool wanted = false;

		/* Of paths, and of mounts below paths. */
		for (size_t j = 0; j < p->n_paths; j++)
			wanted = wanted || p->paths[j].volume.mount_id == m->id;
		for (size_t j = 0; j < p->n_crossings; j++)
			wanted = wanted || p->crossings[j].volume.mount_id == m->id;
		if (wanted && strcmp(m->type, "btrfs") == 0 &&
		    subvolume_each_at_mount(m, add_subvolume, &g, err) < 0)
			return err->code;
	}
	return OK;
}

static uint64_t
device_of(const struct volume *v)
{
	return v->block_device != 0 ? v->block_device : v->device;
}

static int
gather_order(struct plan *p, const struct mounts *mounts, struct error *err)
{
	CLEAN(free_ptr)
	uint64_t *devices = calloc(p->n_paths + p->n_crossings + 1, sizeof(*devices));
	size_t n = 0;

	if (devices == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < p->n_paths; i++)
		devices[n++] = device_of(&p->paths[i].volume);
	for (size_t i = 0; i < p->n_crossings; i++)
		devices[n++] = device_of(&p->crossings[i].volume);
	return order_facts_gather(mounts, devices, n, &p->order, err);
}

int
plan_gather(const struct plan_request *request, struct plan *ret, struct error *err)
{
	CLEAN(plan_done) struct plan p = {0};
	CLEAN(mounts_done) struct mounts mounts = {0};

	if (mounts_read(&mounts, err) < 0)
		return err->code;
	p.paths = calloc(MAX(request->n, (size_t)1), sizeof(*p.paths));
	if (p.paths == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < request->n; i++) {
		struct plan_path *path = &p.paths[p.n_paths++];

		path->hot = request->wanted[i].hot;
		path->member = PLAN_LIVE;
		path->path = strdup(request->wanted[i].path);
		if (path->path == NULL)
			return error_no_memory(err);
		if (volume_among(&mounts, path->path, &path->volume, err) < 0)
			return err->code;
	}
	if ((!request->one_file_system && gather_crossings(&p, &mounts, err) < 0) ||
	    gather_order(&p, &mounts, err) < 0)
		return err->code;
	*ret = p;
	p = (struct plan){0};
	return OK;
}
