/* SPDX-License-Identifier: Apache-2.0 */

/* Looking things up in the tables of commands and flags. */
#include "config/command.h"

#include <string.h>

#include "config/command_table.h"
#include "config/flag_table.h"
#include "config/suggest.h"

/* What every command can end with. Source: design, "What a person sees". */
static const struct exit_note common_exits[] = {
	{0, "Done as asked."},
	{1, "Failed."},
	{2, "The command line is wrong."},
	{75, "Failed, but likely not for long: the same command is worth repeating."},
};

const struct command *
command_of(enum command_id id)
{
	return id > COMMAND_NONE && id < COMMAND_COUNT ? &command_table[id] : NULL;
}

enum command_id
command_id_of(const struct command *command)
{
	return (enum command_id)(command - command_table);
}

const struct command *
command_find(const char *name)
{
	for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++)
		if (strcmp(command_table[id].name, name) == 0)
			return &command_table[id];
	return NULL;
}

bool
command_is_group(const char *word)
{
	size_t n = strlen(word);

	for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++)
		if (strncmp(command_table[id].name, word, n) == 0 &&
		    command_table[id].name[n] == ' ')
			return true;
	return false;
}

const char *
command_nearest(const char *name)
{
	struct suggest s = suggest_begin(name);

	for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++)
		suggest_offer(&s, command_table[id].name);
	return s.best;
}

const struct flag *
command_flag(enum flag_id id)
{
	return id > FLAG_NONE && id < FLAG_COUNT ? &flag_table[id] : NULL;
}

enum flag_id
command_flag_at(const struct command *command, size_t n)
{
	const enum flag_id *groups[] = {
		command != NULL ? command->flags : NULL,
		command == NULL || command->repository ? flag_table_repository : NULL,
		flag_table_common,
	};

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (const enum flag_id *f = groups[g]; f != NULL && *f != FLAG_NONE; f++)
			if (n-- == 0)
				return *f;
	return FLAG_NONE;
}

bool
command_exit_at(const struct command *command, size_t n, struct exit_note *ret)
{
	int last = -1;

	/* A command's own meaning of a code goes before the common one. */
	for (size_t i = 0;; i++) {
		struct exit_note next = {.code = 256};

		for (size_t c = 0; c < ARRAY_SIZE(common_exits); c++)
			if (common_exits[c].code > last && common_exits[c].code < next.code)
				next = common_exits[c];
		for (size_t c = 0; command != NULL && c < COMMAND_EXITS_MAX; c++)
			if (command->exits[c].meaning != NULL && command->exits[c].code > last &&
			    command->exits[c].code <= next.code)
				next = command->exits[c];
		if (next.code == 256)
			return false;
		if (i == n) {
			*ret = next;
			return true;
		}
		last = next.code;
	}
}
