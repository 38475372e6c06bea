/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parser of command lines. One pass over argv: the first word that is no flag names the command
 * (two words for commands such as "key add"); from then on its flags are known, too.
 */
#include "config/invocation.h"

#include <string.h>

#include "base/text.h"
#include "config/suggest.h"

struct parser {
	int argc;
	char *const *argv;
	int at;
	bool flags_ended;
	struct invocation *inv;
};

static int
usage(const struct parser *p, struct error *err)
{
	if (p->inv->command == NULL)
		return error_hint(err, "see 'holdfast help'");
	return error_hint(err, "see 'holdfast help %s'", p->inv->command->name);
}

/* A flag by its name (n bytes) or, if name is NULL, its letter. */
static enum flag_id
find_flag(const struct command *command, const char *name, size_t n, char letter)
{
	enum flag_id id;

	for (size_t i = 0; (id = command_flag_at(command, i)) != FLAG_NONE; i++) {
		const struct flag *flag = command_flag(id);

		if (name != NULL ? strlen(flag->name) == n && memcmp(flag->name, name, n) == 0
				 : flag->letter == letter)
			return id;
	}
	return FLAG_NONE;
}

static int
unknown_flag(const struct parser *p, const char *arg, size_t n, struct error *err)
{
	char name[64];
	struct suggest s;
	enum flag_id id;

	error_set(err, ERR_USAGE, "there is no flag '%.*s'", (int)n, arg);
	if (arg[1] != '-' || !text_printf(name, sizeof(name), "%.*s", (int)n - 2, arg + 2))
		return usage(p, err);
	s = suggest_begin(name);
	for (size_t i = 0; (id = command_flag_at(p->inv->command, i)) != FLAG_NONE; i++)
		suggest_offer(&s, command_flag(id)->name);
	if (s.best != NULL)
		return error_hint(err, "did you mean '--%s'?", s.best);
	return usage(p, err);
}

static int
add_flag(struct parser *p, enum flag_id id, const char *value, struct error *err)
{
	const struct flag *flag = command_flag(id);

	if (flag->kind == FLAG_VALUE && invocation_has(p->inv, id)) {
		error_set(err, ERR_USAGE, "--%s was given twice", flag->name);
		return usage(p, err);
	}
	if (flag->kind != FLAG_SWITCH && value[0] == '\0') {
		error_set(err, ERR_USAGE, "--%s: the %s is empty", flag->name, flag->value);
		return usage(p, err);
	}
	/* argc bounds both lists: they were made large enough. */
	p->inv->flags[p->inv->n_flags++] = (struct invocation_flag){.id = id, .value = value};
	if (id == FLAG_HELP)
		p->inv->help = true;
	return OK;
}

/* argv[at] begins with '-' and is longer than that. */
static int
parse_flag(struct parser *p, struct error *err)
{
	const char *arg = p->argv[p->at++];
	const char *value = NULL;
	const struct flag *flag;
	size_t n = strlen(arg);
	enum flag_id id;

	if (arg[1] == '-') {
		const char *equals = strchr(arg, '=');

		if (equals != NULL) {
			n = (size_t)(equals - arg);
			value = equals + 1;
		}
		id = find_flag(p->inv->command, arg + 2, n - 2, 0);
	} else {
		if (n > 2)
			value = arg + 2;
		n = 2;
		id = find_flag(p->inv->command, NULL, 0, arg[1]);
	}
	if (id == FLAG_NONE)
		return unknown_flag(p, arg, n, err);

	flag = command_flag(id);
	if (flag->kind == FLAG_SWITCH) {
		if (value != NULL) {
			error_set(err, ERR_USAGE, "'%.*s' takes no value", (int)n, arg);
			return usage(p, err);
		}
		return add_flag(p, id, NULL, err);
	}
	if (value == NULL) {
		/* "--to --delta" is a forgotten folder, not a folder called "--delta". */
		if (p->at == p->argc || strncmp(p->argv[p->at], "--", 2) == 0) {
			error_set(err, ERR_USAGE, "'%s' needs a value: %s", arg, flag->value);
			return usage(p, err);
		}
		value = p->argv[p->at++];
	}
	return add_flag(p, id, value, err);
}

static int
unknown_command(const char *name, struct error *err)
{
	const char *nearest = command_nearest(name);

	error_set(err, ERR_USAGE, "there is no command '%s'", name);
	if (nearest != NULL)
		return error_hint(err, "did you mean 'holdfast %s'?", nearest);
	return error_hint(err, "see 'holdfast help'");
}

/* A word: the command, the second word of one, or an operand. */
static int
parse_word(struct parser *p, struct error *err)
{
	const char *word = p->argv[p->at++];
	struct invocation *inv = p->inv;
	char name[64];

	/* "agent" is a command, and so is "agent enroll". */
	if (inv->command != NULL && inv->group != NULL && inv->n_operands == 0 &&
	    text_printf(name, sizeof(name), "%s %s", inv->group, word) &&
	    command_find(name) != NULL) {
		inv->command = command_find(name);
		inv->group = NULL;
		return OK;
	}
	if (inv->command != NULL) {
		inv->operands[inv->n_operands++] = word;
		return OK;
	}
	if (inv->group != NULL) {
		if (!text_printf(name, sizeof(name), "%s %s", inv->group, word))
			return unknown_command(word, err);
		inv->command = command_find(name);
		if (inv->command == NULL)
			return unknown_command(name, err);
		return OK;
	}
	inv->command = command_find(word);
	if (command_is_group(word)) {
		inv->group = word;
		return OK;
	}
	return inv->command != NULL ? OK : unknown_command(word, err);
}

/* Flags that came before the command must be among those it takes. */
static int
check_flags(const struct parser *p, struct error *err)
{
	const struct command *command = p->inv->command;

	for (size_t i = 0; i < p->inv->n_flags; i++) {
		const struct flag *flag = command_flag(p->inv->flags[i].id);

		if (find_flag(command, flag->name, strlen(flag->name), 0) != FLAG_NONE)
			continue;
		error_set(err, ERR_USAGE, "'%s' does not take --%s", command->name, flag->name);
		return usage(p, err);
	}
	return OK;
}

static int
check_operands(const struct parser *p, struct error *err)
{
	const struct invocation *inv = p->inv;
	const struct operands *wanted = &inv->command->operands;

	if (inv->n_operands < wanted->min)
		error_set(err, ERR_USAGE, "%s is missing", wanted->name);
	else if (wanted->name == NULL && inv->n_operands > 0)
		error_set(err, ERR_USAGE, "'%s' is too much: the command takes no operands",
			  inv->operands[0]);
	else if (wanted->name != NULL && inv->n_operands > wanted->max)
		error_set(err, ERR_USAGE, "'%s' is too much", inv->operands[wanted->max]);
	else
		return OK;
	return usage(p, err);
}

int
invocation_parse(int argc, char *const argv[], struct invocation *ret, struct error *err)
{
	CLEAN(invocation_done) struct invocation inv = {0};
	struct parser p = {.argc = argc, .argv = argv, .inv = &inv};

	inv.flags = calloc((size_t)argc + 1, sizeof(*inv.flags));
	inv.operands = calloc((size_t)argc + 1, sizeof(*inv.operands));
	if (inv.flags == NULL || inv.operands == NULL)
		return error_no_memory(err);

	while (p.at < argc) {
		const char *arg = argv[p.at];
		int r;

		if (!p.flags_ended && strcmp(arg, "--") == 0) {
			p.flags_ended = true;
			p.at++;
			continue;
		}
		if (!p.flags_ended && arg[0] == '-' && arg[1] != '\0')
			r = parse_flag(&p, err);
		else
			r = parse_word(&p, err);
		if (r < 0)
			return r;
	}

	if (!inv.help) {
		int r = OK;

		if (inv.command == NULL) {
			error_set(err, ERR_USAGE,
				  inv.group != NULL ? "'%s' needs one more word"
						    : "%sno command was given",
				  inv.group != NULL ? inv.group : "");
			return error_hint(err, "see 'holdfast help%s%s'",
					  inv.group != NULL ? " " : "",
					  inv.group != NULL ? inv.group : "");
		}
		r = check_flags(&p, err);
		if (r == OK)
			r = check_operands(&p, err);
		if (r < 0)
			return r;
	}
	*ret = inv;
	inv = (struct invocation){0};
	return OK;
}

void
invocation_done(struct invocation *inv)
{
	free(inv->flags);
	free(inv->operands);
	*inv = (struct invocation){0};
}

bool
invocation_has(const struct invocation *inv, enum flag_id id)
{
	for (size_t i = 0; i < inv->n_flags; i++)
		if (inv->flags[i].id == id)
			return true;
	return false;
}

const char *
invocation_value_at(const struct invocation *inv, enum flag_id id, size_t n)
{
	for (size_t i = 0; i < inv->n_flags; i++)
		if (inv->flags[i].id == id && n-- == 0)
			return inv->flags[i].value;
	return NULL;
}

const char *
invocation_value(const struct invocation *inv, enum flag_id id)
{
	return invocation_value_at(inv, id, 0);
}

int
invocation_values(const struct invocation *inv, enum flag_id id, const char ***ret, size_t *ret_n,
		  struct error *err)
{
	size_t n = 0;
	const char **values;

	while (invocation_value_at(inv, id, n) != NULL)
		n++;
	values = calloc(n + 1, sizeof(*values));
	if (values == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++)
		values[i] = invocation_value_at(inv, id, i);
	*ret = values;
	*ret_n = n;
	return OK;
}

int
invocation_set(const struct invocation *inv, struct settings *settings, struct error *err)
{
	const char *assignment;
	char origin[64];

	for (size_t i = 0; (assignment = invocation_value_at(inv, FLAG_OPTION, i)) != NULL; i++) {
		int r = settings_set_assignment(settings, assignment, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < inv->n_flags; i++) {
		const struct flag *flag = command_flag(inv->flags[i].id);
		const char *value = inv->flags[i].value;

		if (flag->option == OPTION_NONE)
			continue;
		(void)text_printf(origin, sizeof(origin), "command line --%s", flag->name);
		if (settings_set(settings, flag->option, value != NULL ? value : "yes",
				 SETTING_FLAG, origin, err) < 0)
			return err != NULL ? err->code : ERR_INTERNAL;
	}
	return OK;
}
