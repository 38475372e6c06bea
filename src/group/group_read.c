/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From sections of the configuration to groups, and what has to be right about them. Settings come one
 * after another, in the order of the file; the table of settings has checked each by itself.
 */
#include <string.h>

#include "base/text.h"
#include "group/engine.h"
#include "group/group.h"

enum { SLOT_NAME_MAX = 63, WHERE_SIZE = 256, SECTION_SIZE = 128 };

#define MS(n) ((n)*UINT64_C(1000000))

/* "group.orders" or "group.orders.copy.pg1" into its names; false if it is another section. */
static bool
split_section(const char *section, char group[GROUP_NAME_MAX + 1], char copy[GROUP_NAME_MAX + 1])
{
	const char *name, *dot;

	if (strncmp(section, "group.", 6) != 0)
		return false;
	name = section + 6;
	dot = strchr(name, '.');
	copy[0] = '\0';
	if (dot == NULL)
		return text_printf(group, GROUP_NAME_MAX + 1, "%s", name);
	return strncmp(dot, ".copy.", 6) == 0 &&
	       text_printf(group, GROUP_NAME_MAX + 1, "%.*s", (int)(dot - name), name) &&
	       text_printf(copy, GROUP_NAME_MAX + 1, "%s", dot + 6);
}

static int
take_text(char **into, const struct setting_view *v, struct error *err)
{
	char *copy = v->n > 0 ? strdup(v->values[0]) : NULL;

	if (v->n > 0 && copy == NULL)
		return error_no_memory(err);
	free(*into);
	*into = copy;
	return OK;
}

static int
take_agent(struct group_copy *c, const struct setting_view *v, struct error *err)
{
	static const char *const ways[] = {"unix:", "tls://", "ssh://"};

	for (size_t i = 0; v->n > 0 && i < ARRAY_SIZE(ways); i++)
		if (strncmp(v->values[0], ways[i], strlen(ways[i])) == 0)
			return take_text(&c->agent, v, err);
	if (v->n == 0)
		return take_text(&c->agent, v, err);
	error_set(err, ERR_CONFIG, "%s: %s.agent: '%s' does not say where an agent is", v->origin,
		  v->section, v->values[0]);
	return error_hint(err, "give unix:PATH, tls://HOST:PORT or ssh://[USER@]HOST");
}

static int
take_copy_setting(struct group_copy *c, const struct setting_view *v, struct error *err)
{
	const struct {
		const char *key;
		char **into;
	} texts[] = {
		{"host", &c->host},
		{"port", &c->port},
		{"user", &c->user},
		{"database", &c->database},
		{"passfile", &c->passfile},
		{"sslmode", &c->sslmode},
		{"sslrootcert", &c->sslrootcert},
		{"sslcert", &c->sslcert},
		{"sslkey", &c->sslkey},
	};

	if (strcmp(v->key, "agent") == 0)
		return take_agent(c, v, err);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(texts[i].key, v->key) == 0)
			return take_text(texts[i].into, v, err);
	return error_set(err, ERR_INTERNAL, "%s.%s is known to the table only", v->section, v->key);
}

static int
take_engine(struct group *g, const struct setting_view *v, struct error *err)
{
	if (v->n == 0)
		return OK;
	g->engine = engine_find(v->values[0]);
	return g->engine != NULL ? OK
				 : error_set(err, ERR_CONFIG, "%s: there is no engine '%s'",
					     v->origin, v->values[0]);
}

static int
take_prefer(struct group *g, const struct setting_view *v, struct error *err)
{
	static const enum group_prefer all[] = {GROUP_PREFER_PASSIVE, GROUP_PREFER_PASSIVE_ONLY,
						GROUP_PREFER_ACTIVE};

	for (size_t i = 0; v->n > 0 && i < ARRAY_SIZE(all); i++)
		if (strcmp(group_prefer_name(all[i]), v->values[0]) == 0) {
			g->prefer = all[i];
			return OK;
		}
	return error_set(err, ERR_INTERNAL, "%s.prefer is known to the table only", v->section);
}

static int
take_verify(struct group *g, const struct setting_view *v, struct error *err)
{
	static const char *const names[] = {[GROUP_VERIFY_STRUCTURE] = "structure",
					    [GROUP_VERIFY_STORED] = "stored",
					    [GROUP_VERIFY_DATA] = "data"};

	for (size_t i = GROUP_VERIFY_STRUCTURE; v->n > 0 && i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], v->values[0]) == 0) {
			g->verify = (enum group_verify)i;
			return OK;
		}
	return error_set(err, ERR_INTERNAL, "%s.verify is known to the table only", v->section);
}

static int
take_slot(struct group *g, const struct setting_view *v, struct error *err)
{
	const char *name = v->n > 0 ? v->values[0] : "";

	if (strlen(name) <= SLOT_NAME_MAX &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name))
		return take_text(&g->slot, v, err);
	error_set(err, ERR_CONFIG, "%s: %s.slot: '%s' cannot be the name of a slot", v->origin,
		  v->section, name);
	return error_hint(err, "take lower-case letters, digits and '_', at most %d",
			  SLOT_NAME_MAX);
}

static int
take_group_setting(struct group *g, const struct setting_view *v, struct error *err)
{
	const struct {
		const char *key;
		uint64_t *into;
		uint64_t factor;
	} numbers[] = {
		{"query_log_range_timeout", &g->query_log_range_timeout_ns, MS(1)},
		{"heartbeat", &g->heartbeat_ns, MS(1)},
		{"heartbeat_timeout", &g->heartbeat_timeout_ns, MS(1)},
		{"context_lease", &g->context_lease_ns, MS(1)},
		{"keepalive_time", &g->keepalive_time_ns, MS(1)},
		{"max_copy_queue", &g->max_copy_queue, 1},
		{"max_replay_queue", &g->max_replay_queue, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (strcmp(numbers[i].key, v->key) == 0) {
			*numbers[i].into = v->number * numbers[i].factor;
			return OK;
		}
	if (strcmp(v->key, "engine") == 0)
		return take_engine(g, v, err);
	if (strcmp(v->key, "prefer") == 0)
		return take_prefer(g, v, err);
	if (strcmp(v->key, "verify") == 0)
		return take_verify(g, v, err);
	if (strcmp(v->key, "slot") == 0)
		return take_slot(g, v, err);
	return error_set(err, ERR_INTERNAL, "%s.%s is known to the table only", v->section, v->key);
}

static int
copy_of(struct group *g, const char *name, struct group_copy **ret, struct error *err)
{
	const struct group_copy *known = group_copy_find(g, name);
	struct group_copy *all;

	if (known != NULL) {
		*ret = &g->copies[known - g->copies];
		return OK;
	}
	if (g->n >= GROUP_COPIES_MAX)
		return error_set(err, ERR_CONFIG, "group.%s has more than %d copies", g->name,
				 GROUP_COPIES_MAX);
	all = realloc(g->copies, (g->n + 1) * sizeof(*all));
	if (all == NULL)
		return error_no_memory(err);
	g->copies = all;
	all[g->n] = (struct group_copy){.name = strdup(name)};
	if (all[g->n].name == NULL)
		return error_no_memory(err);
	*ret = &all[g->n++];
	return OK;
}

/* What is right by itself may be wrong together. */

/* Somebody looks for it in the file: "FILE:12: " of the last of the section's settings that was given, or of
 * `key` if that was; "" without any. */
static const char *
where(const struct settings *s, const char *section, const char *key, char text[WHERE_SIZE])
{
	struct setting_view v;

	text[0] = '\0';
	for (size_t i = 0; settings_at(s, i, &v); i++)
		if (v.source != SETTING_DEFAULT && strcmp(v.section, section) == 0 &&
		    (key == NULL || strcmp(v.key, key) == 0))
			(void)text_printf(text, WHERE_SIZE, "%s: ", v.origin);
	return text;
}

static int
check_lease(const struct group *g, const struct settings *s, const char *section, struct error *err)
{
	static const char *const keys[] = {"context_lease", "heartbeat", "heartbeat_timeout"};
	char at[WHERE_SIZE] = "";

	if (g->heartbeat_ns + g->heartbeat_timeout_ns < g->context_lease_ns)
		return OK;
	for (size_t i = 0; at[0] == '\0' && i < ARRAY_SIZE(keys); i++)
		(void)where(s, section, keys[i], at);
	error_set(err, ERR_CONFIG,
		  "%sgroup.%s: context_lease has to be longer than heartbeat and heartbeat_timeout "
		  "together",
		  at, g->name);
	return error_hint(err, "otherwise a lost connection could never be opened again in time");
}

static int
check_copies(const struct group *g, const struct settings *s, struct error *err)
{
	char section[SECTION_SIZE], at[WHERE_SIZE];

	if (g->n == 0) {
		error_set(err, ERR_CONFIG, "group.%s has no copies", g->name);
		return error_hint(err, "add a section [group.%s.copy.NAME] for each of them",
				  g->name);
	}
	for (size_t i = 0; i < g->n; i++) {
		const struct group_copy *c = &g->copies[i];

		(void)text_printf(section, sizeof(section), "group.%s.copy.%s", g->name, c->name);
		if (c->host == NULL) {
			error_set(err, ERR_CONFIG, "%sgroup.%s.copy.%s.host is not set",
				  where(s, section, NULL, at), g->name, c->name);
			return error_hint(err, "add 'host = ...' to [%s]", section);
		}
		for (size_t j = 0; j < i; j++)
			if (strcmp(g->copies[j].host, c->host) == 0 &&
			    strcmp(g->copies[j].port, c->port) == 0)
				return error_set(err, ERR_CONFIG,
						 "%sgroup.%s: '%s' and '%s' are the same server, "
						 "%s port %s",
						 where(s, section, "host", at), g->name,
						 g->copies[j].name, c->name, c->host, c->port);
		if (strcmp(g->copies[0].database, c->database) != 0) {
			error_set(err, ERR_CONFIG,
				  "%sgroup.%s: '%s' has database %s, but '%s' has %s",
				  where(s, section, "database", at), g->name, g->copies[0].name,
				  g->copies[0].database, c->name, c->database);
			return error_hint(err, "the group's lock is in that database: it has to be "
					       "the same for all copies");
		}
	}
	return OK;
}

static int
check_group(const struct group *g, const struct settings *s, struct error *err)
{
	char section[SECTION_SIZE], at[WHERE_SIZE];

	(void)text_printf(section, sizeof(section), "group.%s", g->name);
	if (g->engine == NULL) {
		error_set(err, ERR_CONFIG, "%sgroup.%s.engine is not set",
			  where(s, section, NULL, at), g->name);
		return error_hint(err, "add 'engine = postgresql' to [group.%s]", g->name);
	}
	if (check_lease(g, s, section, err) < 0)
		return err->code;
	return check_copies(g, s, err);
}

static int
read_setting(struct group *g, const char *copy, const struct setting_view *v, struct error *err)
{
	struct group_copy *c = NULL;

	if (copy[0] == '\0')
		return take_group_setting(g, v, err);
	int r = copy_of(g, copy, &c, err);
	return r < 0 ? r : take_copy_setting(c, v, err);
}

/* The group of that name, all of it; ERR_NOT_FOUND without one. */
static int
read_group(const struct settings *s, const char *name, struct group **ret, struct error *err)
{
	CLEAN(group_freep) struct group *g = calloc(1, sizeof(*g));
	char group[GROUP_NAME_MAX + 1], copy[GROUP_NAME_MAX + 1];
	struct setting_view v;
	bool any = false, own = false;

	if (g == NULL || (g->name = strdup(name)) == NULL)
		return error_no_memory(err);
	for (size_t i = 0; settings_at(s, i, &v); i++) {
		if (!split_section(v.section, group, copy) || strcmp(group, name) != 0)
			continue;
		any = true;
		own = own || copy[0] == '\0';
		int r = read_setting(g, copy, &v, err);
		if (r < 0)
			return r;
	}
	if (!any)
		return error_set(err, ERR_NOT_FOUND, "there is no group '%s'", name);
	if (!own) {
		error_set(err, ERR_CONFIG, "there is no section [group.%s], only copies of it",
			  name);
		return error_hint(err, "add it, with 'engine = postgresql' in it");
	}
	int r = check_group(g, s, err);
	if (r == OK)
		*ret = STEAL_PTR(g);
	return r;
}

/* "orders, customers" */
static void
names_of_all(const struct settings *s, char *text, size_t size)
{
	char group[GROUP_NAME_MAX + 1], copy[GROUP_NAME_MAX + 1], last[GROUP_NAME_MAX + 1] = "";
	struct setting_view v;
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; settings_at(s, i, &v) && size - n > 8; i++) {
		if (!split_section(v.section, group, copy) || copy[0] != '\0' ||
		    strcmp(group, last) == 0)
			continue;
		memcpy(last, group, sizeof(last));
		(void)text_printf(text + n, size - n, "%s%s", n > 0 ? ", " : "", group);
		n = strlen(text);
	}
}

int
group_find(const struct settings *s, const char *name, struct group **ret, struct error *err)
{
	struct error own = ERROR_INIT;
	char all[160];
	int r = read_group(s, name, ret, &own);

	if (r == ERR_NOT_FOUND) {
		names_of_all(s, all, sizeof(all));
		(void)error_set(&own, ERR_CONFIG, "there is no group '%s' in the configuration",
				name);
		if (all[0] != '\0')
			(void)error_hint(&own, "there is: %s", all);
		else
			(void)error_hint(&own,
					 "add sections [group.%s] and [group.%s.copy.NAME], "
					 "see holdfast.conf(5)",
					 name, name);
	}
	if (r < 0 && err != NULL)
		*err = own;
	return r == ERR_NOT_FOUND ? ERR_CONFIG : r;
}

static bool
is_known(const struct group_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->groups[i]->name, name) == 0)
			return true;
	return false;
}

static int
list_add(struct group_list *l, const struct settings *s, const char *name, struct error *err)
{
	struct group **all = realloc(l->groups, (l->n + 1) * sizeof(struct group *));
	struct group *g = NULL;

	if (all == NULL)
		return error_no_memory(err);
	l->groups = all;
	int r = read_group(s, name, &g, err);
	if (g != NULL)
		all[l->n++] = g;
	return r;
}

int
group_list_read(const struct settings *s, struct group_list *ret, struct error *err)
{
	struct group_list l = {0};
	char group[GROUP_NAME_MAX + 1], copy[GROUP_NAME_MAX + 1];
	struct setting_view v;
	int r = OK;

	for (size_t i = 0; r == OK && settings_at(s, i, &v); i++)
		if (split_section(v.section, group, copy) && !is_known(&l, group))
			r = list_add(&l, s, group, err);
	if (r < 0) {
		group_list_done(&l);
		return r;
	}
	*ret = l;
	return OK;
}

void
group_list_done(struct group_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		group_free(l->groups[i]);
	free(l->groups);
	*l = (struct group_list){0};
}
