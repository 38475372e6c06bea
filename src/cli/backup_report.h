/* SPDX-License-Identifier: Apache-2.0 */

/* The end of 'holdfast backup', for people and for programs. */
#ifndef HF_CLI_BACKUP_REPORT_H
#define HF_CLI_BACKUP_REPORT_H

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "mover/progress.h"
#include "requester/backup.h"
#include "requester/group_backup.h"

/* Prints it. ERR_INCOMPLETE if the restore point is less than was asked for. group: of a group's backup, else
 * NULL. */
CHECKED int backup_report(const struct cli *cli, const char *job, const struct backup_result *r,
			  const struct group_backup_result *group, const struct progress *p,
			  struct error *err);
/* Of a backup of type LOG. */
CHECKED int backup_report_logs(const struct cli *cli, const char *job, const struct group *g,
			       const struct group_backup_result *r, struct error *err);

#endif
