/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast group status */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "cli/units.h"
#include "config/value.h"
#include "group/status.h"

enum { LOOK_LIMIT_S = 5, INTERVAL_MS = 2000, SIGNAL_LOOK_MS = 200, TEXT_MAX = 256 };

/* Which groups: the one that was named, or all. */
static int
find_groups(const struct cli *cli, struct group_list *ret, struct error *err)
{
	struct group_list one = {0};

	if (cli->inv->n_operands == 0) {
		if (group_list_read(cli->settings, ret, err) < 0)
			return err->code;
		if (ret->n > 0)
			return OK;
		error_set(err, ERR_CONFIG, "there is no group in the configuration");
		return error_hint(err, "add sections [group.NAME] and [group.NAME.copy.COPY], see "
				       "holdfast.conf(5)");
	}
	one.groups = calloc(1, sizeof(struct group *));
	if (one.groups == NULL)
		return error_no_memory(err);
	if (group_find(cli->settings, cli->inv->operands[0], &one.groups[0], err) < 0) {
		free(one.groups);
		return err->code;
	}
	one.n = 1;
	*ret = one;
	return OK;
}

static void
cell_queue(struct table *t, uint64_t bytes)
{
	char text[UNITS_MAX];

	table_cell(t, "%s", bytes != UINT64_MAX ? units_bytes(bytes, text) : "-");
}

static void
cell_position(struct table *t, const struct group_view *v, uint64_t position)
{
	char text[ENGINE_POSITION_MAX];

	table_cell(t, "%s", position != 0 ? v->group->engine->position_text(position, text) : "-");
}

static void
cell_time(struct table *t, uint64_t wall_ns)
{
	char text[UNITS_MAX];

	table_cell(t, "%s", wall_ns != 0 ? units_time(wall_ns, text) : "-");
}

/* The active copy copies nothing and replays nothing: what it has is the end of the log. */
static void
put_row(struct table *t, const struct group_view *v, const struct group_member *m)
{
	const struct copy_facts *f = &m->facts;
	bool active = f->role == COPY_ROLE_ACTIVE;

	table_cell(t, "%s", m->copy->name);
	table_cell(t, "%s", copy_role_name(f->role));
	table_cell(t, "%s", copy_status_name(m->status));
	cell_queue(t, m->copy_queue);
	cell_queue(t, m->replay_queue);
	cell_position(t, v, active ? f->generated : f->copied);
	cell_time(t, active ? f->generated_time_ns : f->copied_time_ns);
	cell_position(t, v, active ? f->generated : f->replayed);
	cell_time(t, active ? f->generated_time_ns : f->replayed_time_ns);
}

static int
put_table(const struct group_view *v, struct error *err)
{
	static const char *const heads[] = {"Name",
					    "Role",
					    "Status",
					    "CopyQueueLength",
					    "ReplayQueueLength",
					    "LastLogCopied",
					    "LastCopiedLogTime",
					    "LastLogReplayed",
					    "LastReplayedLogTime"};
	CLEAN(table_done) struct table t;

	table_init(&t, "lllrrllll");
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		table_cell(&t, "%s", heads[i]);
	for (size_t i = 0; i < v->n; i++)
		put_row(&t, v, &v->members[i]);
	return table_print(&t, err);
}

static void
put_contexts(const struct group_view *v)
{
	const struct copy_facts *f = &v->members[v->active].facts;
	char when[UNITS_MAX], age[UNITS_MAX], safe[TEXT_MAX];

	if (f->n_contexts == 0)
		out_text("Backup context: none\n");
	for (size_t i = 0; i < f->n_contexts; i++) {
		const struct copy_context *c = &f->contexts[i];
		uint64_t age_ns = v->time_ns > c->since_ns ? v->time_ns - c->since_ns : 0;

		out_text("Backup context: %s, since %s (%s)\n",
			 printable_message(c->holder, safe, sizeof(safe)),
			 units_time(c->since_ns, when), units_clock(age_ns / NS_PER_S, age));
	}
}

/* What the table has no column for. */
static void
put_remarks(const struct group_view *v)
{
	char safe[TEXT_MAX];

	for (size_t i = 0; i < v->n; i++) {
		const struct group_member *m = &v->members[i];

		if (m->why[0] != '\0')
			out_text("%s: %s\n", m->copy->name,
				 printable_message(m->why, safe, sizeof(safe)));
		if (m->status == COPY_FAILED && m->facts.hint[0] != '\0')
			out_text("  hint: %s\n",
				 printable_message(m->facts.hint, safe, sizeof(safe)));
		if (m->facts.in_backup_mode)
			out_text("%s: a base backup is being taken there\n", m->copy->name);
	}
	if (v->active != SIZE_MAX)
		put_contexts(v);
	else
		out_text("No active copy: %s\n", v->why_no_active);
}

static int
put_group(const struct cli *cli, const struct group_view *v, struct error *err)
{
	if (cli->json) {
		out_json(group_view_json(v));
		return OK;
	}
	out_text("Group: %s (%s), prefer %s\n", v->group->name, v->group->engine->name,
		 group_prefer_name(v->group->prefer));
	if (put_table(v, err) < 0)
		return err->code;
	put_remarks(v);
	return OK;
}

static int
show_once(const struct cli *cli, const struct group_list *groups, const _Atomic bool *stop,
	  struct error *err)
{
	for (size_t i = 0; i < groups->n; i++) {
		CLEAN(group_view_done) struct group_view v = {.active = SIZE_MAX};

		if (group_look_while(groups->groups[i], clock_boot_ns() + LOOK_LIMIT_S * NS_PER_S,
				     stop, &v, err) < 0)
			return err->code;
		if (i > 0 && !cli->json)
			out_text("\n");
		if (put_group(cli, &v, err) < 0)
			return err->code;
	}
	return OK;
}

/* A terminal shows the same place again; a file or a program gets one after the other. */
static void
begin_screen(const struct cli *cli, bool first)
{
	char when[UNITS_MAX];

	if (cli->json)
		return;
	if (isatty(STDOUT_FILENO))
		out_text("\033[H\033[J");
	else if (!first)
		out_text("\n");
	out_text("%s\n\n", units_time(clock_wall_ns(), when));
}

static void
pause_ms(uint64_t ms, const _Atomic bool *stop)
{
	uint64_t until_ns = clock_boot_ns() + ms * NS_PER_MS;
	int left_ms;

	while (!atomic_load(stop) && (left_ms = clock_left_ms(until_ns)) > 0)
		(void)poll(NULL, 0, MIN(left_ms, (int)SIGNAL_LOOK_MS));
}

/* Until a signal comes, which is how it is meant to end. */
static int
watch(const struct cli *cli, const struct group_list *groups, uint64_t interval_ms,
      const _Atomic bool *stop, struct error *err)
{
	for (bool first = true; !atomic_load(stop) && !out_failed(); first = false) {
		int r;

		begin_screen(cli, first);
		r = show_once(cli, groups, stop, err);
		if (r == ERR_CANCELLED)
			return OK;
		if (r < 0)
			return r;
		out_flush();
		pause_ms(interval_ms, stop);
	}
	return OK;
}

static int
show(const struct cli *cli, const struct group_list *groups, uint64_t interval_ms,
     struct error *err)
{
	_Atomic bool stop = false;
	int r;

	signals_watch(&stop);
	r = invocation_has(cli->inv, FLAG_WATCH) ? watch(cli, groups, interval_ms, &stop, err)
						 : show_once(cli, groups, &stop, err);
	signals_watch(NULL);
	return r;
}

int
verb_group_status(struct cli *cli, struct error *err)
{
	const char *interval = invocation_value(cli->inv, FLAG_INTERVAL);
	CLEAN(group_list_done) struct group_list groups = {0};
	uint64_t interval_ms = INTERVAL_MS;

	if (interval != NULL && value_parse_duration_ms(interval, &interval_ms, err) < 0) {
		err->code = ERR_USAGE;
		(void)error_prefix(err, "--interval");
		return error_hint(err, "see 'holdfast help group status'");
	}
	if (interval != NULL && (interval_ms < 100 || !invocation_has(cli->inv, FLAG_WATCH)))
		return error_set(err, ERR_USAGE,
				 "--interval is how often --watch looks, at least 100ms");
	if (find_groups(cli, &groups, err) < 0)
		return err->code;
	return show(cli, &groups, interval_ms, err);
}
