/* SPDX-License-Identifier: Apache-2.0 */

/*
 * btrfs subvolumes: separate trees of files within one file system. The top of one is a folder with
 * inode number 256; a snapshot copies exactly one subvolume, and others that hang below it show up
 * in it as empty folders.
 */
#ifndef HF_PROVIDER_SUBVOLUME_H
#define HF_PROVIDER_SUBVOLUME_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "provider/mounts.h"

/* Whether this open folder is the top of a subvolume. */
bool subvolume_is_top(int fd);
bool subvolume_is_read_only(int fd);
/* The id of the subvolume that the open file is in, 0 if there is none to be had. */
uint64_t subvolume_id(int fd);

/*
 * The top of the subvolume that `real` is in, a path without symbolic links in its folders: *ret is
 * NULL if the mount shows only a part of that subvolume.
 */
CHECKED int subvolume_top(const char *real, char **ret, bool *ret_read_only, struct error *err);

struct subvolume {
	uint64_t id;
	uint64_t parent; /* id of the one it hangs in */
	char *path; /* from the top of the whole file system, without a slash in front */
};

struct subvolume_list {
	size_t n;
	struct subvolume *list;
};

/* All of the file system that the open file is on, ours too. Root only: ERR_PERMISSION. */
CHECKED int subvolume_list_read(int fd, struct subvolume_list *ret, struct error *err);
void subvolume_list_done(struct subvolume_list *l);

/* Where this subvolume can be seen through this mount: the path, NULL if it is not there. *ret is
 * to be freed. */
CHECKED int subvolume_at_mount(const struct subvolume *s, const struct mount *m, char **ret,
			       struct error *err);

/* Each that can be seen through this mount, with its path there; an error ends it. Who may not list them sees
 * none. */
typedef int subvolume_seen_fn(const struct mount *m, const char *path, void *arg,
			      struct error *err);
CHECKED int subvolume_each_at_mount(const struct mount *m, subvolume_seen_fn *seen, void *arg,
				    struct error *err);

#endif
