/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Settings of sections that have a name in them, any number of times: "[group.NAME]",
 * "[group.NAME.copy.COPY]". They are described like all others, by section names with the places of the
 * names in capitals ("group.NAME"); they have no id and no variable in the environment.
 *
 * A name is letters, digits, '_' and '-', as it becomes part of names in the database.
 */
#ifndef HF_CONFIG_OPTION_NAMED_H
#define HF_CONFIG_OPTION_NAMED_H

#include "config/option.h"

/* A name of a group or a copy: with ".copy." between both a section's name has to fit into a line. */
enum { OPTION_NAMED_NAME_MAX = 40 };

/* The description whose form a section's name has ("group.orders" has that of "group.NAME"); NULL if none. */
const struct option_section *option_named_section(const char *section);
/* Is it meant to be such a section, well-formed or not? */
bool option_named_is_meant(const char *section);
/* The setting of a section, both as written in the file; aliases count. NULL if there is none. */
const struct option_def *option_named_find(const char *section, const char *key);
/* "group.orders.prefer", for a misspelt key of such a section; NULL if none is like it. */
const char *option_named_nearest(const char *section, const char *key, char *text, size_t size);

/* The n-th from 0; NULL past the end. */
const struct option_section *option_named_section_at(size_t n);
const struct option_def *option_named_at(size_t n);

#endif
