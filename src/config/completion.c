/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A script of case statements: the word before the cursor decides what kind of value comes, the
 * command decides which flags there are. It needs no helper package and runs no command.
 */
#include "config/completion.h"

#include <string.h>

#include "config/command.h"

/* The values of a flag that has only some; NULL: any. */
static const char *const *
choices_of(const struct flag *f)
{
	const struct option_def *o = f->option != OPTION_NONE ? option_of(f->option) : NULL;

	return o != NULL && o->type == OPTION_TYPE_CHOICE ? o->choices : NULL;
}

/* What a flag's value is, by what the table calls it. */
static const char *
value_kind(const struct flag *f)
{
	if (choices_of(f) != NULL)
		return "choice";
	if (strcmp(f->value, "FILE") == 0)
		return "file";
	if (strcmp(f->value, "DIR") == 0 || strcmp(f->value, "REPO") == 0)
		return "dir";
	return "other";
}

/* Flags of several commands may share a name, and then what their value is. */
static bool
named_before(enum flag_id id)
{
	for (int other = FLAG_NONE + 1; other < (int)id; other++)
		if (strcmp(command_flag((enum flag_id)other)->name, command_flag(id)->name) == 0)
			return true;
	return false;
}

static int
put_choices(struct buf *b, struct error *err)
{
	int r = OK;

	for (int id = FLAG_NONE + 1; r == OK && id < FLAG_COUNT; id++) {
		const struct flag *f = command_flag((enum flag_id)id);
		const char *const *choices = choices_of(f);

		if (f->kind == FLAG_SWITCH || choices == NULL || named_before((enum flag_id)id))
			continue;
		r = buf_printf(b, err, "\t--%s)\n\t\tCOMPREPLY=($(compgen -W \"", f->name);
		for (size_t i = 0; r == OK && choices[i] != NULL; i++)
			r = buf_printf(b, err, "%s%s", i > 0 ? " " : "", choices[i]);
		if (r == OK)
			r = buf_printf(b, err, "\" -- \"$cur\"))\n\t\treturn\n\t\t;;\n");
	}
	return r;
}

static int
put_values(struct buf *b, struct error *err)
{
	static const char *const kinds[][2] = {
		{"file", "COMPREPLY=($(compgen -f -- \"$cur\")); compopt -o filenames"},
		{"dir", "COMPREPLY=($(compgen -d -- \"$cur\")); compopt -o filenames"},
		{"other", "COMPREPLY=()"},
	};
	int r = buf_printf(b, err, "\tcase $prev in\n");

	for (size_t k = 0; r == OK && k < ARRAY_SIZE(kinds); k++) {
		const char *before = "\t";

		for (int id = FLAG_NONE + 1; r == OK && id < FLAG_COUNT; id++) {
			const struct flag *f = command_flag((enum flag_id)id);

			if (f->kind == FLAG_SWITCH || strcmp(value_kind(f), kinds[k][0]) != 0 ||
			    named_before((enum flag_id)id))
				continue;
			r = buf_printf(b, err, "%s--%s", before, f->name);
			if (r == OK && f->letter != 0)
				r = buf_printf(b, err, "|-%c", f->letter);
			before = "|";
		}
		if (r == OK)
			r = buf_printf(b, err, ")\n\t\t%s\n\t\treturn\n\t\t;;\n", kinds[k][1]);
	}
	if (r == OK)
		r = put_choices(b, err);
	return r == OK ? buf_printf(b, err, "\tesac\n") : r;
}

static int
put_flags(struct buf *b, const struct command *c, struct error *err)
{
	enum flag_id id;
	int r = OK;

	for (size_t i = 0; r == OK && (id = command_flag_at(c, i)) != FLAG_NONE; i++)
		r = buf_printf(b, err, "%s--%s", i > 0 ? " " : "", command_flag(id)->name);
	return r;
}

/* The first words of all commands, each once; second words of `group` if it is not NULL. */
static int
put_words(struct buf *b, const char *group, struct error *err)
{
	const struct command *c;
	const char *last = "";
	size_t last_n = 0;
	int r = OK;

	for (int id = COMMAND_NONE + 1; r == OK && (c = command_of((enum command_id)id)); id++) {
		const char *word = c->name;
		size_t n = strcspn(word, " ");

		if (group != NULL) {
			if (strlen(group) != n || memcmp(group, word, n) != 0 || word[n] == '\0')
				continue;
			word += n + 1;
			n = strlen(word);
		}
		if (n == last_n && memcmp(last, word, n) == 0)
			continue;
		r = buf_printf(b, err, "%s%.*s", last_n > 0 ? " " : "", (int)n, word);
		last = word;
		last_n = n;
	}
	return r;
}

static int
put_groups(struct buf *b, struct error *err)
{
	const struct command *c;
	char done[64] = "";
	int r = OK;

	for (int id = COMMAND_NONE + 1; r == OK && (c = command_of((enum command_id)id)); id++) {
		size_t n = strcspn(c->name, " ");
		char group[64];

		if (c->name[n] == '\0' || n >= sizeof(group))
			continue;
		memcpy(group, c->name, n);
		group[n] = '\0';
		if (strcmp(group, done) == 0)
			continue;
		memcpy(done, group, n + 1);
		r = buf_printf(b, err, "\t\"%s\") words=\"", group);
		if (r == OK)
			r = put_words(b, group, err);
		if (r == OK)
			r = buf_printf(b, err, "\" ;;\n");
	}
	return r;
}

int
completion_bash(struct buf *b, struct error *err)
{
	const struct command *c;
	int r = buf_printf(
		b, err,
		"# SPDX-License-Identifier: Apache-2.0\n"
		"#\n"
		"# Completion of holdfast's command line for bash.\n"
		"# Made by \"holdfast help --completion bash\"; do not edit.\n"
		"\n"
		"_holdfast()\n"
		"{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal command='' words='' flags='' paths='' i\n"
		"\n");

	if (r == OK)
		r = put_values(b, err);
	if (r == OK)
		r = buf_printf(b, err,
			       "\n"
			       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
			       "\t\tcase ${COMP_WORDS[i]} in\n"
			       "\t\t-*) ;;\n"
			       "\t\t*) command+=\"${command:+ }${COMP_WORDS[i]}\" ;;\n"
			       "\t\tesac\n"
			       "\tdone\n"
			       "\tcase $command in\n"
			       "\t\"\") words=\"");
	if (r == OK)
		r = put_words(b, NULL, err);
	if (r == OK)
		r = buf_printf(b, err, "\" ;;\n");
	if (r == OK)
		r = put_groups(b, err);
	if (r == OK)
		r = buf_printf(b, err, "\t\"help\") words=\"errors settings ");
	if (r == OK)
		r = put_words(b, NULL, err);
	if (r == OK)
		r = buf_printf(b, err, "\" ;;\n");
	if (r == OK)
		r = buf_printf(b, err, "\tesac\n\tcase $command in\n");
	for (int id = COMMAND_NONE + 1; r == OK && (c = command_of((enum command_id)id)); id++) {
		const char *name = c->operands.name;
		bool paths = name != NULL && strncmp(name, "PATH", 4) == 0;

		r = buf_printf(b, err, "\t\"%s\"|\"%s \"*) flags=\"", c->name, c->name);
		if (r == OK)
			r = put_flags(b, c, err);
		if (r == OK)
			r = buf_printf(b, err, "\"%s ;;\n", paths ? " paths=yes" : "");
	}
	return r == OK ? buf_printf(b, err,
				    "\tesac\n"
				    "\tif [[ $cur == -* ]]; then\n"
				    "\t\tCOMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n"
				    "\telif [[ -n $words ]]; then\n"
				    "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
				    "\telif [[ -n $paths ]]; then\n"
				    "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
				    "\t\tcompopt -o filenames\n"
				    "\tfi\n"
				    "}\n"
				    "complete -F _holdfast holdfast\n")
		       : r;
}
