/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast agent */
#include <string.h>
#include <unistd.h>

#include "agent/service.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/notify.h"

static void
ready(void *arg)
{
	(void)arg;
	notify_systemd("READY=1");
}

int
verb_agent(struct cli *cli, struct error *err)
{
	CLEAN(host_close) struct host host = {0};
	struct settings *s = cli->settings;
	struct service_options options = {
		.state_dir = settings_text(s, OPTION_AGENT_STATE_DIR),
		.cache_dir = settings_text(s, OPTION_REPOSITORY_CACHE_DIR),
		.group = settings_text(s, OPTION_AGENT_GROUP),
		.max_connections = (unsigned)settings_number(s, OPTION_AGENT_MAX_CONNECTIONS),
		.max_jobs = (unsigned)settings_number(s, OPTION_AGENT_MAX_JOBS),
		.exit_idle_ns = settings_number(s, OPTION_AGENT_EXIT_IDLE) * NS_PER_S,
		.log_fd = cli->quiet ? -1 : STDERR_FILENO,
		.ready = ready,
	};
	int r;

	options.listen = settings_list(s, OPTION_AGENT_LISTEN, &options.n_listen);
	if (options.n_listen == 0) {
		(void)error_set(err, ERR_USAGE, "nowhere to listen");
		return error_hint(err, "give --listen unix:/run/holdfast/agent.sock or "
				       "--listen tls://ADDRESS:7410");
	}
	if (host_open(cli, &host, err) < 0)
		return err->code;
	options.session = host.setup;
	options.session.always_leased = true;
	r = service_run(&options, err);
	notify_systemd("STOPPING=1");
	return r;
}
