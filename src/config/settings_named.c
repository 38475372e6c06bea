/* SPDX-License-Identifier: Apache-2.0 */

/* Settings outside of the table of ids: of sections with a name in them, which have a table of their own,
 * and of writers that we do not know, which check theirs themselves. */
#include "config/settings_internal.h"

#include <string.h>

#include "config/option_named.h"

bool
settings_is_foreign(const char *section)
{
	if (strncmp(section, "writer.", 7) != 0 || section[7] == '\0')
		return false;
	for (size_t i = 0; option_section_at(i) != NULL; i++)
		if (strcmp(option_section_at(i)->name, section) == 0)
			return false;
	return true;
}

static struct foreign *
foreign_find(struct settings *s, const char *section, const char *key)
{
	for (size_t i = 0; i < s->n_foreign; i++)
		if (strcmp(s->foreign[i].section, section) == 0 &&
		    strcmp(s->foreign[i].key, key) == 0)
			return &s->foreign[i];
	return NULL;
}

static int
foreign_add(struct settings *s, const char *section, const char *key,
	    const struct option_def *option, struct foreign **ret, struct error *err)
{
	CLEAN(free_ptr) char *section_copy = strdup(section);
	CLEAN(free_ptr) char *key_copy = strdup(key);
	struct foreign *all;

	if (s->n_foreign >= SETTING_FOREIGN_MAX)
		return error_set(err, ERR_LIMIT, "more than %d settings of groups and writers",
				 SETTING_FOREIGN_MAX);
	all = realloc(s->foreign, (s->n_foreign + 1) * sizeof(*all));
	if (all != NULL)
		s->foreign = all;
	if (section_copy == NULL || key_copy == NULL || all == NULL)
		return error_no_memory(err);
	all[s->n_foreign] = (struct foreign){
		.option = option, .section = STEAL_PTR(section_copy), .key = STEAL_PTR(key_copy)};
	*ret = &all[s->n_foreign++];
	return OK;
}

/* Give a value that was checked already. An empty one unsets. */
static int
foreign_give(struct foreign *f, const char *value, uint64_t number, enum setting_source source,
	     const char *origin, struct error *err)
{
	struct value fresh = {.source = source, .number = number};

	/* Of a writer we do not know even nothing is something. */
	if (value[0] == '\0' && f->option != NULL)
		fresh.origin = strdup(origin);
	else if (settings_value_add(&fresh, value, origin, err) < 0)
		settings_value_clear(&fresh);
	if (fresh.origin == NULL)
		return error_no_memory(err);
	settings_value_clear(&f->value);
	f->value = fresh;
	return OK;
}

int
settings_foreign_set(struct settings *s, const char *section, const char *key, const char *value,
		     enum setting_source source, const char *origin, struct error *err)
{
	struct foreign *f = foreign_find(s, section, key);
	int r = OK;

	if (strlen(value) > SETTING_TEXT_MAX)
		return error_set(err, ERR_LIMIT, "%s: %s.%s: longer than %d bytes", origin, section,
				 key, SETTING_TEXT_MAX);
	if (f == NULL)
		r = foreign_add(s, section, key, NULL, &f, err);
	if (r < 0 || f == NULL)
		return error_prefix(err, "%s", origin);
	return source < f->value.source ? OK : foreign_give(f, value, 0, source, origin, err);
}

/* The first mention of a section with a name in it: all that may stand there gets its default. */
static int
named_begin(struct settings *s, const char *section, struct error *err)
{
	const struct option_section *form = option_named_section(section);
	const struct option_def *o;
	int r = OK;

	for (size_t i = 0; i < s->n_foreign; i++)
		if (strcmp(s->foreign[i].section, section) == 0)
			return OK;
	for (size_t i = 0; r == OK && (o = option_named_at(i)) != NULL; i++) {
		struct foreign *f;
		uint64_t number = 0;

		if (strcmp(o->section, form->name) != 0)
			continue;
		r = foreign_add(s, section, o->key, o, &f, err);
		if (r == OK && o->fallback[0] != '\0')
			r = settings_check(o, o->fallback, &number, err);
		if (r == OK)
			r = foreign_give(f, o->fallback, number, SETTING_DEFAULT, "default", err);
	}
	return r;
}

int
settings_named_set(struct settings *s, const char *section, const struct option_def *o,
		   const char *value, enum setting_source source, const char *origin,
		   struct error *err)
{
	struct foreign *f;
	uint64_t number = 0;
	bool unset = value[0] == '\0' && o->fallback[0] == '\0';
	int r = unset ? OK : settings_check(o, value, &number, err);

	if (r == OK)
		r = named_begin(s, section, err);
	if (r < 0) {
		settings_blame(source, err);
		return error_prefix(err, "%s: %s.%s", origin, section, o->key);
	}
	f = foreign_find(s, section, o->key);
	if (f == NULL)
		return error_set(err, ERR_INTERNAL, "%s.%s has no place", section, o->key);
	if (source == SETTING_FILE && f->value.source == SETTING_FILE)
		return error_set(err, ERR_CONFIG, "%s: %s.%s was given at %s already", origin,
				 section, o->key, f->value.origin);
	return source < f->value.source ? OK : foreign_give(f, value, number, source, origin, err);
}
