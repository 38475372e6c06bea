/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast prune */
#include "cli/cli.h"
#include "cli/pruning.h"
#include "cli/repository.h"

int
verb_prune(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};

	if (repository_open(cli, &opened, err) < 0)
		return err->code;
	return pruning_run(cli, opened.repo, err);
}
