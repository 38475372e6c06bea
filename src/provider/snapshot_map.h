/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where live paths are read while a snapshot set is held: each entry says that what lies live at
 * `live` and below is read at `at`. The longest entry counts, so an entry that leads to itself is an
 * island of live files within a snapshot: a mounted file system that no snapshot covers appears as an
 * empty folder there.
 *
 *	/srv                  ->  /srv/.holdfast/SET-0
 *	/srv/nested           ->  /srv/nested/.holdfast/SET-1       (a nested subvolume)
 *	/srv/mnt              ->  /srv/mnt                          (no snapshot)
 *
 * Whoever walks a tree from its top therefore looks at the entries below it: at each of them the walk
 * goes on elsewhere. Filled by one thread, then only read, by any.
 */
#ifndef HF_PROVIDER_SNAPSHOT_MAP_H
#define HF_PROVIDER_SNAPSHOT_MAP_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "provider/snapshot.h"

struct snapshot_map_entry {
	char *live; /* absolute, without a slash at its end unless it is "/" */
	char *at;
};

struct snapshot_map {
	size_t n;
	struct snapshot_map_entry *entries; /* sorted by live: what is above comes first */
};

#define SNAPSHOT_MAP_INIT ((struct snapshot_map){0})

void snapshot_map_done(struct snapshot_map *m);
/* Both absolute. An entry for a path that has one replaces it. */
CHECKED int snapshot_map_add(struct snapshot_map *m, const char *live, const char *at,
			     struct error *err);
/* The entry a path is read by, NULL if by none: then it is read where it is. */
const struct snapshot_map_entry *snapshot_map_find(const struct snapshot_map *m, const char *path);
/* The path to read, appended to b and terminated by a zero that b->n does not count. */
CHECKED int snapshot_map_translate(const struct snapshot_map *m, const char *path, struct buf *b,
				   struct error *err);
/* The n-th entry from 0 that lies below the path (not at it), NULL past the last. */
const struct snapshot_map_entry *snapshot_map_below(const struct snapshot_map *m, const char *path,
						    size_t n);
/* Whether `path` is `top` or lies below it, by its text. */
bool snapshot_map_covers(const char *top, const char *path);

#endif
