/* SPDX-License-Identifier: Apache-2.0 */

/* From settings to what runs on the protected host. */
#include "cli/host.h"

#include "base/clock.h"
#include "base/text.h"

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

int
host_providers(struct cli *cli, struct provider_settings *ret, struct error *err)
{
	const struct settings *s = cli->settings;
	const struct {
		enum option_id id;
		char *to;
	} commands[] = {{OPTION_EXTERNAL_CREATE, ret->external.create},
			{OPTION_EXTERNAL_EXPOSE, ret->external.expose},
			{OPTION_EXTERNAL_REMOVE, ret->external.remove}};
	const char *state_dir = settings_text(s, OPTION_AGENT_STATE_DIR);

	provider_settings_init(ret);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *command = settings_text(s, commands[i].id);

		if (command != NULL &&
		    !text_printf(commands[i].to, PROVIDER_COMMAND_MAX, "%s", command))
			return error_set(err, ERR_CONFIG,
					 "provider.external: a command is too long");
	}
	if (state_dir != NULL &&
	    !text_printf(ret->mount_root, sizeof(ret->mount_root), "%s/mnt", state_dir))
		return error_set(err, ERR_CONFIG, "agent.state_dir is too long");
	ret->external.timeout_ns = settings_number(s, OPTION_EXTERNAL_TIMEOUT) * NS_PER_S;
	ret->external.freeze = settings_bool(s, OPTION_EXTERNAL_FREEZE);
	ret->lvm.snapshot_bytes = settings_number(s, OPTION_LVM_SNAPSHOT_SIZE);
	ret->min_free.bytes = settings_number(s, OPTION_SPACE_MIN_FREE);
	ret->min_free.percent = (unsigned)settings_number(s, OPTION_SPACE_MIN_FREE_PERCENT);
	return OK;
}

struct session_setup
host_session(struct cli *cli)
{
	return (struct session_setup){.writers = host_writers(cli)};
}
