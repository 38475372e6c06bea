/* SPDX-License-Identifier: Apache-2.0 */

/* From settings to what runs on the protected host. */
#include "cli/host.h"

#include "base/clock.h"

static int
writer_settings(void *arg, const char *name, json_t **ret, struct error *err)
{
	return settings_writer(arg, name, ret, err);
}

struct writers_setup
host_writers(struct cli *cli)
{
	return (struct writers_setup){
		.dir = settings_text(cli->settings, OPTION_WRITER_DIR),
		.timeout_ns = settings_number(cli->settings, OPTION_WRITER_TIMEOUT) * NS_PER_S,
		.settings = writer_settings,
		.settings_arg = cli->settings,
	};
}

struct session_setup
host_session(struct cli *cli)
{
	return (struct session_setup){.writers = host_writers(cli)};
}
