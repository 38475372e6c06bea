/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Paths as people type them, made absolute and normal: from "/", without ".", "..", doubled or
 * trailing slashes. The last part is never followed if it is a symbolic link.
 */
#ifndef HF_CLI_PATHS_H
#define HF_CLI_PATHS_H

#include "base/base.h"
#include "base/error.h"

/* The result is the caller's to free. The path need not exist, unless it has "..". */
CHECKED int paths_absolute(const char *path, char **ret, struct error *err);

/* A list of them: sorted, each once. */
struct path_list {
	size_t n;
	char **paths;
};
CHECKED int paths_list(const char *const *paths, size_t n, struct path_list *ret,
		       struct error *err);
void paths_done(struct path_list *l);

#endif
