/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Errors, warnings and notes for whoever ran the command: on standard error as text, or on standard
 * output as JSON objects when JSON was asked for, so that a program reads one stream only.
 *
 *	holdfast: backup: open '/x': Permission denied
 *	  hint: check owner and permissions, or run as a user who may
 */
#ifndef HF_CLI_SHOW_H
#define HF_CLI_SHOW_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"

/* What stands before every message: the command's name, or NULL. */
void show_error(const struct cli *cli, const char *command, const struct error *e);
void show_warning(const struct cli *cli, const char *path, enum err code, bool serious,
		  const char *message);
/* Not with --quiet. Text only: JSON has objects of its own for what notes say. */
void show_note(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/* Where lines on standard error go instead, while a progress line is on the screen; NULL: nowhere
 * else. */
typedef void show_line_fn(void *arg, const char *line);
void show_divert(show_line_fn *to, void *arg);

#endif
