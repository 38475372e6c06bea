/* SPDX-License-Identifier: Apache-2.0 */

/* Files and folders of a restore point on the screen, as "ls -l" shows them. */
#ifndef HF_CLI_ENTRIES_H
#define HF_CLI_ENTRIES_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "repo/tree.h"

/* The entries of a folder; with `recursive`, of those below it, too, with their paths. `path`:
 * where the folder is, for JSON and for recursion. */
CHECKED int entries_show_folder(const struct cli *cli, struct repo_reader *reader,
				const struct blob_id *tree, const char *path, bool recursive,
				struct error *err);
CHECKED int entries_show_node(const struct cli *cli, const struct node *node, const char *path,
			      struct error *err);

#endif
