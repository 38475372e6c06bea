/* SPDX-License-Identifier: Apache-2.0 */

/* Help texts for the terminal, 80 columns wide. */
#include "config/help.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/option_named.h"
#include "config/prose.h"
#include "config/value.h"

enum {
	NAME_COLUMN = 2,
	HELP_COLUMN = 30, /* where a flag's help begins */
	SUMMARY_COLUMN = 18, /* where a command's summary begins */
};

/* "name", then the text from `column` on; on a line of its own if the name is too long. */
static int
item(struct buf *b, const char *name, const char *text, size_t column, struct error *err)
{
	size_t used = NAME_COLUMN + strlen(name);
	int r = buf_printf(b, err, "%*s%s", NAME_COLUMN, "", name);

	if (r == OK && used + 1 > column) {
		r = buf_append(b, "\n", 1, err);
		used = 0;
	}
	if (r == OK)
		r = prose_blanks(b, column - used, err);
	return r == OK ? prose_wrap(b, text, column, column, err) : r;
}

int
help_overview(struct buf *b, const char *group, struct error *err)
{
	const struct command *c;
	int r = buf_printf(b, err,
			   "Backs up a running Linux server at a consistent moment.\n"
			   "\n"
			   "Usage: holdfast %s [FLAG]... [OPERAND]...\n"
			   "\n"
			   "Commands:\n",
			   group != NULL ? group : "COMMAND");

	for (int id = COMMAND_NONE + 1; r == OK && (c = command_of((enum command_id)id)); id++) {
		size_t n = group != NULL ? strlen(group) : 0;

		if (group != NULL && (strncmp(c->name, group, n) != 0 || c->name[n] != ' '))
			continue;
		r = item(b, c->name, c->summary, SUMMARY_COLUMN, err);
	}
	if (r == OK)
		r = buf_printf(
			b, err,
			"\n"
			"'holdfast help COMMAND' tells all about one of them, 'holdfast help "
			"settings'\n"
			"about the configuration, 'holdfast help errors' about each error.\n");
	return r;
}

int
help_synopsis(struct buf *b, const struct command *c, struct error *err)
{
	const struct operands *o = &c->operands;
	int r = buf_printf(b, err, "holdfast %s", c->name);

	if (r == OK && c->repository)
		r = buf_printf(b, err, " [-r REPO]");
	if (r == OK)
		r = buf_printf(b, err, " [FLAG]...");
	if (r == OK && o->name != NULL)
		r = buf_printf(b, err, o->min > 0 ? " %s" : " [%s]", o->name);
	return r;
}

static int
flags(struct buf *b, const struct command *c, struct error *err)
{
	enum flag_id id;
	int r = buf_printf(b, err, "\nFlags:\n");

	for (size_t i = 0; r == OK && (id = command_flag_at(c, i)) != FLAG_NONE; i++) {
		const struct flag *f = command_flag(id);
		char name[96];
		char letter[4] = "   ";

		if (f->letter != 0)
			(void)text_printf(letter, sizeof(letter), "-%c,", f->letter);
		(void)text_printf(name, sizeof(name), "%s --%s%s%s", letter, f->name,
				  f->value != NULL ? " " : "", f->value != NULL ? f->value : "");
		r = item(b, name, f->help, HELP_COLUMN, err);
	}
	return r;
}

static int
examples(struct buf *b, const struct command *c, struct error *err)
{
	int r = OK;

	for (size_t i = 0; r == OK && i < COMMAND_EXAMPLES_MAX; i++) {
		const struct example *e = &c->examples[i];

		if (e->command == NULL)
			break;
		r = buf_printf(b, err, "%s  %s\n      %s\n", i == 0 ? "\nExamples:\n" : "",
			       e->command, e->what);
	}
	return r;
}

static int
exits(struct buf *b, const struct command *c, struct error *err)
{
	struct exit_note e;
	int r = buf_printf(b, err, "\nExit codes:\n");

	for (size_t i = 0; r == OK && command_exit_at(c, i, &e); i++) {
		char code[8];

		(void)text_printf(code, sizeof(code), "%2d", e.code);
		r = item(b, code, e.meaning, 6, err);
	}
	return r;
}

int
help_command(struct buf *b, const struct command *c, struct error *err)
{
	int r = buf_printf(b, err, "Usage: ");

	if (r == OK)
		r = help_synopsis(b, c, err);
	if (r == OK)
		r = buf_printf(b, err, "\n\n");
	if (r == OK)
		r = prose_wrap(b, c->text, 0, 0, err);
	if (r == OK && c->operands.name != NULL) {
		r = buf_printf(b, err, "\nOperands:\n");
		if (r == OK)
			r = item(b, c->operands.name, c->operands.help, SUMMARY_COLUMN, err);
	}
	if (r == OK)
		r = flags(b, c, err);
	if (r == OK)
		r = examples(b, c, err);
	return r == OK ? exits(b, c, err) : r;
}

int
help_option_range(struct buf *b, const struct option_def *o, struct error *err)
{
	char low[VALUE_TEXT_MAX];
	char high[VALUE_TEXT_MAX];
	int r;

	switch (o->type) {
	case OPTION_TYPE_NUMBER:
		return buf_printf(b, err, "number%s%s, %" PRIu64 " to %" PRIu64,
				  o->unit[0] != '\0' ? " of " : "", o->unit, o->min, o->max);
	case OPTION_TYPE_SIZE:
		if (o->min == 0 && (o->max == 0 || o->max == UINT64_MAX))
			return buf_printf(b, err, "size");
		return buf_printf(b, err, "size, %s to %s", value_format_size(o->min, low),
				  value_format_size(o->max, high));
	case OPTION_TYPE_DURATION:
		return buf_printf(b, err, "duration, %s to %s", value_format_duration(o->min, low),
				  value_format_duration(o->max, high));
	case OPTION_TYPE_DURATION_MS:
		return buf_printf(b, err, "duration, %s to %s",
				  value_format_duration_ms(o->min, low),
				  value_format_duration_ms(o->max, high));
	case OPTION_TYPE_CHOICE:
		r = OK;
		for (size_t i = 0; r == OK && o->choices[i] != NULL; i++)
			r = buf_printf(b, err, "%s%s", i > 0 ? ", " : "one of ", o->choices[i]);
		return r;
	default:
		return buf_printf(b, err, "%s", option_type_name(o->type));
	}
}

static int
setting(struct buf *b, const struct option_def *o, bool with_env, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(HELP_MAX);
	char env[96];
	int r = buf_printf(b, err, "\n%s.%s\n", o->section, o->key);

	if (r == OK)
		r = prose_sentence(&text, o->help, err);
	if (r == OK)
		r = buf_printf(&text, err, " %s", o->text);
	if (r == OK)
		r = prose_blanks(b, 4, err);
	if (r == OK)
		r = prose_wrap(b, (const char *)text.p, 4, 4, err);
	if (r == OK)
		r = buf_printf(b, err, "    Value: ");
	if (r == OK)
		r = help_option_range(b, o, err);
	if (r == OK)
		r = buf_printf(b, err, "\n    Default: ");
	if (r == OK)
		r = prose_wrap(b,
			       o->fallback_note != NULL ? o->fallback_note
			       : o->fallback[0] != '\0' ? o->fallback
							: "none",
			       13, 13, err);
	if (r == OK && with_env)
		r = buf_printf(b, err, "    Environment: %s%s%s\n", o->env != NULL ? o->env : "",
			       o->env != NULL ? " or " : "", option_env(o, env, sizeof(env)));
	return r;
}

int
help_settings(struct buf *b, struct error *err)
{
	const struct option_def *o;
	int r = prose_wrap(b,
			   "Settings come from the configuration file, the environment, --option "
			   "SECTION.KEY=VALUE, and flags of their own; later ones win. Sizes are "
			   "written as in 128MiB, durations as in 1h30m.",
			   0, 0, err);

	for (int id = OPTION_NONE + 1; r == OK && id < OPTION_COUNT; id++)
		r = setting(b, option_of((enum option_id)id), /* with_env= */ true, err);
	for (size_t i = 0; r == OK && (o = option_named_at(i)) != NULL; i++)
		r = setting(b, o, /* with_env= */ false, err);
	return r;
}
