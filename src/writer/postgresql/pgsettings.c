/* SPDX-License-Identifier: Apache-2.0 */

/* Reading the settings: every key is known, every value fits, or the key is named. */
#include "writer/postgresql/pgsettings.h"

#include <string.h>

struct key {
	const char *name;
	size_t at; /* offset of the char * in struct pgsettings; SIZE_MAX: none */
};

#define KEY(field)                                                                                 \
	{                                                                                          \
#field, offsetof(struct pgsettings, field)                                         \
	}

static const struct key keys[] = {
	KEY(host),
	KEY(port),
	KEY(user),
	KEY(database),
	KEY(passfile),
	KEY(os_user),
	{"connect_timeout", SIZE_MAX},
};

static int
parse_number(const char *name, const char *text, unsigned max, unsigned *ret, struct error *err)
{
	char *end;

	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0 || v < 1 || v > max)
		return error_set(err, ERR_CONFIG,
				 "writer.postgresql.%s: '%s' is not a number from 1 to %u", name,
				 text, max);
	*ret = (unsigned)v;
	return OK;
}

static int
take(struct pgsettings *s, const char *name, const json_t *value, struct error *err)
{
	const char *text = json_string_value(value);
	unsigned number;

	if (text == NULL)
		return error_set(err, ERR_CONFIG, "writer.postgresql.%s is not text", name);
	/* Empty is as good as absent. */
	if (text[0] == 0)
		return OK;
	if (strcmp(name, "connect_timeout") == 0)
		return parse_number(name, text, 3600, &s->connect_timeout_s, err);
	if (strcmp(name, "port") == 0 && parse_number(name, text, 65535, &number, err) < 0)
		return ERR_CONFIG;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, name) != 0 || keys[i].at == SIZE_MAX)
			continue;
		char **field = (char **)(void *)((char *)s + keys[i].at);
		*field = strdup(text);
		return *field != NULL ? OK : (int)error_no_memory(err);
	}
	(void)error_set(err, ERR_CONFIG, "writer.postgresql.%s: there is no such setting", name);
	return error_hint(err, "there are host, port, user, database, passfile, os_user and "
			       "connect_timeout");
}

int
pgsettings_parse(json_t *j, struct pgsettings *ret, struct error *err)
{
	CLEAN(pgsettings_done)
	struct pgsettings s = {
		.connect_timeout_s = PGSETTINGS_CONNECT_TIMEOUT_S,
	};
	void *i;

	if (j != NULL && !json_is_object(j))
		return error_set(err, ERR_CONFIG, "the settings are not an object");
	for (i = json_object_iter(j); i != NULL; i = json_object_iter_next(j, i)) {
		int rc = take(&s, json_object_iter_key(i), json_object_iter_value(i), err);
		if (rc < 0)
			return rc;
	}
	*ret = s;
	s = (struct pgsettings){0};
	return OK;
}

void
pgsettings_done(struct pgsettings *s)
{
	free(s->host);
	free(s->port);
	free(s->user);
	free(s->database);
	free(s->passfile);
	free(s->os_user);
	*s = (struct pgsettings){0};
}
