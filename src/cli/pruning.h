/* SPDX-License-Identifier: Apache-2.0 */

/* Pruning as the command line does it: for "prune", and for "forget --prune". */
#ifndef HF_CLI_PRUNING_H
#define HF_CLI_PRUNING_H

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "repo/repo.h"

/* With the settings' grace time and --dry-run; shows what was done. */
CHECKED int pruning_run(const struct cli *cli, struct repo *repo, struct error *err);

#endif
