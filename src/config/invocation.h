/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One command line, taken apart and checked against the tables: which command, which flags with
 * which values, which operands. Strict: an unknown flag is an error that suggests the nearest
 * one.
 *
 *	--flag=VALUE, --flag VALUE, -f VALUE, -fVALUE; "--" ends the flags; flags and operands may mix
 *
 * Flags that every command takes, or every command on a repository, may also stand before the
 * command. Texts point into argv.
 */
#ifndef HF_CONFIG_INVOCATION_H
#define HF_CONFIG_INVOCATION_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "config/command.h"
#include "config/settings.h"

struct invocation_flag {
	enum flag_id id;
	const char *value; /* NULL for a switch */
};

struct invocation {
	const struct command *command; /* NULL: none was given */
	const char *group; /* instead of a command: the first word of several ("key"), for help */
	bool help; /* --help: nothing else was checked */
	size_t n_flags;
	struct invocation_flag *flags;
	size_t n_operands;
	const char **operands;
};

/* argv without the program's name. ERR_USAGE. */
CHECKED int invocation_parse(int argc, char *const argv[], struct invocation *ret,
			     struct error *err);
void invocation_done(struct invocation *inv);

bool invocation_has(const struct invocation *inv, enum flag_id id);
/* The value of a flag, NULL if it was not given. */
const char *invocation_value(const struct invocation *inv, enum flag_id id);
/* The n-th value from 0 of a flag that may be given several times, NULL past the end. */
const char *invocation_value_at(const struct invocation *inv, enum flag_id id, size_t n);
/* All its values, then NULL; the array is the caller's to free. */
CHECKED int invocation_values(const struct invocation *inv, enum flag_id id, const char ***ret,
			      size_t *ret_n, struct error *err);

/* Apply --option, then the flags that stand for settings. */
CHECKED int invocation_set(const struct invocation *inv, struct settings *settings,
			   struct error *err);

#endif
