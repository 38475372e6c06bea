/* SPDX-License-Identifier: Apache-2.0 */

/* From live paths to where they are read. */
#include "mover/through.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "mover/source.h"
#include "provider/origin.h"
#include "provider/snapshot_map.h"

enum { THROUGH_PATH_MAX = 1 << 20 };

/* The map knows real paths. What has been removed since the moment is taken by its text: it may well be
 * in the snapshot. */
static int
real_path(const char *path, bool follow, struct buf *ret, struct error *err)
{
	const char *slash = strrchr(path, '/');
	CLEAN(free_ptr) char *above = NULL;
	CLEAN(free_ptr) char *real = NULL;

	if (follow || slash == path) {
		real = realpath(path, NULL);
		if (real == NULL || (!follow && strcmp(real, "/") != 0))
			return buf_printf(ret, err, "%s", path);
		return buf_printf(ret, err, "%s", real);
	}
	above = strndup(path, (size_t)(slash - path));
	if (above == NULL)
		return error_no_memory(err);
	real = realpath(above, NULL);
	if (real == NULL)
		return buf_printf(ret, err, "%s", path);
	return buf_printf(ret, err, "%s%s", strcmp(real, "/") == 0 ? "" : real, slash);
}

int
through_path(const struct snapshot_map *map, const char *path, bool follow, struct buf *ret,
	     struct error *err)
{
	CLEAN(buf_done) struct buf real = BUF_INIT(THROUGH_PATH_MAX);

	buf_reset(ret);
	if (map == NULL)
		return buf_printf(ret, err, "%s", path);
	if (real_path(path, follow, &real, err) < 0)
		return err->code;
	return snapshot_map_translate(map, (const char *)real.p, ret, err);
}

int
through_graft(struct mover *m, struct graft *g, struct error *err)
{
	CLEAN(buf_done) struct buf real = BUF_INIT(THROUGH_PATH_MAX);
	CLEAN(buf_done) struct buf read = BUF_INIT(THROUGH_PATH_MAX);
	const struct snapshot_map *map = m->options.map;

	if (map == NULL || g->source == NULL || g->live)
		return OK;
	if (real_path(g->source, !g->asked, &real, err) < 0 ||
	    snapshot_map_translate(map, (const char *)real.p, &read, err) < 0)
		return err->code;
	g->real = strdup((const char *)real.p);
	g->read = strdup((const char *)read.p);
	return g->real != NULL && g->read != NULL ? OK : (int)error_no_memory(err);
}

const char *
through_source(const struct graft *g)
{
	return g->read != NULL ? g->read : g->source;
}

int
through_crossing(struct mover_worker *w, struct entry *e, const char **ret_at, struct error *err)
{
	const struct snapshot_map_entry *at;
	const char *path;

	if (!e->folder->crosses)
		return 0;
	if (folder_entry_path(e, FOLDER_PATH_REAL, &w->path, err) < 0)
		return err->code;
	path = (const char *)w->path.p;
	at = snapshot_map_find(w->mover->options.map, path);
	if (at == NULL || strcmp(at->live, path) != 0)
		return 0;
	*ret_at = at->at;
	return 1;
}

int
through_crosses(struct mover_worker *w, struct entry *e, bool *ret, struct error *err)
{
	const struct graft *g = folder_entry_graft(e);

	*ret = false;
	if (g->real == NULL || (e->folder != NULL && !e->folder->crosses))
		return OK;
	if (folder_entry_path(e, FOLDER_PATH_REAL, &w->path, err) < 0)
		return err->code;
	*ret = snapshot_map_below(w->mover->options.map, (const char *)w->path.p, 0) != NULL;
	return OK;
}

void
through_stat(const struct mover *m, const struct graft *g, int fd, struct stat *st)
{
	struct provider_origin o;

	if (!m->options.clones || g->read == NULL || !S_ISREG(st->st_mode) ||
	    !provider_origin_read(fd, &o))
		return;
	st->st_ino = o.inode;
	st->st_ctim.tv_sec = (time_t)(o.ctime_ns / NS_PER_S);
	st->st_ctim.tv_nsec = (long)(o.ctime_ns % NS_PER_S);
}

void
through_stat_at(const struct mover *m, const struct graft *g, int dirfd, const char *name,
		struct stat *st)
{
	CLEAN(fd_close) int fd = -1;

	if (!m->options.clones || g->read == NULL || !S_ISREG(st->st_mode))
		return;
	fd = source_openat(m, dirfd, name, st->st_uid, O_RDONLY);
	if (fd >= 0)
		through_stat(m, g, fd, st);
}

uint64_t
through_now(const struct mover *m)
{
	uint64_t now_ns = clock_wall_ns();

	return m->options.map != NULL ? MIN(now_ns, m->options.moment_ns) : now_ns;
}
