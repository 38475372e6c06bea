/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A sorted list: a set has a handful of members, and the islands within them are as few as mounts.
 * Comparing goes by components ('/' before any other byte), so that a folder's own come right after
 * it.
 */
#include "provider/snapshot_map.h"

#include <string.h>

void
snapshot_map_done(struct snapshot_map *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->entries[i].live);
		free(m->entries[i].at);
	}
	free(m->entries);
	*m = SNAPSHOT_MAP_INIT;
}

/* Without slashes at its end; "/" has none left. */
static size_t
trimmed(const char *path)
{
	size_t n = strlen(path);

	while (n > 0 && path[n - 1] == '/')
		n--;
	return n;
}

bool
snapshot_map_covers(const char *top, const char *path)
{
	size_t n = trimmed(top);

	return strncmp(top, path, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static int
compare(const char *a, const char *b)
{
	while (*a == *b && *a != '\0') {
		a++;
		b++;
	}
	if (*a == *b)
		return 0;
	/* The end first, then the slash. */
	int left = *a == '\0' ? -2 : *a == '/' ? -1 : (unsigned char)*a;
	int right = *b == '\0' ? -2 : *b == '/' ? -1 : (unsigned char)*b;
	return left < right ? -1 : 1;
}

/* "/srv/" is kept as "/srv". */
static char *
copy_path(const char *path)
{
	size_t n = trimmed(path);

	return strndup(path, MAX(n, (size_t)1));
}

int
snapshot_map_add(struct snapshot_map *m, const char *live, const char *at, struct error *err)
{
	CLEAN(free_ptr) char *live_copy = copy_path(live);
	CLEAN(free_ptr) char *at_copy = copy_path(at);
	struct snapshot_map_entry *grown;
	size_t i = 0;

	if (live[0] != '/' || at[0] != '/')
		return error_set(err, ERR_INTERNAL, "snapshot map: '%s' -> '%s'", live, at);
	if (live_copy == NULL || at_copy == NULL)
		return error_no_memory(err);
	while (i < m->n && compare(m->entries[i].live, live_copy) < 0)
		i++;
	if (i < m->n && strcmp(m->entries[i].live, live_copy) == 0) {
		free(m->entries[i].at);
		m->entries[i].at = STEAL_PTR(at_copy);
		return OK;
	}
	grown = reallocarray(m->entries, m->n + 1, sizeof(*grown));
	if (grown == NULL)
		return error_no_memory(err);
	m->entries = grown;
	memmove(grown + i + 1, grown + i, (m->n - i) * sizeof(*grown));
	grown[i].live = STEAL_PTR(live_copy);
	grown[i].at = STEAL_PTR(at_copy);
	m->n++;
	return OK;
}

const struct snapshot_map_entry *
snapshot_map_find(const struct snapshot_map *m, const char *path)
{
	/* What covers a path is sorted before it, the nearest last. */
	for (size_t i = m->n; i-- > 0;)
		if (snapshot_map_covers(m->entries[i].live, path))
			return &m->entries[i];
	return NULL;
}

int
snapshot_map_translate(const struct snapshot_map *m, const char *path, struct buf *b,
		       struct error *err)
{
	const struct snapshot_map_entry *e = snapshot_map_find(m, path);
	const char *rest;

	if (e == NULL)
		return buf_printf(b, err, "%s", path);
	rest = path + trimmed(e->live);
	if (trimmed(rest) == 0)
		return buf_printf(b, err, "%s", e->at);
	return buf_printf(b, err, "%.*s%s", (int)trimmed(e->at), e->at, rest);
}

const struct snapshot_map_entry *
snapshot_map_below(const struct snapshot_map *m, const char *path, size_t n)
{
	for (size_t i = 0; i < m->n; i++) {
		const char *live = m->entries[i].live;

		if (snapshot_map_covers(path, live) && trimmed(live) != trimmed(path) && n-- == 0)
			return &m->entries[i];
	}
	return NULL;
}
