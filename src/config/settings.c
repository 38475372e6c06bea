/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One struct value for each entry of the table, indexed by its id, and a list of values of sections with
 * names in them and of writers the table does not know (settings_named.c).
 */
#include "config/settings.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "config/option_named.h"
#include "config/settings_internal.h"
#include "config/value.h"

enum { NAME_SIZE = 64 };

int
settings_set(struct settings *s, enum option_id id, const char *value, enum setting_source source,
	     const char *origin, struct error *err)
{
	const struct option_def *o = option_of(id);
	struct value *v = &s->values[id];
	bool more = o->type == OPTION_TYPE_LIST && source == v->source;
	uint64_t number = 0;

	if (settings_check(o, value, &number, err) < 0) {
		settings_blame(source, err);
		error_prefix(err, "%s: %s.%s", origin, o->section, o->key);
		return error_hint(err, "'holdfast help settings' describes every setting");
	}
	if (source < v->source)
		return OK;
	if (more && v->n >= SETTING_LIST_MAX)
		return error_set(err, ERR_LIMIT, "%s: more than %d values of %s.%s", origin,
				 SETTING_LIST_MAX, o->section, o->key);

	struct value fresh = {.source = source, .number = number};
	/* An empty value unsets: texts[0] would only be mistaken for a name. */
	if (more) {
		if (value[0] != '\0')
			return settings_value_add(v, value, origin, err);
		return OK;
	}
	if (value[0] != '\0') {
		if (settings_value_add(&fresh, value, origin, err) < 0) {
			settings_value_clear(&fresh);
			return ERR_NO_MEMORY;
		}
	} else {
		fresh.origin = strdup(origin);
		if (fresh.origin == NULL)
			return error_no_memory(err);
	}
	settings_value_clear(v);
	*v = fresh;
	return OK;
}

int
settings_new(struct settings **ret, struct error *err)
{
	CLEAN(settings_freep) struct settings *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return error_no_memory(err);
	for (int id = OPTION_NONE + 1; id < OPTION_COUNT; id++) {
		const struct option_def *o = option_of((enum option_id)id);

		/* Unset numbers are 0; for the rest the default must be a value like any other. */
		if (settings_set(s, (enum option_id)id, o->fallback, SETTING_DEFAULT, "default",
				 err) < 0)
			return err != NULL ? err->code : ERR_INTERNAL;
	}
	*ret = STEAL_PTR(s);
	return OK;
}

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	for (int id = 0; id < OPTION_COUNT; id++)
		settings_value_clear(&s->values[id]);
	for (size_t i = 0; i < s->n_foreign; i++) {
		free(s->foreign[i].section);
		free(s->foreign[i].key);
		settings_value_clear(&s->foreign[i].value);
	}
	free(s->foreign);
	free(s);
}

void
settings_freep(struct settings **s)
{
	settings_free(*s);
}

/* Where an alias comes from, a duration is a bare number, of seconds or milliseconds. Returns the
 * value to take: `value`, or what is in text. */
static const char *
alias_value(const struct option_def *o, const char *key, const char *value, char *text, size_t size)
{
	const char *unit = o->type == OPTION_TYPE_DURATION_MS ? "ms"
			   : o->type == OPTION_TYPE_DURATION  ? "s"
							      : NULL;

	if (!option_is_alias(o, key) || unit == NULL || value[0] == '\0' ||
	    strspn(value, "0123456789") != strlen(value) ||
	    !text_printf(text, size, "%s%s", value, unit))
		return value;
	return text;
}

static int
unknown(const char *section, const char *key, enum setting_source source, const char *origin,
	struct error *err)
{
	char nearest[NAME_SIZE];

	error_set(err, ERR_CONFIG, "%s: there is no setting '%s.%s'", origin, section, key);
	settings_blame(source, err);
	if (option_named_is_meant(section) && option_named_section(section) == NULL)
		return error_hint(err,
				  "sections are [group.NAME] and [group.NAME.copy.COPY]; a name is "
				  "letters, digits, '_' and '-', at most %d",
				  OPTION_NAMED_NAME_MAX);
	if (option_named_nearest(section, key, nearest, sizeof(nearest)) != NULL ||
	    option_nearest(section, key, nearest, sizeof(nearest)) != NULL)
		return error_hint(err, "did you mean '%s'?", nearest);
	return error_hint(err, "'holdfast help settings' lists them all");
}

int
settings_set_named(struct settings *s, const char *section, const char *key, const char *value,
		   enum setting_source source, const char *origin, struct error *err)
{
	const struct option_def *o = option_find(section, key);
	char text[32];

	if (o != NULL)
		return settings_set(s, option_id_of(o),
				    alias_value(o, key, value, text, sizeof(text)), source, origin,
				    err);
	o = option_named_find(section, key);
	if (o != NULL)
		return settings_named_set(s, section, o,
					  alias_value(o, key, value, text, sizeof(text)), source,
					  origin, err);
	if (settings_is_foreign(section))
		return settings_foreign_set(s, section, key, value, source, origin, err);
	return unknown(section, key, source, origin, err);
}

int
settings_set_assignment(struct settings *s, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	const char *dot = equals == NULL ? NULL : memrchr(text, '.', (size_t)(equals - text));
	char section[NAME_SIZE];
	char key[NAME_SIZE];

	if (dot == NULL || dot == text || dot + 1 == equals)
		return error_set(err, ERR_USAGE, "--option '%s': give SECTION.KEY=VALUE", text);
	if (!text_printf(section, sizeof(section), "%.*s", (int)(dot - text), text) ||
	    !text_printf(key, sizeof(key), "%.*s", (int)(equals - dot - 1), dot + 1))
		return error_set(err, ERR_USAGE, "command line: there is no setting '%.*s'",
				 (int)(equals - text), text);
	return settings_set_named(s, section, key, equals + 1, SETTING_OPTION, "command line", err);
}

static int
set_from_variable(struct settings *s, enum option_id id, const char *name, struct error *err)
{
	char origin[128];
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		return OK;
	(void)text_printf(origin, sizeof(origin), "environment %s", name);
	return settings_set(s, id, value, SETTING_ENVIRONMENT, origin, err);
}

int
settings_set_environment(struct settings *s, struct error *err)
{
	for (int id = OPTION_NONE + 1; id < OPTION_COUNT; id++) {
		const struct option_def *o = option_of((enum option_id)id);
		char name[NAME_SIZE];
		int r = set_from_variable(s, (enum option_id)id, option_env(o, name, sizeof(name)),
					  err);

		if (r == OK && o->env != NULL)
			r = set_from_variable(s, (enum option_id)id, o->env, err);
		if (r != OK)
			return r;
	}
	return OK;
}

const char *
settings_text(const struct settings *s, enum option_id id)
{
	return s->values[id].n > 0 ? s->values[id].texts[0] : NULL;
}

uint64_t
settings_number(const struct settings *s, enum option_id id)
{
	return s->values[id].number;
}

bool
settings_bool(const struct settings *s, enum option_id id)
{
	return s->values[id].number != 0;
}

const char *const *
settings_list(const struct settings *s, enum option_id id, size_t *ret_n)
{
	*ret_n = s->values[id].n;
	return (const char *const *)s->values[id].texts;
}

enum setting_source
settings_source(const struct settings *s, enum option_id id)
{
	return s->values[id].source;
}

/* Names under which people keep what nobody else should see. */
static bool
looks_secret(const char *key)
{
	return strcasestr(key, "password") != NULL || strcasestr(key, "secret") != NULL ||
	       strcasestr(key, "token") != NULL;
}

bool
settings_at(const struct settings *s, size_t n, struct setting_view *ret)
{
	struct setting_view view = {0};
	const struct value *v;

	if (n < OPTION_COUNT - 1) {
		enum option_id id = (enum option_id)(n + 1);

		view.option = option_of(id);
		view.section = view.option->section;
		view.key = view.option->key;
		view.secret = view.option->secret;
		v = &s->values[id];
	} else if (n - (OPTION_COUNT - 1) < s->n_foreign) {
		const struct foreign *f = &s->foreign[n - (OPTION_COUNT - 1)];

		view.option = f->option;
		view.section = f->section;
		view.key = f->key;
		view.secret = f->option != NULL ? f->option->secret : looks_secret(f->key);
		v = &f->value;
	} else {
		return false;
	}
	view.source = v->source;
	view.origin = v->origin;
	view.n = v->n;
	view.values = v->texts;
	view.number = v->number;
	*ret = view;
	return true;
}

int
settings_writer(const struct settings *s, const char *name, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *object = json_object();
	struct setting_view v;
	char section[NAME_SIZE];

	if (object == NULL)
		return error_no_memory(err);
	if (!text_printf(section, sizeof(section), "writer.%s", name))
		return error_set(err, ERR_CONFIG, "'%s': no writer has so long a name", name);
	for (size_t i = 0; settings_at(s, i, &v); i++) {
		char number[VALUE_TEXT_MAX];
		const char *text;

		if (strcmp(v.section, section) != 0 || v.n != 1)
			continue;
		text = v.values[0];
		if (v.option != NULL && v.option->type == OPTION_TYPE_DURATION) {
			(void)text_printf(number, sizeof(number), "%" PRIu64, v.number);
			text = number;
		}
		if (json_object_set_new(object, v.key, json_string(text)) < 0)
			return error_set(err, ERR_CONFIG, "%s: %s.%s is not valid UTF-8", v.origin,
					 v.section, v.key);
	}
	*ret = STEAL_PTR(object);
	return OK;
}
