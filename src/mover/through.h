/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading through snapshots. Everywhere in the mover a path is the live one: so it stands in the
 * repository, in patterns and in warnings. Only where something is opened by a path does it matter that
 * it may lie elsewhere, and that is decided here, by provider/snapshot_map.h:
 *
 *   - a graft's source (a path asked for, a component's folder) is translated before it is opened;
 *   - on the way down, a folder at which the map leads elsewhere (a nested subvolume with a snapshot of
 *     its own; a mounted file system that no snapshot covers) is opened there, and not below its parent,
 *     where it is only an empty folder. Files that are mount points are read as they lie below the mount.
 *
 * Parents of the paths asked for, and a component's tail, are read live.
 */
#ifndef HF_MOVER_THROUGH_H
#define HF_MOVER_THROUGH_H

#include <sys/stat.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "mover/worker.h"

/*
 * Where a live path is read, into `ret`, which is reset; ends in a zero that ret->n does not count.
 * The folders above it may be symbolic links; so may itself, which counts if `follow`.
 */
CHECKED int through_path(const struct snapshot_map *map, const char *path, bool follow,
			 struct buf *ret, struct error *err);

/* Decide where the graft is read: its `real` and `read`. */
CHECKED int through_graft(struct mover *m, struct graft *g, struct error *err);
/* Where it is opened. */
const char *through_source(const struct graft *g);

/* 1: the entry, a folder in a folder, is read at *ret_at, which lives as long as the map; 0: below its
 * parent. */
CHECKED int through_crossing(struct mover_worker *w, struct entry *e, const char **ret_at,
			     struct error *err);
/* A folder was opened: is there any such place below it? */
CHECKED int through_crosses(struct mover_worker *w, struct entry *e, bool *ret, struct error *err);

/* What fstat said of a regular file, as the file it was cloned from has it, if it is a clone: the number
 * and the times by which changes are told. */
void through_stat(const struct mover *m, const struct graft *g, int fd, struct stat *st);
/* The same for a name in a folder. */
void through_stat_at(const struct mover *m, const struct graft *g, int dirfd, const char *name,
		     struct stat *st);

/* The wall clock, for source_racy(): of the moment, if that is what is read. */
uint64_t through_now(const struct mover *m);

#endif
