/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Storage and checking of values. One struct value for each entry of the table, indexed by its
 * id, and a list of values of sections with names in them and of writers the table does not know.
 */
#include "config/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "config/option_named.h"
#include "config/value.h"

enum { NAME_SIZE = 64 };

struct value {
	enum setting_source source;
	char *origin;
	size_t n;
	char **texts;
	uint64_t number;
};

/* A setting of a section with a name in it, or of a writer the table does not know. */
struct foreign {
	const struct option_def *option; /* NULL: of such a writer */
	char *section;
	char *key;
	struct value value;
};

struct settings {
	struct value values[OPTION_COUNT];
	size_t n_foreign;
	struct foreign *foreign;
};

static void
value_clear(struct value *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->texts[i]);
	free(v->texts);
	free(v->origin);
	*v = (struct value){0};
}

/* Add a text; a value of a single text is replaced by clearing it first. */
static int
value_add(struct value *v, const char *text, const char *origin, struct error *err)
{
	CLEAN(free_ptr) char *copy = strdup(text);
	CLEAN(free_ptr) char *from = strdup(origin);
	char **texts = realloc(v->texts, (v->n + 1) * sizeof(*texts));

	if (texts != NULL)
		v->texts = texts;
	if (copy == NULL || from == NULL || texts == NULL)
		return error_no_memory(err);
	v->texts[v->n++] = STEAL_PTR(copy);
	free(v->origin);
	v->origin = STEAL_PTR(from);
	return OK;
}

static int
check_range(const struct option_def *o, uint64_t number, struct error *err)
{
	char low[VALUE_TEXT_MAX];
	char high[VALUE_TEXT_MAX];

	if (number >= o->min && (o->max == 0 || number <= o->max))
		return OK;
	switch (o->type) {
	case OPTION_TYPE_SIZE:
		value_format_size(o->min, low);
		value_format_size(o->max, high);
		break;
	case OPTION_TYPE_DURATION:
		value_format_duration(o->min, low);
		value_format_duration(o->max, high);
		break;
	case OPTION_TYPE_DURATION_MS:
		value_format_duration_ms(o->min, low);
		value_format_duration_ms(o->max, high);
		break;
	default:
		(void)text_printf(low, sizeof(low), "%" PRIu64, o->min);
		(void)text_printf(high, sizeof(high), "%" PRIu64, o->max);
		break;
	}
	return error_set(err, ERR_CONFIG, "out of range: %s to %s is allowed", low, high);
}

static int
check_choice(const struct option_def *o, const char *text, struct error *err)
{
	char all[128] = "";

	for (size_t i = 0; o->choices[i] != NULL; i++) {
		size_t n = strlen(all);

		if (strcmp(o->choices[i], text) == 0)
			return OK;
		(void)text_printf(all + n, sizeof(all) - n, "%s%s", i > 0 ? ", " : "",
				  o->choices[i]);
	}
	return error_set(err, ERR_CONFIG, "'%s' is none of %s", text, all);
}

/* Is `text` a value of this option? Numbers come back as such. */
static int
check_value(const struct option_def *o, const char *text, uint64_t *ret_number, struct error *err)
{
	uint64_t number = 0;
	bool flag = false;
	int r = OK;

	if (strlen(text) > SETTING_TEXT_MAX)
		return error_set(err, ERR_LIMIT, "longer than %d bytes", SETTING_TEXT_MAX);
	switch (o->type) {
	case OPTION_TYPE_BOOL:
		r = value_parse_bool(text, &flag, err);
		number = flag ? 1 : 0;
		break;
	case OPTION_TYPE_NUMBER:
		r = value_parse_number(text, &number, err);
		break;
	case OPTION_TYPE_SIZE:
		r = value_parse_size(text, &number, err);
		break;
	case OPTION_TYPE_DURATION:
		r = value_parse_duration(text, &number, err);
		break;
	case OPTION_TYPE_DURATION_MS:
		r = value_parse_duration_ms(text, &number, err);
		break;
	case OPTION_TYPE_CHOICE:
		r = check_choice(o, text, err);
		break;
	case OPTION_TYPE_STRING:
	case OPTION_TYPE_PATH:
	case OPTION_TYPE_LIST:
		break;
	}
	if (r == OK && (o->type == OPTION_TYPE_NUMBER || o->type == OPTION_TYPE_SIZE ||
			o->type == OPTION_TYPE_DURATION || o->type == OPTION_TYPE_DURATION_MS))
		r = check_range(o, number, err);
	if (r != OK)
		return r;
	*ret_number = number;
	return OK;
}

/* What is wrong on the command line is a matter of usage, and of that exit code. */
static void
blame(enum setting_source source, struct error *err)
{
	if (err != NULL && err->code != ERR_NO_MEMORY && source >= SETTING_OPTION)
		err->code = ERR_USAGE;
}

int
settings_set(struct settings *s, enum option_id id, const char *value, enum setting_source source,
	     const char *origin, struct error *err)
{
	const struct option_def *o = option_of(id);
	struct value *v = &s->values[id];
	bool more = o->type == OPTION_TYPE_LIST && source == v->source;
	uint64_t number = 0;

	if (check_value(o, value, &number, err) < 0) {
		blame(source, err);
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
			return value_add(v, value, origin, err);
		return OK;
	}
	if (value[0] != '\0') {
		if (value_add(&fresh, value, origin, err) < 0) {
			value_clear(&fresh);
			return ERR_NO_MEMORY;
		}
	} else {
		fresh.origin = strdup(origin);
		if (fresh.origin == NULL)
			return error_no_memory(err);
	}
	value_clear(v);
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
		value_clear(&s->values[id]);
	for (size_t i = 0; i < s->n_foreign; i++) {
		free(s->foreign[i].section);
		free(s->foreign[i].key);
		value_clear(&s->foreign[i].value);
	}
	free(s->foreign);
	free(s);
}

void
settings_freep(struct settings **s)
{
	settings_free(*s);
}

/* A section [writer.NAME] that no entry of the table has. */
static bool
is_foreign(const char *section)
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

	if (value_add(&fresh, value, origin, err) < 0) {
		value_clear(&fresh);
		return ERR_NO_MEMORY;
	}
	if (value[0] == '\0' && f->option != NULL) {
		free(fresh.texts[0]);
		fresh.n = 0;
	}
	value_clear(&f->value);
	f->value = fresh;
	return OK;
}

static int
foreign_set(struct settings *s, const char *section, const char *key, const char *value,
	    enum setting_source source, const char *origin, struct error *err)
{
	struct foreign *f = foreign_find(s, section, key);
	int r = OK;

	if (strlen(value) > SETTING_TEXT_MAX)
		return error_set(err, ERR_LIMIT, "%s: %s.%s: longer than %d bytes", origin, section,
				 key, SETTING_TEXT_MAX);
	if (f == NULL)
		r = foreign_add(s, section, key, NULL, &f, err);
	if (r < 0)
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
			r = check_value(o, o->fallback, &number, err);
		if (r == OK)
			r = foreign_give(f, o->fallback, number, SETTING_DEFAULT, "default", err);
	}
	return r;
}

static int
named_set(struct settings *s, const char *section, const struct option_def *o, const char *value,
	  enum setting_source source, const char *origin, struct error *err)
{
	struct foreign *f;
	uint64_t number = 0;
	bool unset = value[0] == '\0' && o->fallback[0] == '\0';
	int r = unset ? OK : check_value(o, value, &number, err);

	if (r == OK)
		r = named_begin(s, section, err);
	if (r < 0) {
		blame(source, err);
		return error_prefix(err, "%s: %s.%s", origin, section, o->key);
	}
	f = foreign_find(s, section, o->key);
	if (source == SETTING_FILE && f->value.source == SETTING_FILE)
		return error_set(err, ERR_CONFIG, "%s: %s.%s was given at %s already", origin,
				 section, o->key, f->value.origin);
	return source < f->value.source ? OK : foreign_give(f, value, number, source, origin, err);
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
	blame(source, err);
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
		return named_set(s, section, o, alias_value(o, key, value, text, sizeof(text)),
				 source, origin, err);
	if (is_foreign(section))
		return foreign_set(s, section, key, value, source, origin, err);
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
