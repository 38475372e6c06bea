/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A backup in the requester's own event log: its name, its beginning and its end, so that 'holdfast
 * explain JOB' has a story also of what never reached the protected host.
 */
#ifndef HF_CLI_BACKUPLOG_H
#define HF_CLI_BACKUPLOG_H

#include "base/base.h"
#include "base/error.h"
#include "base/eventlog.h"
#include "base/uuid.h"
#include "cli/cli.h"
#include "requester/backup.h"

struct backuplog {
	const struct cli *cli;
	struct eventlog *events; /* NULL: the state folder cannot be written */
	char job[UUID_TEXT_SIZE];
};

/* Names the job. */
CHECKED int backuplog_open(const struct cli *cli, struct backuplog *ret, struct error *err);
void backuplog_close(struct backuplog *log); /* for CLEAN(), too */
/* Tells whoever runs it what the job is called, and the log that it begins. */
void backuplog_begin(const struct backuplog *log, const struct backup_job *job);
/* Of a backup of logs, that went well. */
void backuplog_end_logs(const struct backuplog *log, const char *point);
/* r: what backup_run() returned. */
void backuplog_end(const struct backuplog *log, int r, const struct backup_result *result,
		   const struct error *err);

#endif
