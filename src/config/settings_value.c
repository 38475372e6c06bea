/* SPDX-License-Identifier: Apache-2.0 */

/* Single values: keeping them, and checking them against what the table says. */
#include "config/settings_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "config/value.h"

void
settings_value_clear(struct value *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->texts[i]);
	free(v->texts);
	free(v->origin);
	*v = (struct value){0};
}

int
settings_value_add(struct value *v, const char *text, const char *origin, struct error *err)
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

int
settings_check(const struct option_def *o, const char *text, uint64_t *ret_number,
	       struct error *err)
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

void
settings_blame(enum setting_source source, struct error *err)
{
	if (err != NULL && err->code != ERR_NO_MEMORY && source >= SETTING_OPTION)
		err->code = ERR_USAGE;
}
