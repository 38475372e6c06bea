/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast events --follow: events as they come, of this host or of one behind an agent. Until a signal. */
#ifndef HF_CLI_FOLLOW_H
#define HF_CLI_FOLLOW_H

#include "base/error.h"
#include "base/event_list.h"
#include "base/eventlog_read.h"
#include "cli/cli.h"

CHECKED int follow_here(const struct cli *cli, struct eventlog_reader *reader,
			const struct eventlog_filter *filter, struct error *err);
/* shown: what the agent's log had of before; taken over. */
CHECKED int follow_agent(struct cli *cli, struct event_list *shown,
			 const struct eventlog_filter *filter, struct error *err);

#endif
