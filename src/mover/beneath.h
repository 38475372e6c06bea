/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Work below a folder without ever leaving it: every call takes the descriptor of a folder and the
 * name of one entry in it, and follows nothing. Longer paths are walked entry by entry by holding
 * descriptors, so that no path is too long and nobody can swap a folder for a link on the way.
 *
 * Opening goes through openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS). On a
 * kernel without it openat(O_NOFOLLOW) takes its place, which for a single name is as safe.
 *
 * Names must satisfy beneath_name_valid(); the calls assert it. Failures of the file system are
 * ERR_TARGET where the administrator can do something (full, read-only, permission), else ERR_IO,
 * with errno in err->sys.
 */
#ifndef HF_MOVER_BENEATH_H
#define HF_MOVER_BENEATH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/base.h"
#include "base/error.h"

enum { BENEATH_NAME_MAX = 255 };

/* One entry's name: 1 .. 255 bytes, no '/' and no zero, neither "." nor "..". */
bool beneath_name_valid(struct slice name);

/* As openat(2), with its result and errno, for one name; O_NOFOLLOW and O_CLOEXEC are implied. */
CHECKED int beneath_open(int dirfd, const char *name, int flags, mode_t mode);

/* What is there? 1: *ret_fd (O_PATH) and *ret_st are of the entry itself; 0: nothing. */
CHECKED int beneath_look(int dirfd, const char *name, int *ret_fd, struct stat *ret_st,
			 struct error *err);

/* Open a folder for reading. 0: there is no entry of that name, or it is not a folder. A folder of
 * ours that we may not enter or change is first made 0700. */
CHECKED int beneath_open_dir(int dirfd, const char *name, int *ret_fd, struct stat *ret_st,
			     struct error *err);

/* Create a folder (0700) and open it; ERR_EXISTS if there is an entry of that name. */
CHECKED int beneath_make_dir(int dirfd, const char *name, int *ret_fd, struct stat *ret_st,
			     struct error *err);

/* Create a file (0600), open for reading and writing; ERR_EXISTS if there is such an entry. */
CHECKED int beneath_create_file(int dirfd, const char *name, int *ret_fd, struct error *err);

/*
 * Remove an entry and, if it is a folder, all that is in it, to any depth, with a bounded number of
 * descriptors. Stops at mount points (an error) and at the first entry that cannot be removed.
 * *removed is increased by the number of entries removed that were not folders, also on failure.
 * A missing entry is success.
 */
CHECKED int beneath_remove(int dirfd, const char *name, uint64_t *removed, struct error *err);

#endif
