/* SPDX-License-Identifier: Apache-2.0 */

/* The table itself; use it through config/option.h. */
#ifndef HF_CONFIG_OPTION_TABLE_H
#define HF_CONFIG_OPTION_TABLE_H

#include "config/option.h"

extern const struct option_def option_table[OPTION_COUNT]; /* [OPTION_NONE] is empty */
extern const struct option_section option_table_sections[]; /* ends with a NULL name */

/* Sections with a name in them, and what may stand there. Both end with a NULL name or key. */
extern const struct option_section option_named_sections[];
extern const struct option_def option_named_table[];

#endif
