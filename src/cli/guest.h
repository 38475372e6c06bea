/* SPDX-License-Identifier: Apache-2.0 */

/* The protected host that a verb is about: the one behind --agent, or this one. */
#ifndef HF_CLI_GUEST_H
#define HF_CLI_GUEST_H

#include "cli/cli.h"
#include "cli/host.h"
#include "requester/guest.h"

/* Is it another host's agent that was asked for? */
bool guest_is_remote(const struct cli *cli);
/* The guest that --agent names. What happens to its connection before a job begins is shown as a note. */
CHECKED int guest_open_remote(struct cli *cli, struct guest **ret, struct error *err);
/* The same for a URL from elsewhere. `events` may be NULL. */
CHECKED int guest_open_url(struct cli *cli, const char *url, uint64_t hello_ns,
			   struct eventlog *events, struct guest **ret, struct error *err);
/* Either: --agent's, or this machine. */
/* `host`: all zero, outlives the guest. */
CHECKED int guest_open(struct cli *cli, struct host *host, struct guest **ret, struct error *err);
/* The name to put into restore points: what was set, else the guest's own. */
const char *guest_host_name(const struct cli *cli, struct guest *g);

#endif
