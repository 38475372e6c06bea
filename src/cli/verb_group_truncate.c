/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast group truncate */
#include <string.h>

#include "base/json.h"
#include "cli/backuplog.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/repository.h"
#include "cli/show.h"
#include "cli/table.h"
#include "requester/truncation.h"

/* Who needs which logs, the one that holds back all others marked. */
static int
put_marks(const struct truncate_plan *p, const struct group *g, struct error *err)
{
	char position[ENGINE_POSITION_MAX], name[TRUNCATE_NAME_MAX];
	char safe[TRUNCATE_WHY_MAX];
	CLEAN(table_done) struct table t;

	table_init(&t, "llll");
	table_cell(&t, " ");
	table_cell(&t, "Needed by");
	table_cell(&t, "Needs logs from");
	table_cell(&t, "Why");
	for (size_t i = 0; i < p->n; i++) {
		const struct truncate_mark *m = &p->marks[i];

		table_cell(&t, "%s", i == p->blocker ? "*" : " ");
		table_cell(&t, "%s", truncate_mark_name(m, name));
		if (m->position != 0)
			table_cell(&t, "%s", g->engine->position_text(m->position, position));
		else
			table_cell(&t, "%s", m->binding ? "(all)" : "-");
		table_cell(&t, "%s%s", m->binding ? "" : "(does not count) ",
			   printable_message(m->why, safe, sizeof(safe)));
	}
	return table_print(&t, err);
}

static int
put_plan(const struct truncate_plan *p, const struct group *g, struct error *err)
{
	char position[ENGINE_POSITION_MAX];

	if (g->slot == NULL)
		out_text("Group: %s, without a slot\n", g->name);
	else if (p->before == 0)
		out_text("Group: %s, slot %s (%s)\n", g->name, g->slot,
			 p->lost ? "lost" : "not there yet");
	else
		out_text("Group: %s, slot %s keeps logs from %s on\n", g->name, g->slot,
			 g->engine->position_text(p->before, position));
	return p->n > 0 ? put_marks(p, g, err) : OK;
}

static int
put_json(const struct group *g, const struct truncation *t, struct error *err)
{
	CLEAN(json_done) json_t *plan = truncate_json(&t->plan, g);
	json_t *j = json_pack("{s:s, s:s, s:b, s:o}", "type", "group_truncate", "group", g->name,
			      "moved", (int)t->moved, "sentence",
			      json_bytes(t->said, strlen(t->said)));

	if (plan == NULL || j == NULL || json_object_update_missing(j, plan) < 0) {
		json_decref(j);
		return error_no_memory(err);
	}
	out_json(j);
	return OK;
}

static int
report(const struct cli *cli, const struct group *g, const struct truncation *t, bool explain,
       struct error *err)
{
	char safe[TRUNCATE_SENTENCE_MAX];

	if (cli->json)
		return put_json(g, t, err);
	if (explain && put_plan(&t->plan, g, err) < 0)
		return err->code;
	out_text("%s: %s\n", g->name, printable_message(t->said, safe, sizeof(safe)));
	return OK;
}

static void
say(void *arg, const char *text)
{
	show_note(arg, "%s", text);
}

int
verb_group_truncate(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	CLEAN(backuplog_close) struct backuplog log = {0};
	CLEAN(group_freep) struct group *group = NULL;
	struct truncation_order order = {
		.explain = invocation_has(cli->inv, FLAG_EXPLAIN),
		.note = say,
		.note_arg = cli,
	};
	struct truncation result;

	if (group_find(cli->settings, cli->inv->operands[0], &group, err) < 0 ||
	    repository_open(cli, &opened, err) < 0)
		return err->code;
	if (!order.explain && backuplog_open(cli, &log, err) < 0)
		return err->code;
	order.repo = opened.repo;
	order.group = group;
	order.events = log.events;
	if (truncation_run(&order, &result, err) < 0)
		return err->code;
	return report(cli, group, &result, order.explain, err);
}
