/* SPDX-License-Identifier: Apache-2.0 */

/* The table of flags itself; use it through config/command.h. */
#ifndef HF_CONFIG_FLAG_TABLE_H
#define HF_CONFIG_FLAG_TABLE_H

#include "config/command.h"

extern const struct flag flag_table[FLAG_COUNT]; /* [FLAG_NONE] is empty */
extern const enum flag_id flag_table_common[]; /* of every command; ends with FLAG_NONE */
extern const enum flag_id flag_table_repository[]; /* of commands on a repository; likewise */

#endif
