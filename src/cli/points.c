/* SPDX-License-Identifier: Apache-2.0 */

/* Showing restore points. */
#include "cli/points.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/moments.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/table.h"
#include "cli/units.h"

enum { WHAT_MAX = 400, PATH_BYTES_MAX = 64 << 10 };

int
points_filter(const struct invocation *inv, struct forget_filter *ret, struct error *err)
{
	struct forget_filter filter = {.host = invocation_value(inv, FLAG_WITH_HOST)};
	const char **tags;

	while (invocation_value_at(inv, FLAG_WITH_TAG, filter.n_tags) != NULL)
		filter.n_tags++;
	tags = calloc(filter.n_tags + 1, sizeof(*tags));
	if (tags == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < filter.n_tags; i++)
		tags[i] = invocation_value_at(inv, FLAG_WITH_TAG, i);
	filter.tags = tags;
	*ret = filter;
	return OK;
}

void
points_filter_done(struct forget_filter *filter)
{
	free((void *)(uintptr_t)filter->tags);
	*filter = (struct forget_filter){0};
}

/* A name of any bytes, made printable, after what is in b already. */
static int
add_name(struct buf *b, const json_t *name, struct error *err)
{
	CLEAN(buf_done) struct buf raw = BUF_INIT(PATH_BYTES_MAX);

	if (json_bytes_get(name, &raw, err) < 0)
		return err->code;
	return printable_name(b, buf_slice(&raw), err);
}

char *
points_what(const struct point *p, char *text, size_t size)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(PATH_BYTES_MAX);
	struct error ignored = ERROR_INIT;
	const json_t *paths = json_object_get(p->json, "paths");
	int r = OK;

	if (point_is_log(p))
		return moments_of_logs(p, text, size);
	/* A name too long for the line is cut below; one that cannot be shown is left out. */
	for (size_t i = 0; i < json_array_size(paths) && r == OK && b.n < size; i++) {
		r = buf_printf(&b, &ignored, "%s", b.n > 0 ? " " : "");
		if (r == OK)
			r = add_name(&b, json_array_get(paths, i), &ignored);
	}
	for (size_t i = 0; i < p->n_roots && r == OK && b.n < size; i++)
		if (p->roots[i].name[0] != '\0')
			r = buf_printf(&b, &ignored, "%s%s", b.n > 0 ? " " : "", p->roots[i].name);
	(void)text_printf(text, size, "%.*s", (int)b.n, b.n > 0 ? (const char *)b.p : "");
	return text;
}

uint64_t
points_stat(const struct point *p, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(json_object_get(p->json, "stats"), name));

	return v > 0 ? (uint64_t)v : 0;
}

/* The record as it is, with what is not in it: the id, and times as text. "type" is that of the line, as
 * everywhere; the record's own is "backup_type". */
static void
put_json(const struct point *p)
{
	char start[32], end[32];
	json_t *type = json_object_get(p->json, "type");
	json_t *j = json_pack("{s:s, s:s, s:s}", "id", p->id_text, "start_time",
			      clock_format_utc(p->start_ns, start), "end_time",
			      clock_format_utc(p->end_ns, end));

	if (j != NULL &&
	    (json_object_update(j, p->json) < 0 ||
	     json_object_set_new(j, "type", json_string("point")) < 0 ||
	     json_object_set_new(j, "backup_type",
				 type != NULL ? json_incref(type) : json_string("full")) < 0)) {
		json_decref(j);
		j = NULL;
	}
	out_json(j);
}

int
points_show_list(const struct cli *cli, const struct point_list *list,
		 const struct forget_filter *filter, struct error *err)
{
	CLEAN(table_done) struct table t;
	char text[UNITS_MAX], what[WHAT_MAX];

	table_init(&t, "lllllrl");
	table_cell(&t, "ID");
	table_cell(&t, "TIME");
	table_cell(&t, "HOST");
	table_cell(&t, "TYPE");
	table_cell(&t, "CONSISTENCY");
	table_cell(&t, "SIZE");
	table_cell(&t, "WHAT");
	for (size_t i = 0; i < list->n; i++) {
		const struct point *p = list->points[i];

		if (!forget_matches(filter, p))
			continue;
		if (cli->json) {
			put_json(p);
			continue;
		}
		table_cell(&t, "%.8s", p->id_text);
		table_cell(&t, "%s", units_time(p->start_ns, text));
		table_cell(&t, "%s", p->host);
		table_cell(&t, "%s", point_type(p));
		table_cell(&t, "%s%s", point_consistency_name(p->consistency),
			   p->incomplete ? ", incomplete" : "");
		table_cell(&t, "%s", units_bytes(points_stat(p, "bytes"), text));
		table_cell(&t, "%s", points_what(p, what, sizeof(what)));
	}
	if (!cli->json && table_print(&t, err) < 0)
		return err->code;
	return moments_show(cli, list, filter, err);
}

static void
show_roots(const struct point *p)
{
	const json_t *roots = json_object_get(p->json, "roots");

	for (size_t i = 0; i < p->n_roots; i++) {
		const json_t *j = json_array_get(roots, i);
		const char *consistency = json_string_value(json_object_get(j, "consistency"));
		const char *provider = json_string_value(json_object_get(j, "provider"));

		out_text("  %-14s consistency %s, provider %s\n",
			 p->roots[i].name[0] != '\0' ? p->roots[i].name : "/ (folders)",
			 consistency != NULL ? consistency : "?",
			 provider != NULL ? provider : "?");
	}
}

static int
show_warnings(const struct point *p, struct error *err)
{
	const json_t *warnings = json_object_get(p->json, "warnings");
	json_int_t count = json_integer_value(json_object_get(p->json, "warning_count"));

	if (count > 0)
		out_text("Warnings: %lld\n", (long long)count);
	for (size_t i = 0; i < json_array_size(warnings); i++) {
		CLEAN(buf_done) struct buf line = BUF_INIT(PATH_BYTES_MAX);

		if (buf_printf(&line, err, "  ") < 0 ||
		    add_name(&line, json_object_get(json_array_get(warnings, i), "message"), err) <
			    0 ||
		    buf_append(&line, "\n", 1, err) < 0)
			return error_prefix(err, "the restore point's warnings");
		out_bytes(buf_slice(&line));
	}
	return OK;
}

int
points_show_one(const struct cli *cli, const struct point *p, struct error *err)
{
	char a[UNITS_MAX], b[UNITS_MAX], what[WHAT_MAX], name[256];

	if (cli->json) {
		put_json(p);
		return OK;
	}
	out_text("Restore point %s\n", p->id_text);
	out_text("Host:     %s\n", printable_message(p->host, name, sizeof(name)));
	out_text("Time:     %s, took %s\n", units_time(p->start_ns, a),
		 units_elapsed(p->end_ns - MIN(p->start_ns, p->end_ns), b));
	out_text("What:     %s\n", points_what(p, what, sizeof(what)));
	out_text("Type:     %s\n", printable_message(point_type(p), name, sizeof(name)));
	out_text("Size:     %s in %s\n", units_bytes(points_stat(p, "bytes"), a),
		 units_of(points_stat(p, "files"), "file", b));
	out_text("Stored:   %s for this restore point\n",
		 units_bytes(points_stat(p, "bytes_stored"), a));
	out_text("State:    consistency %s, %s\n", point_consistency_name(p->consistency),
		 p->incomplete ? "incomplete" : "complete");
	out_text("Holds:\n");
	show_roots(p);
	return show_warnings(p, err);
}
