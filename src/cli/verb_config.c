/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast config show */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/table.h"
#include "config/value.h"

/* The values of a setting as one text. */
static char *
value_text(const struct setting_view *v, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	if (v->n > 0 && v->secret)
		(void)text_printf(text, size, "(hidden)");
	else if (v->n > 0 && v->option != NULL && v->option->type == OPTION_TYPE_SIZE)
		value_format_size(v->number, text);
	else if (v->n > 0 && v->option != NULL && v->option->type == OPTION_TYPE_DURATION)
		value_format_duration(v->number, text);
	else if (v->n > 0 && v->option != NULL && v->option->type == OPTION_TYPE_DURATION_MS)
		value_format_duration_ms(v->number, text);
	else
		for (size_t i = 0; i < v->n && size - n > 8; i++) {
			(void)text_printf(text + n, size - n, "%s%s", i > 0 ? " " : "",
					  v->values[i]);
			n = strlen(text);
		}
	return text;
}

static bool
has_number(const struct setting_view *v)
{
	return v->option != NULL && v->n > 0 &&
	       (v->option->type == OPTION_TYPE_NUMBER || v->option->type == OPTION_TYPE_SIZE ||
		v->option->type == OPTION_TYPE_DURATION ||
		v->option->type == OPTION_TYPE_DURATION_MS);
}

static void
put_json(const struct setting_view *v)
{
	CLEAN(json_done) json_t *values = json_array();
	json_t *j;

	for (size_t i = 0; values != NULL && i < v->n && !v->secret; i++)
		(void)json_array_append_new(values, json_bytes(v->values[i], strlen(v->values[i])));
	j = json_pack("{s:s, s:s, s:s, s:O, s:s, s:o}", "type", "setting", "section", v->section,
		      "key", v->key, "values", values, "unit",
		      v->option != NULL ? option_unit(v->option) : "", "origin",
		      json_bytes(v->origin, strlen(v->origin)));
	if (j != NULL && has_number(v))
		(void)json_object_set_new(j, "number", json_integer((json_int_t)v->number));
	out_json(j);
}

static void
put_row(struct table *t, const struct setting_view *v)
{
	const char *unit = v->option != NULL ? option_unit(v->option) : "";
	bool scaled = v->option != NULL && (v->option->type == OPTION_TYPE_SIZE ||
					    v->option->type == OPTION_TYPE_DURATION ||
					    v->option->type == OPTION_TYPE_DURATION_MS);
	char text[VALUE_TEXT_MAX + SETTING_TEXT_MAX];

	table_cell(t, "%s.%s", v->section, v->key);
	table_cell(t, "%s", v->n > 0 ? value_text(v, text, sizeof(text)) : "-");
	if (scaled && v->n > 0)
		table_cell(t, "%" PRIu64 " %s", v->number, unit);
	else
		table_cell(t, "%s", unit);
	table_cell(t, "%s", v->origin);
}

int
verb_config_show(struct cli *cli, struct error *err)
{
	CLEAN(table_done) struct table t;
	struct setting_view v;

	table_init(&t, "llll");
	table_cell(&t, "SETTING");
	table_cell(&t, "VALUE");
	table_cell(&t, "UNIT");
	table_cell(&t, "FROM");
	for (size_t i = 0; settings_at(cli->settings, i, &v); i++) {
		if (v.source == SETTING_DEFAULT && !invocation_has(cli->inv, FLAG_EFFECTIVE))
			continue;
		if (cli->json)
			put_json(&v);
		else
			put_row(&t, &v);
	}
	return cli->json ? OK : table_print(&t, err);
}
