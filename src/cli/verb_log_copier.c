/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast log-copier */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/notify.h"
#include "cli/repository.h"
#include "cli/signals.h"
#include "requester/log_copier.h"

/* A line of the service's journal. */
static void
say(void *arg, const char *text)
{
	const struct cli *cli = arg;
	char time[32];

	if (!cli->quiet)
		(void)fprintf(stderr, "%s %s\n", clock_format_utc(clock_wall_ns(), time), text);
}

static void
ready(void *arg)
{
	(void)arg;
	notify_systemd("READY=1");
}

static int
copy(struct cli *cli, const struct group *group, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	CLEAN(host_close) struct host host = {0};
	struct settings *s = cli->settings;
	_Atomic bool stop = false;
	struct log_copier_order order = {
		.group = group,
		.state_dir = settings_text(s, OPTION_AGENT_STATE_DIR),
		.holder = settings_text(s, OPTION_BACKUP_HOST),
		.write =
			{
				.level_data = (int)settings_number(s,
								   OPTION_BACKUP_COMPRESSION_LEVEL),
				.pack_size = (uint32_t)settings_number(s, OPTION_BACKUP_PACK_SIZE),
			},
		.interval_ns = settings_number(s, OPTION_LOG_COPIER_INTERVAL) * NS_PER_S,
		.point_ns = settings_number(s, OPTION_LOG_COPIER_POINT_TIME) * NS_PER_S,
		.point_files = settings_number(s, OPTION_LOG_COPIER_POINT_FILES),
		.spool_max = settings_number(s, OPTION_LOG_COPIER_SPOOL_MAX),
		.slots_on_passive = settings_bool(s, OPTION_LOG_COPIER_SLOTS_ON_PASSIVE),
		.say = say,
		.say_arg = cli,
		.ready = ready,
		.stop = &stop,
	};
	int r;

	if (repository_open(cli, &opened, err) < 0)
		return err->code;
	host_open_events(cli, &host);
	order.repo = opened.repo;
	order.events = host.events;
	signals_watch(&stop);
	r = log_copier_run(&order, err);
	signals_watch(NULL);
	notify_systemd("STOPPING=1");
	return r;
}

int
verb_log_copier(struct cli *cli, struct error *err)
{
	CLEAN(group_freep) struct group *group = NULL;

	if (group_find(cli->settings, cli->inv->operands[0], &group, err) < 0)
		return err->code;
	if (invocation_has(cli->inv, FLAG_DROP_SLOTS))
		return log_copier_drop_slots(group, err);
	return copy(cli, group, err);
}
