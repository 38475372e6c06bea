/* SPDX-License-Identifier: Apache-2.0 */

/* Before restore points are forgotten that somebody named: which moments of databases go with them. */
#ifndef HF_CLI_LOSSES_H
#define HF_CLI_LOSSES_H

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "repo/point.h"

/*
 * Told are the moments that go with backups, which is what forgetting a backup means; and those that backups
 * which stay could no more be brought to, since logs go. ERR_LOGS_NEEDED for the latter, without --force or --dry-run.
 */
CHECKED int losses_check(const struct cli *cli, const struct point_list *all,
			 const struct point_list *going, struct error *err);

#endif
