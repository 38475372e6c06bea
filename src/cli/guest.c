/* SPDX-License-Identifier: Apache-2.0 */

/* From --agent and the settings to an open guest. */
#include "cli/guest.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/show.h"
#include "requester/guest_remote.h"
#include "requester/guest_url.h"

#define BUNDLE "holdfast-guest.tar.gz"

bool
guest_is_remote(const struct cli *cli)
{
	return invocation_value(cli->inv, FLAG_AGENT) != NULL;
}

static void
note(void *arg, const char *text)
{
	show_note(arg, "%s", text);
}

static const char *
if_any(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

int
guest_open_url(struct cli *cli, const char *url, uint64_t hello_ns, struct eventlog *events,
	       struct guest **ret, struct error *err)
{
	const struct settings *s = cli->settings;
	char bundle[4096];
	const struct guest_url_options options = {
		.state_dir = settings_text(s, OPTION_AGENT_STATE_DIR),
		.note = note,
		.note_arg = cli,
		.hello_ns = hello_ns,
		.events = events,
		.store = if_any(settings_text(s, OPTION_BACKUP_AGENT_REPOSITORY)),
		.key_file = if_any(settings_text(s, OPTION_BACKUP_AGENT_KEY_FILE)),
		.ssh =
			{
				.program = settings_text(s, OPTION_SSH_PROGRAM),
				.config = if_any(settings_text(s, OPTION_SSH_CONFIG)),
				.bundle = bundle,
				.idle_s = settings_number(s, OPTION_SSH_IDLE),
				.timeout_ns = settings_number(s, OPTION_SSH_TIMEOUT) * NS_PER_S,
				.note = note,
				.note_arg = cli,
			},
	};

	if ((options.store == NULL) != (options.key_file == NULL)) {
		error_set(err, ERR_USAGE,
			  "a repository that the agent's host opens by itself, and "
			  "the key file there that opens it, go together");
		return error_hint(err, "give both --agent-repository and --agent-key-file");
	}
	if (!text_printf(bundle, sizeof(bundle), "%s/" BUNDLE, settings_text(s, OPTION_WRITER_DIR)))
		return error_set(err, ERR_CONFIG, "writer.dir is too long");
	return guest_url_open(url, &options, ret, err);
}

int
guest_open_remote(struct cli *cli, struct guest **ret, struct error *err)
{
	return guest_open_url(cli, invocation_value(cli->inv, FLAG_AGENT), 0, NULL, ret, err);
}

int
guest_open(struct cli *cli, struct host *host, struct guest **ret, struct error *err)
{
	if (guest_is_remote(cli)) {
		host_open_events(cli, host);
		return guest_open_url(cli, invocation_value(cli->inv, FLAG_AGENT), 0, host->events,
				      ret, err);
	}
	if (host_open(cli, host, err) < 0)
		return err->code;
	return guest_local_open(&host->setup, ret, err);
}

const char *
guest_host_name(const struct cli *cli, struct guest *g)
{
	const char *own = guest_remote_host(g);

	if (own[0] == '\0' || settings_source(cli->settings, OPTION_BACKUP_HOST) != SETTING_DEFAULT)
		return settings_text(cli->settings, OPTION_BACKUP_HOST);
	return own;
}
