/* SPDX-License-Identifier: Apache-2.0 */

/* The protected host's side of a backup in this process, as the settings say: its writers, its guard and
 * snapshot providers, its event log. */
#ifndef HF_CLI_HOST_H
#define HF_CLI_HOST_H

#include "agent/session.h"
#include "agent/writers.h"
#include "base/eventlog.h"
#include "cli/cli.h"
#include "guard/client.h"
#include "provider/settings.h"

/* Results borrow from `cli`. */
struct writers_setup host_writers(struct cli *cli);
/* What is set about snapshot providers. */
CHECKED int host_providers(struct cli *cli, struct provider_settings *ret, struct error *err);

/* What a session in this process needs. Not to be copied: `setup` points into it. */
struct host {
	char guard_program[4096];
	struct guard_options guard;
	struct eventlog *events; /* NULL: the state folder cannot be written */
	struct session_setup setup;
};

/* Borrows from `cli`. A state folder that cannot be written is no failure: without it there are no
 * snapshots, and no memory of what happened. */
CHECKED int host_open(struct cli *cli, struct host *ret, struct error *err);
/* Only the event log: what this machine remembers of a backup of another host. */
void host_open_events(struct cli *cli, struct host *ret);
void host_close(struct host *h); /* for CLEAN(), too */

#endif
