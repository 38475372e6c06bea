/* SPDX-License-Identifier: Apache-2.0 */

/* The table of commands itself; use it through config/command.h. */
#ifndef HF_CONFIG_COMMAND_TABLE_H
#define HF_CONFIG_COMMAND_TABLE_H

#include "config/command.h"

extern const struct command command_table[COMMAND_COUNT]; /* [COMMAND_NONE] is empty */

#endif
