/* SPDX-License-Identifier: Apache-2.0 */

/* A group as such: names, copies, an end. Reading one from the configuration is group_read.c. */
#include "group/group.h"

#include <string.h>

const char *
group_prefer_name(enum group_prefer p)
{
	switch (p) {
	case GROUP_PREFER_PASSIVE:
		return "passive";
	case GROUP_PREFER_PASSIVE_ONLY:
		return "passive-only";
	case GROUP_PREFER_ACTIVE:
		return "active";
	}
	return "?";
}

static void
copy_done(struct group_copy *c)
{
	free(c->name);
	free(c->host);
	free(c->port);
	free(c->user);
	free(c->database);
	free(c->passfile);
	free(c->sslmode);
	free(c->sslrootcert);
	free(c->sslcert);
	free(c->sslkey);
	free(c->agent);
}

/* NULL is copied, too. */
static bool
dup_text(const char *text, char **ret)
{
	*ret = text != NULL ? strdup(text) : NULL;
	return *ret != NULL || text == NULL;
}

static bool
dup_copy(const struct group_copy *c, struct group_copy *ret)
{
	return dup_text(c->name, &ret->name) && dup_text(c->host, &ret->host) &&
	       dup_text(c->port, &ret->port) && dup_text(c->user, &ret->user) &&
	       dup_text(c->database, &ret->database) && dup_text(c->passfile, &ret->passfile) &&
	       dup_text(c->sslmode, &ret->sslmode) && dup_text(c->sslrootcert, &ret->sslrootcert) &&
	       dup_text(c->sslcert, &ret->sslcert) && dup_text(c->sslkey, &ret->sslkey) &&
	       dup_text(c->agent, &ret->agent);
}

int
group_dup(const struct group *g, struct group **ret, struct error *err)
{
	CLEAN(group_freep) struct group *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return error_no_memory(err);
	*d = *g;
	d->name = d->slot = NULL;
	d->n = 0;
	d->copies = calloc(MAX(g->n, (size_t)1), sizeof(*d->copies));
	if (d->copies == NULL || !dup_text(g->name, &d->name) || !dup_text(g->slot, &d->slot))
		return error_no_memory(err);
	for (; d->n < g->n; d->n++)
		if (!dup_copy(&g->copies[d->n], &d->copies[d->n])) {
			copy_done(&d->copies[d->n]);
			return error_no_memory(err);
		}
	*ret = STEAL_PTR(d);
	return OK;
}

void
group_free(struct group *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++)
		copy_done(&g->copies[i]);
	free(g->copies);
	free(g->name);
	free(g->slot);
	free(g);
}

void
group_freep(struct group **g)
{
	group_free(*g);
}

const struct group_copy *
group_copy_find(const struct group *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->copies[i].name, name) == 0)
			return &g->copies[i];
	return NULL;
}
