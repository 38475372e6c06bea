/* SPDX-License-Identifier: Apache-2.0 */

/* Tablespaces after a restore: in backup mode the server goes by tablespace_map, and makes the links from it;
 * an image has no map, and the links alone count. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "writer/postgresql/layout.h"
#include "writer/postgresql/pgrestore_internal.h"
#include "writer/postgresql/spcmap.h"

enum { LINK_MAX_LEN = 4096 };

/* Where the tablespace is now: what the link says, which the mover made, or we make it. */
static int
place_link(const struct pgrestore_finishing *f, struct spcmap_entry *e, struct error *err)
{
	const char *moved = json_string_value(json_object_get(f->r->map, e->location));
	const char *want = moved != NULL ? moved : e->location;
	char at[32], text[LINK_MAX_LEN];

	(void)snprintf(at, sizeof(at), "pg_tblspc/%s", e->oid);
	ssize_t n = readlinkat(f->dir, at, text, sizeof(text) - 1);
	if (n >= 0) {
		text[n] = 0;
		return spcmap_move(e, text, err);
	}
	if (errno != ENOENT)
		return error_sys(err, ERR_TARGET, "read the link '%s/%s'", f->r->target, at);
	if (symlinkat(want, f->dir, at) < 0)
		return error_sys(err, ERR_TARGET, "create the link '%s/%s'", f->r->target, at);
	return spcmap_move(e, want, err);
}

/* The tablespace is there, with the part that belongs to this version, and closed to others. */
static int
check_tablespace(const struct pgrestore_finishing *f, const char *location, struct error *err)
{
	CLEAN(fd_close) int dir = open(location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char version_dir[40];
	struct stat st;

	if (dir < 0)
		return error_sys(err, ERR_TARGET, "open the tablespace '%s'", location);
	(void)layout_version_dir(f->p.version_num, f->p.catalog_version, version_dir);
	if (fstatat(dir, version_dir, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, ERR_CORRUPT, "the tablespace '%s' has no folder '%s'",
				 location, version_dir);
	if (fchmod(dir, (mode_t)f->p.dir_mode) < 0)
		return error_sys(err, ERR_TARGET, "set the mode of '%s'", location);
	return OK;
}

/* One that was restored as a folder, right there: the map must not name it, or the server would
 * remove the folder to make a link. */
static bool
is_in_place(const struct pgrestore_finishing *f, const struct spcmap_entry *e)
{
	char at[32];
	struct stat st;

	(void)snprintf(at, sizeof(at), "pg_tblspc/%s", e->oid);
	return fstatat(f->dir, at, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int
relocate(const struct pgrestore_finishing *f, struct spcmap *map, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->n; i++) {
		struct spcmap_entry *e = &map->entries[i];

		if (is_in_place(f, e)) {
			free(STEAL_PTR(e->location));
			continue;
		}
		int rc = place_link(f, e, err);
		if (rc == OK)
			rc = check_tablespace(f, e->location, err);
		if (rc < 0)
			return rc;
		struct spcmap_entry keep = *e;
		e->location = NULL;
		map->entries[kept++] = keep;
	}
	map->n = kept;
	return OK;
}

/* The tablespaces as the metadata has them. */
static int
read_tablespaces(const struct pgrestore_finishing *f, struct spcmap *ret, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(SPCMAP_LOCATION_MAX);
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;
	size_t n = json_array_size(f->p.tablespaces);
	const char *location = NULL, *oid = NULL;

	map.entries = calloc(n + 1, sizeof(*map.entries));
	if (map.entries == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		const json_t *t = json_array_get(f->p.tablespaces, i);
		struct spcmap_entry *e = &map.entries[i];

		if (json_get_str(t, "oid", &oid, err) < 0 ||
		    pgrestore_path_of(json_object_get(t, "location"), &b, &location, err) < 0)
			return error_prefix(err, "metadata");
		size_t digits = strspn(oid, "0123456789");
		if (digits == 0 || oid[digits] != 0 || digits >= sizeof(e->oid) ||
		    location[0] != '/')
			return error_set(err, ERR_PROTOCOL,
					 "metadata: '%s' is not the number of a tablespace", oid);
		memcpy(e->oid, oid, digits + 1);
		map.n++;
		int rc = spcmap_move(e, location, err);
		if (rc < 0)
			return rc;
	}
	*ret = map;
	map = SPCMAP_INIT;
	return OK;
}

/* An image has no map: the server goes by the links alone. */
static int
place_tablespaces(const struct pgrestore_finishing *f, struct error *err)
{
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;

	int rc = read_tablespaces(f, &map, err);
	return rc == OK ? relocate(f, &map, err) : rc;
}

static int
rewrite_map(const struct pgrestore_finishing *f, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(PGRESTORE_FILE_MAX + 1);
	CLEAN(buf_done) struct buf out = BUF_INIT(PGRESTORE_FILE_MAX);
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;

	if (json_array_size(f->p.tablespaces) == 0)
		return OK;
	int rc = pgrestore_read(f, "tablespace_map", &text, err);
	if (rc == OK)
		rc = spcmap_parse(buf_slice(&text), f->p.dialect->map_escapes_backslash, &map, err);
	if (rc == OK)
		rc = relocate(f, &map, err);
	if (rc == OK)
		rc = spcmap_write(&map, f->p.dialect->map_escapes_backslash, &out, err);
	if (rc < 0)
		return rc;
	rc = fs_write_file(f->dir, "tablespace_map", buf_slice(&out), (mode_t)f->p.dir_mode & 0640,
			   err);
	return rc < 0 ? (int)error_prefix(err, "'%s/tablespace_map'", f->r->target) : OK;
}

int
pgrestore_spaces(const struct pgrestore_finishing *f, struct error *err)
{
	return f->p.image ? place_tablespaces(f, err) : rewrite_map(f, err);
}
