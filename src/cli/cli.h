/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What every verb gets: the command line, the settings in force, and the screen. One verb is one
 * function in a file of its own, verb_NAME.c; main.c picks it.
 *
 * A verb returns OK, or an error whose code decides the exit code; main shows it. Results go to
 * standard output (out.h), everything else to standard error (show.h).
 */
#ifndef HF_CLI_CLI_H
#define HF_CLI_CLI_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "config/invocation.h"
#include "config/settings.h"

struct cli {
	const struct invocation *inv;
	struct settings *settings;
	bool json; /* JSON lines instead of text */
	bool quiet; /* results, warnings and errors only */
};

typedef int verb_fn(struct cli *cli, struct error *err);

verb_fn verb_init, verb_backup, verb_list, verb_restore, verb_verify, verb_forget, verb_prune,
	verb_key_add, verb_key_list, verb_key_remove, verb_stats, verb_plan, verb_writers,
	verb_snapshots, verb_release, verb_test, verb_events, verb_explain, verb_agent,
	verb_agent_enroll, verb_group_status, verb_group_truncate, verb_log_copier,
	verb_config_show, verb_version, verb_help;

#endif
