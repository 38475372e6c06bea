/* SPDX-License-Identifier: Apache-2.0 */

/* Reading and writing tablespace_map. */
#include "writer/postgresql/spcmap.h"

#include <string.h>

#include "base/base.h"

struct cursor {
	const uint8_t *p, *end;
	bool escapes_backslash;
};

static bool
is_line_end(uint8_t c)
{
	return c == '\n' || c == '\r';
}

/* The next character of a location; false at the end of its line. */
static bool
next_char(struct cursor *c, uint8_t *ret)
{
	if (c->p == c->end || is_line_end(*c->p))
		return false;
	if (*c->p == '\\' && c->end - c->p > 1 && (c->escapes_backslash || is_line_end(c->p[1])))
		c->p++;
	*ret = *c->p++;
	return true;
}

static int
parse_line(struct cursor *c, struct spcmap_entry *e, struct error *err)
{
	CLEAN(buf_done) struct buf location = BUF_INIT(SPCMAP_LOCATION_MAX);
	size_t n = 0;
	uint8_t ch;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && n < sizeof(e->oid) - 1)
		e->oid[n++] = (char)*c->p++;
	if (n == 0 || c->p == c->end || *c->p != ' ')
		return error_set(err, ERR_CORRUPT, "a line does not begin with a number");
	c->p++;
	while (next_char(c, &ch)) {
		int rc = ch != 0 ? buf_u8(&location, ch, err)
				 : error_set(err, ERR_CORRUPT, "a zero byte in a location");
		if (rc < 0)
			return rc;
	}
	if (c->p == c->end)
		return error_set(err, ERR_CORRUPT, "the last line is cut");
	c->p++;
	if (location.n == 0 || location.p[0] != '/')
		return error_set(err, ERR_CORRUPT, "the location of %s is not an absolute path",
				 e->oid);
	int rc = buf_u8(&location, 0, err);
	if (rc == OK)
		e->location = (char *)STEAL_PTR(location.p);
	return rc;
}

/* For one more line: map->entries[map->n] is there, and empty. */
static int
make_room(struct spcmap *map, size_t *cap, struct error *err)
{
	if (map->n == SPCMAP_MAX)
		return error_set(err, ERR_LIMIT, "more than %d lines", SPCMAP_MAX);
	if (map->n == *cap) {
		size_t more = *cap > 0 ? 2 * *cap : 8;
		struct spcmap_entry *p = reallocarray(map->entries, more, sizeof(*p));

		if (p == NULL)
			return error_no_memory(err);
		map->entries = p;
		*cap = more;
	}
	map->entries[map->n] = (struct spcmap_entry){0};
	return OK;
}

int
spcmap_parse(struct slice text, bool escapes_backslash, struct spcmap *ret, struct error *err)
{
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;
	struct cursor c = {.escapes_backslash = escapes_backslash};
	size_t cap = 0;

	if (text.n > 0) {
		c.p = text.p;
		c.end = text.p + text.n;
	}
	while (c.p < c.end) {
		int rc = make_room(&map, &cap, err);
		if (rc == OK)
			rc = parse_line(&c, &map.entries[map.n], err);
		if (rc < 0)
			return error_prefix(err, "tablespace_map");
		map.n++;
	}
	*ret = map;
	map = SPCMAP_INIT;
	return OK;
}

int
spcmap_write(const struct spcmap *map, bool escapes_backslash, struct buf *out, struct error *err)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct spcmap_entry *e = &map->entries[i];

		int rc = buf_printf(out, err, "%s ", e->oid);
		for (const char *s = e->location; rc == OK && *s != 0; s++) {
			if (is_line_end((uint8_t)*s) || (*s == '\\' && escapes_backslash))
				rc = buf_u8(out, '\\', err);
			if (rc == OK)
				rc = buf_u8(out, (uint8_t)*s, err);
		}
		if (rc == OK)
			rc = buf_u8(out, '\n', err);
		if (rc < 0)
			return rc;
	}
	return OK;
}

int
spcmap_move(struct spcmap_entry *entry, const char *location, struct error *err)
{
	char *copy = strdup(location);

	if (copy == NULL)
		return error_no_memory(err);
	free(entry->location);
	entry->location = copy;
	return OK;
}

void
spcmap_done(struct spcmap *map)
{
	for (size_t i = 0; i < map->n; i++)
		free(map->entries[i].location);
	free(map->entries);
	*map = SPCMAP_INIT;
}
