/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a cloned file was cloned from. A clone has an inode number and a ctime of its own, so whoever
 * tells changed files by these has to compare the original's, which the clone carries in an extended
 * attribute. That attribute is ours: it is not part of the file, and not to be backed up.
 */
#ifndef HF_PROVIDER_ORIGIN_H
#define HF_PROVIDER_ORIGIN_H

#include "base/base.h"

#define PROVIDER_ORIGIN_XATTR "trusted.holdfast.origin"

struct provider_origin {
	uint64_t inode;
	uint64_t ctime_ns, mtime_ns; /* since 1970 */
};

/* 1: the open file is a clone, of this; 0: it is none (or that cannot be told). */
int provider_origin_read(int fd, struct provider_origin *ret);
/* -1 and errno on failure. */
CHECKED int provider_origin_write(int fd, const struct provider_origin *o);

#endif
