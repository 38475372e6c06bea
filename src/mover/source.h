/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One regular file of the host: opened below its folder without following anything, looked at again
 * through the descriptor, and once more after it was read.
 */
#ifndef HF_MOVER_SOURCE_H
#define HF_MOVER_SOURCE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/base.h"
#include "mover/worker.h"

/* openat(2) with O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK and, where the owner `uid` allows it, without
 * leaving an access time. -1 and errno. */
int source_openat(const struct mover *m, int dirfd, const char *name, uint32_t uid, int flags);

/*
 * Open an entry that was a regular file when the folder was read, and fill its node anew from the
 * descriptor; extended attributes are read unless they are known. dirfd: its folder (not used for a
 * graft). 1: *ret_fd; 0: it is left out, which was said.
 */
CHECKED int source_open(struct mover_worker *w, int dirfd, struct entry *e, int *ret_fd,
			struct stat *ret_st, struct error *err);

/* Read the extended attributes of an opened file or folder into the node. What cannot be kept is a
 * warning. */
CHECKED int source_xattrs(struct mover_worker *w, struct entry *e, int fd, bool opath,
			  struct error *err);

/* A change from now on cannot be told by its times: they may come out the same. `now_ns` (wall clock)
 * is from before the file was looked at. */
bool source_racy(const struct node *node, uint64_t now_ns);

/*
 * Everything was read, `size` bytes of it: see whether the file stayed the same meanwhile, set the
 * node's size and flags, and count it. content is set already.
 */
CHECKED int source_finish(struct mover_worker *w, struct entry *e, int fd, uint64_t size,
			  struct error *err);

/* May it have holes worth keeping? Cheap; only SEEK_DATA knows where. */
static inline bool
source_sparse(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512 + 4096 <= (uint64_t)st->st_size;
}

/* It could not be read, which was told: count it as done all the same. */
void source_left_out(struct mover_worker *w, const struct entry *e);

/* The content of another name of the same inode, if it was read before. 1: taken over, and counted. */
CHECKED int source_linked(struct mover_worker *w, struct entry *e, struct error *err);

#endif
