/* SPDX-License-Identifier: Apache-2.0 */

/* The protected host's side of a backup in this process, as the settings say: how its writers are
 * started. */
#ifndef HF_CLI_HOST_H
#define HF_CLI_HOST_H

#include "agent/session.h"
#include "agent/writers.h"
#include "cli/cli.h"
#include "provider/settings.h"

/* Results borrow from `cli`. */
struct writers_setup host_writers(struct cli *cli);
/* What is set about snapshot providers. */
CHECKED int host_providers(struct cli *cli, struct provider_settings *ret, struct error *err);
/* A session in this process. */
struct session_setup host_session(struct cli *cli);

#endif
