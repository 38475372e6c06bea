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

/* Beside the writers, where all programs are that nobody starts by hand. */
static int
guard_of(struct cli *cli, struct host *h, struct error *err)
{
	const char *dir = settings_text(cli->settings, OPTION_WRITER_DIR);
	const char *state_dir = settings_text(cli->settings, OPTION_AGENT_STATE_DIR);

	if (!text_printf(h->guard_program, sizeof(h->guard_program), "%s/holdfast-guard", dir))
		return error_set(err, ERR_CONFIG, "writer.dir is too long");
	h->guard = (struct guard_options){.program = h->guard_program, .state_dir = state_dir};
	return host_providers(cli, &h->guard.providers, err);
}

void
host_open_events(struct cli *cli, struct host *ret)
{
	const struct eventlog_options log = {
		.dir = settings_text(cli->settings, OPTION_AGENT_STATE_DIR),
		.program = "holdfast",
		.journal = EVENTLOG_JOURNAL};
	struct error ignored;

	*ret = (struct host){0};
	(void)!eventlog_open(&log, &ret->events, &ignored);
}

int
host_open(struct cli *cli, struct host *ret, struct error *err)
{
	const char *state_dir = settings_text(cli->settings, OPTION_AGENT_STATE_DIR);

	host_open_events(cli, ret);
	if (guard_of(cli, ret, err) < 0)
		return err->code;
	ret->setup = (struct session_setup){
		.writers = host_writers(cli),
		.guard = &ret->guard,
		.state_dir = state_dir,
		.events = ret->events,
	};
	return OK;
}

void
host_close(struct host *h)
{
	eventlog_close(h->events);
	h->events = NULL;
}
