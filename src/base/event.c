/* SPDX-License-Identifier: Apache-2.0 */

/* The table of events. */
#include "base/event.h"

#include <string.h>
#include <strings.h>

struct event_fact {
	unsigned id;
	enum log_level level;
	const char *name;
	const char *text;
	const char *fields;
	const char *meaning;
};

static const struct event_fact facts[] = {
#define EVENT(name, number, level, text, fields, meaning)                                          \
	{number, LOG_LEVEL_##level, #name, text, fields, meaning},
#include "base/events.def"
#undef EVENT
};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warning", [LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

static const struct event_fact *
fact_of(unsigned id)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (facts[i].id == id)
			return &facts[i];
	return NULL;
}

const char *
event_name(unsigned id)
{
	const struct event_fact *fact = fact_of(id);

	return fact != NULL ? fact->name : NULL;
}

enum log_level
event_level(unsigned id)
{
	const struct event_fact *fact = fact_of(id);

	return fact != NULL ? fact->level : LOG_LEVEL_INFO;
}

const char *
event_text(unsigned id)
{
	const struct event_fact *fact = fact_of(id);

	return fact != NULL ? fact->text : NULL;
}

const char *
event_fields(unsigned id)
{
	const struct event_fact *fact = fact_of(id);

	return fact != NULL ? fact->fields : NULL;
}

const char *
event_meaning(unsigned id)
{
	const struct event_fact *fact = fact_of(id);

	return fact != NULL ? fact->meaning : NULL;
}

unsigned
event_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (strcasecmp(facts[i].name, name) == 0)
			return facts[i].id;
	return 0;
}

unsigned
event_at(size_t n)
{
	return n < ARRAY_SIZE(facts) ? facts[n].id : 0;
}

const char *
event_level_name(enum log_level level)
{
	if (level < LOG_LEVEL_ERROR || level > LOG_LEVEL_DEBUG)
		return "info";
	return level_names[level];
}

enum log_level
event_level_find(const char *name)
{
	for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
		if (strcmp(level_names[level], name) == 0)
			return level;
	return 0;
}
