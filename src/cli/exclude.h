/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a backup leaves out: the user's patterns, and Holdfast's own folders. A repository that lies
 * below a backed up folder would otherwise be copied into itself, again and again.
 */
#ifndef HF_CLI_EXCLUDE_H
#define HF_CLI_EXCLUDE_H

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/paths.h"

struct exclude_list {
	size_t n;
	char **patterns;
};

/* `paths`: what is backed up. A folder of ours that was itself asked for is not left out. */
CHECKED int exclude_make(const struct cli *cli, const struct path_list *paths,
			 struct exclude_list *ret, struct error *err);
void exclude_done(struct exclude_list *l);

#endif
