/* SPDX-License-Identifier: Apache-2.0 */

/* Looking things up in the table of settings. */
#include "config/option.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/option_table.h"
#include "config/suggest.h"

enum { NAME_MAX_LEN = 64 };

const struct option_def *
option_of(enum option_id id)
{
	return id > OPTION_NONE && id < OPTION_COUNT ? &option_table[id] : NULL;
}

enum option_id
option_id_of(const struct option_def *option)
{
	return (enum option_id)(option - option_table);
}

/* Aliases come from a registry that knows no difference between large and small letters. */
bool
option_is_alias(const struct option_def *option, const char *key)
{
	return option->alias != NULL && strcasecmp(option->alias, key) == 0;
}

static bool
has_key(const struct option_def *option, const char *key)
{
	return strcmp(option->key, key) == 0 || option_is_alias(option, key);
}

const struct option_def *
option_find(const char *section, const char *key)
{
	for (int id = OPTION_NONE + 1; id < OPTION_COUNT; id++)
		if (strcmp(option_table[id].section, section) == 0 &&
		    has_key(&option_table[id], key))
			return &option_table[id];
	return NULL;
}

const char *
option_nearest(const char *section, const char *key, char *text, size_t size)
{
	char wanted[NAME_MAX_LEN];
	char name[NAME_MAX_LEN];
	const struct option_def *best = NULL;
	struct suggest s;

	if (!text_printf(wanted, sizeof(wanted), "%s.%s", section, key))
		return NULL;
	s = suggest_begin(wanted);
	for (int id = OPTION_NONE + 1; id < OPTION_COUNT; id++) {
		(void)text_printf(name, sizeof(name), "%s.%s", option_table[id].section,
				  option_table[id].key);
		s.best = NULL;
		suggest_offer(&s, name);
		if (s.best != NULL)
			best = &option_table[id];
	}
	/* The right key in the wrong section is far by letters, and yet what was meant. */
	for (int id = OPTION_NONE + 1; id < OPTION_COUNT && best == NULL; id++)
		if (has_key(&option_table[id], key))
			best = &option_table[id];
	if (best == NULL)
		return NULL;
	(void)text_printf(text, size, "%s.%s", best->section, best->key);
	return text;
}

const struct option_section *
option_section_at(size_t n)
{
	for (size_t i = 0; option_table_sections[i].name != NULL; i++)
		if (i == n)
			return &option_table_sections[i];
	return NULL;
}

char *
option_env(const struct option_def *option, char *text, size_t size)
{
	(void)text_printf(text, size, "HOLDFAST_%s_%s", option->section, option->key);
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
	return text;
}

const char *
option_unit(const struct option_def *option)
{
	switch (option->type) {
	case OPTION_TYPE_SIZE:
		return "bytes";
	case OPTION_TYPE_DURATION:
		return "seconds";
	case OPTION_TYPE_DURATION_MS:
		return "milliseconds";
	case OPTION_TYPE_NUMBER:
		return option->unit;
	default:
		return "";
	}
}

const char *
option_type_name(enum option_type type)
{
	switch (type) {
	case OPTION_TYPE_BOOL:
		return "yes or no";
	case OPTION_TYPE_NUMBER:
		return "number";
	case OPTION_TYPE_SIZE:
		return "size";
	case OPTION_TYPE_DURATION:
	case OPTION_TYPE_DURATION_MS:
		return "duration";
	case OPTION_TYPE_STRING:
		return "text";
	case OPTION_TYPE_PATH:
		return "path";
	case OPTION_TYPE_CHOICE:
		return "choice";
	case OPTION_TYPE_LIST:
		return "text, may be repeated";
	}
	return "";
}
