/* SPDX-License-Identifier: Apache-2.0 */

/* What "holdfast help" prints, from the tables. Texts are appended to b. */
#ifndef HF_CONFIG_HELP_H
#define HF_CONFIG_HELP_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/command.h"

enum { HELP_MAX = 1 << 20 }; /* more than any help text */

/* All commands, a line each; of one group if `group` is not NULL. */
CHECKED int help_overview(struct buf *b, const char *group, struct error *err);
CHECKED int help_command(struct buf *b, const struct command *command, struct error *err);
CHECKED int help_settings(struct buf *b, struct error *err);

/* "holdfast backup [-r REPO] ... PATH..." */
CHECKED int help_synopsis(struct buf *b, const struct command *command, struct error *err);
/* What a setting may be, in words: "number of threads, 0 to 256". */
CHECKED int help_option_range(struct buf *b, const struct option_def *option, struct error *err);

#endif
