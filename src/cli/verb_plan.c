/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast plan */
#include <string.h>

#include "agent/writers.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/out.h"
#include "cli/paths.h"
#include "cli/printable.h"
#include "config/prose.h"
#include "provider/plan_json.h"
#include "repo/point.h"

enum { WANTED_MAX = 4096 };

/* What to plan for, and of which writer it is. */
struct wanted {
	size_t n;
	struct plan_wanted list[WANTED_MAX];
	const char *writer[WANTED_MAX]; /* NULL: a path */
	char *copies[WANTED_MAX];
};

static void
wanted_freep(struct wanted **w)
{
	if (*w == NULL)
		return;
	for (size_t i = 0; i < (*w)->n; i++)
		free((*w)->copies[i]);
	free(*w);
}

static int
want(struct wanted *w, const char *path, const char *writer, struct error *err)
{
	if (w->n == WANTED_MAX)
		return error_set(err, ERR_LIMIT, "more than %d paths", WANTED_MAX);
	w->copies[w->n] = strdup(path);
	if (w->copies[w->n] == NULL)
		return error_no_memory(err);
	w->list[w->n] = (struct plan_wanted){.path = w->copies[w->n], .hot = writer != NULL};
	w->writer[w->n++] = writer;
	return OK;
}

/* A writer is asked where its files are; one that says so only in a backup may name one folder in its
 * metadata. */
static int
want_writer(struct cli *cli, struct wanted *w, const char *name, struct error *err)
{
	CLEAN(writer_closep) struct writer *writer = NULL;
	struct writers_setup setup = host_writers(cli);
	const char *const *paths;
	const char *folder;
	size_t n = 0;

	if (writers_start_one(&setup, name, &writer, err) < 0 || writer_identify(writer, err) < 0)
		return err->code;
	paths = writer_paths(writer, &n);
	for (size_t i = 0; i < n; i++)
		if (want(w, paths[i], name, err) < 0)
			return err->code;
	if (n > 0)
		return OK;
	folder = json_string_value(json_object_get(writer_metadata(writer), "data_directory"));
	return want(w, folder != NULL ? folder : "/", name, err);
}

static int
collect(struct cli *cli, struct wanted *w, struct error *err)
{
	CLEAN(paths_done) struct path_list paths = {0};
	const char *name;

	if (cli->inv->n_operands == 0 && !invocation_has(cli->inv, FLAG_WRITER))
		return error_set(err, ERR_USAGE, "give one PATH or --writer NAME at least");
	if (paths_list(cli->inv->operands, cli->inv->n_operands, &paths, err) < 0)
		return err->code;
	for (size_t i = 0; i < paths.n; i++)
		if (want(w, paths.paths[i], NULL, err) < 0)
			return err->code;
	for (size_t i = 0; (name = invocation_value_at(cli->inv, FLAG_WRITER, i)) != NULL; i++)
		if (want_writer(cli, w, name, err) < 0)
			return err->code;
	return OK;
}

/* {"type": ...} and the rest. */
static void
put_object(const char *type, json_t *rest)
{
	json_t *j = json_pack("{s:s}", "type", type);

	if (rest != NULL)
		(void)json_object_update(j, rest);
	json_decref(rest);
	out_json(j);
}

static void
put_json(const struct wanted *w, const struct plan *p)
{
	for (size_t i = 0; i < p->n_paths; i++) {
		const char *what = w->writer[i] != NULL ? w->writer[i] : w->list[i].path;
		json_t *j = plan_json_path(p, i);

		(void)json_object_set_new(j, "what", json_bytes(what, strlen(what)));
		(void)json_object_set_new(j, "kind",
					  json_string(w->writer[i] != NULL ? "writer" : "path"));
		put_object("plan", j);
	}
	for (size_t i = 0; i < p->n_crossings; i++)
		put_object("plan_nested", plan_json_crossing(p, i));
	for (size_t i = 0; i < p->n_members; i++)
		put_object("plan_snapshot", plan_json_member(p, i));
}

/* Wrapped; want of memory cuts it. */
static void
put_crossing(const struct plan_crossing *x)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(64 << 10);
	char text[4 * SNAPSHOT_PATH_MAX], safe[8 * SNAPSHOT_PATH_MAX];
	struct error ignored;

	(void)text_printf(text, sizeof(text), "%s %s, %s: %s",
			  x->subvolume ? "subvolume" : x->volume.type, x->path,
			  x->member < 0 ? "read live" : x->provider->name, x->why);
	if (buf_printf(&b, &ignored, "Nested: ") == OK)
		(void)!prose_wrap(&b, printable_message(text, safe, sizeof(safe)), 8, 8, &ignored);
	out_bytes(buf_slice(&b));
}

/* What is of the whole set. */
static void
put_rest(const struct plan *p)
{
	char shown[1024];
	size_t n = 0;

	for (size_t i = 0; i < p->n_members; i++)
		if (p->members[i].freezes)
			out_text("%s%s", n++ == 0 ? "Frozen in this order: " : ", ",
				 printable_message(p->members[i].source, shown, sizeof(shown)));
	if (n > 0)
		out_text("\n");
	for (size_t i = 0; i < p->n_crossings; i++)
		put_crossing(&p->crossings[i]);
}

/* "   label: value", wrapped. */
static int
put_row(struct buf *b, const char *label, const char *value, struct error *err)
{
	enum { COLUMN = 17 };
	char safe[2 * SNAPSHOT_PATH_MAX];

	if (buf_printf(b, err, "   %-*s", COLUMN - 3, label) < 0)
		return err->code;
	return prose_wrap(b, printable_message(value, safe, sizeof(safe)), COLUMN, COLUMN, err);
}

static int
put_path(const struct wanted *w, const struct plan *p, size_t i, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(64 << 10);
	const struct plan_path *path = &p->paths[i];
	char where[SNAPSHOT_PATH_MAX + 64], safe[4 * SNAPSHOT_PATH_MAX];

	(void)text_printf(where, sizeof(where), "%s at %s", path->volume.type,
			  path->volume.mount_point);
	if (buf_printf(&b, err, "%s%s%s\n", w->writer[i] != NULL ? w->writer[i] : "",
		       w->writer[i] != NULL ? ": " : "",
		       printable_message(path->path, safe, sizeof(safe))) < 0 ||
	    put_row(&b, "File system:", where, err) < 0 ||
	    put_row(&b, "Provider:", path->provider->name, err) < 0 ||
	    put_row(&b, "Consistency:", point_consistency_name(path->expected), err) < 0 ||
	    put_row(&b, "Why:", path->why, err) < 0 ||
	    put_row(&b, "Cost:", path->provider->cost, err) < 0)
		return err->code;
	out_bytes(buf_slice(&b));
	return OK;
}

/* One path after the other: reasons need more room than a table's column has. */
static int
put_text(const struct wanted *w, const struct plan *p, struct error *err)
{
	for (size_t i = 0; i < p->n_paths; i++)
		if (put_path(w, p, i, err) < 0)
			return err->code;
	put_rest(p);
	return OK;
}

int
verb_plan(struct cli *cli, struct error *err)
{
	CLEAN(wanted_freep) struct wanted *w = calloc(1, sizeof(*w));
	CLEAN(plan_done) struct plan p = {0};
	struct provider_settings settings;
	struct plan_request request;

	if (w == NULL)
		return error_no_memory(err);
	if (collect(cli, w, err) < 0 || host_providers(cli, &settings, err) < 0)
		return err->code;
	request = (struct plan_request){
		.n = w->n,
		.wanted = w->list,
		.wish = settings_text(cli->settings, OPTION_BACKUP_PROVIDER),
		.one_file_system = settings_bool(cli->settings, OPTION_BACKUP_ONE_FILE_SYSTEM),
		.settings = &settings,
	};
	if (plan_make(&request, &p, err) < 0)
		return err->code;
	if (!cli->json)
		return put_text(w, &p, err);
	put_json(w, &p);
	return OK;
}
