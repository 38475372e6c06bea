/* SPDX-License-Identifier: Apache-2.0 */

/* Looking settings up whose section has a name in it; the table is option_named_table.c. */
#include "config/option_named.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "config/option_table.h"
#include "config/suggest.h"

/* The length of the part of a section's name up to the next dot. */
static size_t
part_length(const char *p)
{
	return strcspn(p, ".");
}

static bool
is_name(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && p[i] != '_' && p[i] != '-')
			return false;
	return n > 0 && n <= OPTION_NAMED_NAME_MAX;
}

/* A part in capitals stands for any name, any other for itself. */
static bool
has_form(const char *section, const char *form)
{
	for (;;) {
		size_t n = part_length(section), m = part_length(form);
		bool same = isupper((unsigned char)form[0])
				    ? is_name(section, n)
				    : n == m && memcmp(section, form, n) == 0;

		if (!same || (section[n] == '\0') != (form[m] == '\0'))
			return false;
		if (section[n] == '\0')
			return true;
		section += n + 1;
		form += m + 1;
	}
}

const struct option_section *
option_named_section(const char *section)
{
	for (size_t i = 0; option_named_sections[i].name != NULL; i++)
		if (has_form(section, option_named_sections[i].name))
			return &option_named_sections[i];
	return NULL;
}

bool
option_named_is_meant(const char *section)
{
	for (size_t i = 0; option_named_sections[i].name != NULL; i++) {
		size_t n = part_length(option_named_sections[i].name);

		if (part_length(section) == n &&
		    memcmp(section, option_named_sections[i].name, n) == 0)
			return true;
	}
	return false;
}

const struct option_def *
option_named_find(const char *section, const char *key)
{
	const struct option_section *form = option_named_section(section);

	for (const struct option_def *o = option_named_table; form != NULL && o->key != NULL; o++)
		if (strcmp(o->section, form->name) == 0 &&
		    (strcmp(o->key, key) == 0 || option_is_alias(o, key)))
			return o;
	return NULL;
}

const char *
option_named_nearest(const char *section, const char *key, char *text, size_t size)
{
	const struct option_section *form = option_named_section(section);
	struct suggest s = suggest_begin(key);

	for (const struct option_def *o = option_named_table; form != NULL && o->key != NULL; o++)
		if (strcmp(o->section, form->name) == 0)
			suggest_offer(&s, o->key);
	if (s.best == NULL || !text_printf(text, size, "%s.%s", section, s.best))
		return NULL;
	return text;
}

const struct option_section *
option_named_section_at(size_t n)
{
	for (size_t i = 0; option_named_sections[i].name != NULL; i++)
		if (i == n)
			return &option_named_sections[i];
	return NULL;
}

const struct option_def *
option_named_at(size_t n)
{
	for (size_t i = 0; option_named_table[i].key != NULL; i++)
		if (i == n)
			return &option_named_table[i];
	return NULL;
}
