/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files, done durably and completely: short reads and writes are continued, EINTR is repeated, and
 * "written" means fsync of the file and of its folder, each step checked.
 *
 * An fsync that failed is never repeated: the kernel may have dropped the pages and would report
 * success (PostgreSQL's "fsyncgate"). The file counts as lost.
 */
#ifndef HF_BASE_FS_H
#define HF_BASE_FS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

/* Read until n bytes or the end of the file; *ret_n says how many. */
CHECKED int fs_pread(int fd, void *p, size_t n, uint64_t offset, size_t *ret_n, struct error *err);
/* Write all. The error's message is "write" plus the system's reason; prefix it with the name.
 * ENOSPC and EDQUOT raise ERR_STORE_FULL, anything else ERR_IO. */
CHECKED int fs_pwrite(int fd, const void *p, size_t n, uint64_t offset, struct error *err);
CHECKED int fs_write(int fd, const void *p, size_t n, struct error *err);

/* Append the whole file to b; ERR_NOT_FOUND if there is none, ERR_LIMIT beyond b's maximum. */
CHECKED int fs_read_file(int dirfd, const char *path, struct buf *b, struct error *err);

/* Replace or create a file so that after success it survives a power cut, and at every moment holds
 * either the old or the new content: temporary file, fsync, close, rename, fsync of the folder. */
CHECKED int fs_write_file(int dirfd, const char *path, struct slice data, mode_t mode,
			  struct error *err);

/* fsync of the folder that holds path (or of dirfd itself if path is NULL). */
CHECKED int fs_sync_parent(int dirfd, const char *path, struct error *err);

/* Create path and what is missing above it; existing folders are fine. */
CHECKED int fs_mkdirs(int dirfd, const char *path, mode_t mode, struct error *err);

/* Remove a tree that we created ourselves; follows nothing. A missing path is success. */
CHECKED int fs_remove_tree(int dirfd, const char *path, struct error *err);

#endif
