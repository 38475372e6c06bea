/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast plan */
#include <string.h>

#include "agent/writers.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/out.h"
#include "cli/paths.h"
#include "cli/table.h"
#include "provider/plan.h"
#include "repo/point.h"

static void
put(const struct cli *cli, struct table *t, const char *what, bool writer, const struct volume *v,
    const struct plan_choice *choice)
{
	if (cli->json) {
		out_json(json_pack("{s:s, s:o, s:s, s:s, s:o, s:s, s:s, s:s, s:s}", "type", "plan",
				   "what", json_bytes(what, strlen(what)), "kind",
				   writer ? "writer" : "path", "file_system", v->type,
				   "mount_point",
				   json_bytes(v->mount_point, strlen(v->mount_point)), "provider",
				   choice->provider->name, "consistency",
				   point_consistency_name(choice->expected), "why", choice->why,
				   "cost", choice->provider->cost));
		return;
	}
	table_cell(t, "%s%s", writer ? "writer " : "", what);
	table_cell(t, "%s at %s", v->type, v->mount_point);
	table_cell(t, "%s", choice->provider->name);
	table_cell(t, "%s", point_consistency_name(choice->expected));
	table_cell(t, "%s", choice->why);
}

/* A writer is asked who it is: where its files are it says only in a backup, so the folder it names
 * in its metadata is looked at, if it names one. */
static int
plan_writer(struct cli *cli, struct table *t, const char *name, struct error *err)
{
	CLEAN(writer_closep) struct writer *writer = NULL;
	CLEAN(volume_done) struct volume v = {0};
	struct provider_settings settings;
	struct writers_setup setup = host_writers(cli);
	struct plan_choice choice;
	const char *folder;

	if (writers_start_one(&setup, name, &writer, err) < 0 || writer_identify(writer, err) < 0)
		return err->code;
	folder = json_string_value(json_object_get(writer_metadata(writer), "data_directory"));
	if (volume_of(folder != NULL ? folder : "/", &v, err) < 0)
		return err->code;
	provider_settings_init(&settings);
	choice = plan_choose(&v, &settings, true);
	put(cli, t, name, true, &v, &choice);
	return OK;
}

int
verb_plan(struct cli *cli, struct error *err)
{
	CLEAN(paths_done) struct path_list paths = {0};
	CLEAN(table_done) struct table t;
	struct provider_settings settings;
	const char *name;

	provider_settings_init(&settings);
	table_init(&t, "lllll");
	table_cell(&t, "WHAT");
	table_cell(&t, "FILE SYSTEM");
	table_cell(&t, "PROVIDER");
	table_cell(&t, "CONSISTENCY");
	table_cell(&t, "WHY");
	if (cli->inv->n_operands == 0 && !invocation_has(cli->inv, FLAG_WRITER))
		return error_set(err, ERR_USAGE, "give one PATH or --writer NAME at least");
	if (paths_list(cli->inv->operands, cli->inv->n_operands, &paths, err) < 0)
		return err->code;
	for (size_t i = 0; i < paths.n; i++) {
		CLEAN(volume_done) struct volume v = {0};
		struct plan_choice choice;

		if (volume_of(paths.paths[i], &v, err) < 0)
			return err->code;
		choice = plan_choose(&v, &settings, false);
		put(cli, &t, paths.paths[i], false, &v, &choice);
	}
	for (size_t i = 0; (name = invocation_value_at(cli->inv, FLAG_WRITER, i)) != NULL; i++)
		if (plan_writer(cli, &t, name, err) < 0)
			return err->code;
	return cli->json ? OK : table_print(&t, err);
}
