/* SPDX-License-Identifier: Apache-2.0 */

/* Relative paths a restore treats in a way of their own (left out, relocated), looked up while walking
 * down. Pure. */
#ifndef HF_MOVER_RESTORE_PATHS_H
#define HF_MOVER_RESTORE_PATHS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

struct restore_paths {
	size_t n;
	char **list; /* "a/b/c": no slash at either end, no empty, "." or ".." part */
};

/* Append a path in normal form ("./a//b/" becomes "a/b"). ERR_USAGE for "..", and for nothing. */
CHECKED int restore_paths_add(struct restore_paths *paths, const char *path, struct error *err);
void restore_paths_done(struct restore_paths *paths);

/* Is `path` in the list? Its place, or SIZE_MAX. */
size_t restore_paths_find(const struct restore_paths *paths, struct slice path);
/* Is some path of the list below `path`? */
bool restore_paths_below(const struct restore_paths *paths, struct slice path);

#endif
