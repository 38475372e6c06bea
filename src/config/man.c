/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writing mdoc. The pages depend on nothing but the tables and the version, so that the copies kept
 * in doc/man can be compared with what the program prints.
 */
#include "config/man.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "config/config_file.h"
#include "config/help.h"
#include "config/option_named.h"
#include "config/prose.h"

enum { PAGE_NAME_MAX = 64 };

/* When the texts last changed much; man pages must carry a date. */
#define MAN_DATE "November 22, 2026"

char *
man_page_name(const struct command *c, char *text, size_t size)
{
	(void)text_printf(text, size, "holdfast-%s", c->name);
	for (char *p = text; *p != '\0'; p++)
		if (*p == ' ')
			*p = '-';
	return text;
}

static int
head(struct buf *b, const char *name, int section, const char *summary, struct error *err)
{
	char title[PAGE_NAME_MAX];

	(void)text_printf(title, sizeof(title), "%s", name);
	for (char *p = title; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	return buf_printf(b, err,
			  ".\\\" SPDX-License-Identifier: Apache-2.0\n"
			  ".\\\" Made by \"holdfast help --man\"; do not edit.\n"
			  ".Dd " MAN_DATE "\n"
			  ".Dt %s %d\n"
			  ".Os Holdfast " HF_VERSION "\n"
			  ".Sh NAME\n"
			  ".Nm %s\n"
			  ".Nd %s\n",
			  title, section, name, summary);
}

static int
exits(struct buf *b, const struct command *c, struct error *err)
{
	struct exit_note e;
	int r = buf_printf(b, err, ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");

	for (size_t i = 0; r == OK && command_exit_at(c, i, &e); i++) {
		r = buf_printf(b, err, ".It %d\n", e.code);
		if (r == OK)
			r = prose_mdoc(b, e.meaning, err);
	}
	return r == OK ? buf_printf(b, err, ".El\n") : r;
}

static int
flag_item(struct buf *b, const struct flag *f, struct error *err)
{
	CLEAN(buf_done) struct buf help = BUF_INIT(HELP_MAX);
	int r = buf_printf(b, err, ".It ");

	if (r == OK && f->letter != 0)
		r = f->value != NULL ? buf_printf(b, err, "Fl %c Ar %s , ", f->letter, f->value)
				     : buf_printf(b, err, "Fl %c , ", f->letter);
	if (r == OK)
		r = buf_printf(b, err, "Fl -%s", f->name);
	if (r == OK && f->value != NULL)
		r = buf_printf(b, err, " Ar %s", f->value);
	if (r == OK)
		r = buf_append(b, "\n", 1, err);
	if (r == OK)
		r = prose_sentence(&help, f->help, err);
	return r == OK ? prose_mdoc(b, (const char *)help.p, err) : r;
}

static int
flags(struct buf *b, const struct command *c, struct error *err)
{
	enum flag_id id;
	int r = buf_printf(b, err, "The flags are:\n.Bl -tag -width Ds\n");

	for (size_t i = 0; r == OK && (id = command_flag_at(c, i)) != FLAG_NONE; i++)
		r = flag_item(b, command_flag(id), err);
	return r == OK ? buf_printf(b, err, ".El\n") : r;
}

static int
examples(struct buf *b, const struct command *c, struct error *err)
{
	int r = OK;

	for (size_t i = 0; r == OK && i < COMMAND_EXAMPLES_MAX; i++) {
		const struct example *e = &c->examples[i];
		CLEAN(buf_done) struct buf what = BUF_INIT(HELP_MAX);

		if (e->command == NULL)
			break;
		if (i == 0)
			r = buf_printf(b, err, ".Sh EXAMPLES\n");
		if (r == OK)
			r = prose_sentence(&what, e->what, err);
		if (r == OK)
			r = prose_mdoc(b, (const char *)what.p, err);
		if (r == OK)
			r = buf_printf(b, err, ".Dl $ %s\n", e->command);
		if (r == OK && i + 1 < COMMAND_EXAMPLES_MAX && c->examples[i + 1].command != NULL)
			r = buf_printf(b, err, ".Pp\n");
	}
	return r;
}

/* "PATH..." is "PATH ..." in mdoc. */
static int
operand(struct buf *b, const struct operands *o, struct error *err)
{
	const char *dots = strstr(o->name, "...");
	int n = dots != NULL ? (int)(dots - o->name) : (int)strlen(o->name);

	return buf_printf(b, err, "Ar %.*s%s\n", n, o->name, dots != NULL ? " ..." : "");
}

static int
command_synopsis(struct buf *b, const struct command *c, struct error *err)
{
	const struct operands *o = &c->operands;
	int r = buf_printf(b, err, ".Sh SYNOPSIS\n.Nm holdfast %s\n", c->name);

	if (r == OK && c->repository)
		r = buf_printf(b, err, ".Op Fl r Ar REPO\n");
	if (r == OK)
		r = buf_printf(b, err, ".Op Ar FLAG ...\n");
	if (r == OK && o->name != NULL) {
		r = buf_printf(b, err, o->min > 0 ? "." : ".Op ");
		if (r == OK)
			r = operand(b, o, err);
	}
	return r;
}

int
man_command(struct buf *b, const struct command *c, struct error *err)
{
	char name[PAGE_NAME_MAX];
	int r = head(b, man_page_name(c, name, sizeof(name)), 1, c->summary, err);

	if (r == OK)
		r = command_synopsis(b, c, err);
	if (r == OK)
		r = buf_printf(b, err, ".Sh DESCRIPTION\n");
	if (r == OK)
		r = prose_mdoc(b, c->text, err);
	if (r == OK && c->operands.name != NULL) {
		r = buf_printf(b, err, ".Pp\nThe operand is:\n.Bl -tag -width Ds\n.It ");
		if (r == OK)
			r = operand(b, &c->operands, err);
		if (r == OK)
			r = prose_mdoc(b, c->operands.help, err);
		if (r == OK)
			r = buf_printf(b, err, ".El\n");
	}
	if (r == OK)
		r = buf_printf(b, err, ".Pp\n");
	if (r == OK)
		r = flags(b, c, err);
	if (r == OK)
		r = exits(b, c, err);
	if (r == OK)
		r = examples(b, c, err);
	return r == OK ? buf_printf(b, err, ".Sh SEE ALSO\n.Xr holdfast 1 ,\n.Xr holdfast.conf 5\n")
		       : r;
}

int
man_overview(struct buf *b, struct error *err)
{
	const struct command *c;
	char name[PAGE_NAME_MAX];
	int r = head(b, "holdfast", 1, "application-aware backup", err);

	if (r == OK)
		r = buf_printf(b, err,
			       ".Sh SYNOPSIS\n"
			       ".Nm\n"
			       ".Ar COMMAND\n"
			       ".Op Ar FLAG ...\n"
			       ".Op Ar OPERAND ...\n"
			       ".Sh DESCRIPTION\n");
	if (r == OK)
		r = prose_mdoc(
			b,
			"Holdfast backs up folders and running databases of a Linux server "
			"into an encrypted, deduplicated repository. A database is brought to a "
			"consistent point by its writer, a separate program, so that what is "
			"restored can be started.",
			err);
	if (r == OK)
		r = buf_printf(b, err, ".Pp\nThe commands are:\n.Bl -tag -width Ds\n");
	for (int id = COMMAND_NONE + 1; r == OK && (c = command_of((enum command_id)id)); id++)
		r = buf_printf(b, err, ".It Xr %s 1\n%c%s.\n", man_page_name(c, name, sizeof(name)),
			       toupper((unsigned char)c->summary[0]), c->summary + 1);
	if (r == OK)
		r = buf_printf(b, err, ".El\n.Pp\n");
	if (r == OK)
		r = flags(b, NULL, err);
	if (r == OK)
		r = buf_printf(b, err,
			       ".Sh FILES\n"
			       ".Bl -tag -width Ds\n"
			       ".It Pa " CONFIG_FILE_DEFAULT "\n"
			       "The configuration file, see\n"
			       ".Xr holdfast.conf 5 .\n"
			       ".El\n");
	if (r == OK)
		r = exits(b, NULL, err);
	return r == OK ? buf_printf(b, err, ".Sh SEE ALSO\n.Xr holdfast.conf 5\n") : r;
}

static int
setting(struct buf *b, const struct option_def *o, bool with_env, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(HELP_MAX);
	char env[96];
	int r = prose_sentence(&text, o->help, err);

	if (r == OK)
		r = buf_printf(&text, err, " %s Value: ", o->text);
	if (r == OK)
		r = help_option_range(&text, o, err);
	if (r == OK)
		r = buf_printf(&text, err, ". Default: %s.",
			       o->fallback_note != NULL ? o->fallback_note
			       : o->fallback[0] != '\0' ? o->fallback
							: "none");
	if (r == OK)
		r = buf_printf(b, err, ".It Cm %s\n", o->key);
	if (r == OK)
		r = prose_mdoc(b, (const char *)text.p, err);
	if (!with_env)
		return r;
	if (r == OK)
		r = buf_printf(b, err, "Environment:\n");
	if (r == OK && o->env != NULL)
		r = buf_printf(b, err, ".Ev %s ,\n", o->env);
	return r == OK ? buf_printf(b, err, ".Ev %s .\n", option_env(o, env, sizeof(env))) : r;
}

static int
section(struct buf *b, const struct option_section *s, struct error *err)
{
	const struct option_def *o;
	int r = buf_printf(b, err, ".Ss [%s]\n", s->name);

	if (r == OK)
		r = prose_mdoc(b, s->help, err);
	if (r == OK)
		r = buf_printf(b, err, ".Bl -tag -width Ds\n");
	for (int id = OPTION_NONE + 1; r == OK && id < OPTION_COUNT; id++)
		if (strcmp(option_of((enum option_id)id)->section, s->name) == 0)
			r = setting(b, option_of((enum option_id)id), /* with_env= */ true, err);
	for (size_t i = 0; r == OK && (o = option_named_at(i)) != NULL; i++)
		if (strcmp(o->section, s->name) == 0)
			r = setting(b, o, /* with_env= */ false, err);
	return r == OK ? buf_printf(b, err, ".El\n") : r;
}

int
man_settings(struct buf *b, struct error *err)
{
	const struct option_section *s;
	int r = head(b, "holdfast.conf", 5, "settings of Holdfast", err);

	if (r == OK)
		r = buf_printf(b, err, ".Sh DESCRIPTION\n");
	if (r == OK)
		r = prose_mdoc(
			b,
			"The file has sections in brackets, and in them one 'key = value' a line. "
			"Lines that begin with '#' or ';' are comments, and so is what follows a "
			"';' with a blank before it. A line has at most 198 bytes. Settings that are lists may be "
			"given several times, all others once; unknown ones are errors.\n"
			"\n"
			"A setting can also be given in the environment and with --option "
			"SECTION.KEY=VALUE; the command line goes before the environment, and that "
			"before the file. 'holdfast config show --effective' prints the values in "
			"force and where each came from.\n"
			"\n"
			"Sizes are written as in 128MiB, durations as in 1h30m. Settings in a section "
			"[writer.NAME] of a writer that is not listed here are given to that writer as "
			"they are.",
			err);
	for (size_t i = 0; r == OK && (s = option_section_at(i)) != NULL; i++)
		r = section(b, s, err);
	for (size_t i = 0; r == OK && (s = option_named_section_at(i)) != NULL; i++)
		r = section(b, s, err);
	return r == OK ? buf_printf(b, err,
				    ".Sh FILES\n"
				    ".Bl -tag -width Ds\n"
				    ".It Pa " CONFIG_FILE_DEFAULT "\n"
				    "Read unless\n"
				    ".Fl -config\n"
				    "names another file.\n"
				    ".El\n"
				    ".Sh SEE ALSO\n"
				    ".Xr holdfast 1 ,\n"
				    ".Xr holdfast-config-show 1\n")
		       : r;
}
