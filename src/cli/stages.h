/* SPDX-License-Identifier: Apache-2.0 */

/* --stats: what each stage of the pipeline did, and for how long. Times are summed over threads. */
#ifndef HF_CLI_STAGES_H
#define HF_CLI_STAGES_H

#include "cli/cli.h"
#include "requester/backup.h"
#include "requester/restore.h"

CHECKED int stages_backup(const struct cli *cli, const struct backup_result *r,
			  const struct progress *p, struct error *err);
CHECKED int stages_restore(const struct cli *cli, const struct restore_result *r,
			   struct error *err);

#endif
