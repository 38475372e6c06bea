/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A folder belongs to the source that is the longest prefix of its path, if it is on the same device:
 * each btrfs subvolume has a device number of its own, so that one check finds mounts and nested
 * subvolumes alike. Looks two levels deep below each folder of the cluster, which covers everything a
 * server keeps folders for.
 */
#include "writer/postgresql/reach.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

enum { DEPTH = 2, NAME_BYTES_MAX = 32 * 1024 };

const char *const reach_movable[] = {
	"base",        "global",      "pg_commit_ts", "pg_dynshmem",  "pg_logical", "pg_multixact",
	"pg_notify",   "pg_replslot", "pg_serial",    "pg_snapshots", "pg_stat",    "pg_stat_tmp",
	"pg_subtrans", "pg_twophase", "pg_wal",       "pg_xact",      NULL,
};

static int
add_real(json_t *list, const char *path, struct error *err)
{
	CLEAN(free_ptr) char *real = realpath(path, NULL);

	if (real == NULL)
		return OK;
	return json_array_append_new(list, json_bytes(real, strlen(real))) == 0
		       ? OK
		       : (int)error_no_memory(err);
}

int
reach_list(const char *data_directory, const struct spcmap *tablespaces, json_t **ret,
	   struct error *err)
{
	CLEAN(json_done) json_t *list = json_array();

	int rc = add_real(list, data_directory, err);
	for (const char *const *name = reach_movable; rc == OK && *name != NULL; name++) {
		CLEAN(free_ptr) char *path = NULL;
		struct stat st;

		if (asprintf(&path, "%s/%s", data_directory, *name) < 0)
			return error_no_memory(err);
		if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
			rc = add_real(list, path, err);
	}
	for (size_t i = 0; rc == OK && i < tablespaces->n; i++)
		rc = add_real(list, tablespaces->entries[i].location, err);
	if (rc == OK)
		*ret = STEAL_PTR(list);
	return rc;
}

struct looking {
	const json_t *sources;
	bool inside;
	char *why;
};

static bool
is_prefix(const char *source, const char *path)
{
	size_t n = strlen(source);

	while (n > 0 && source[n - 1] == '/')
		n--;
	return strncmp(source, path, n) == 0 && (path[n] == '/' || path[n] == 0);
}

/* The device of the source that `path` is in. False: it is in none. */
static bool
device_of_source(const json_t *sources, const char *path, dev_t *ret)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(NAME_BYTES_MAX);
	size_t best = 0;
	bool found = false;
	struct stat st;

	for (size_t i = 0; i < json_array_size(sources); i++) {
		buf_reset(&b);
		if (json_bytes_get(json_array_get(sources, i), &b, NULL) < 0 ||
		    buf_u8(&b, 0, NULL) < 0)
			continue;
		const char *source = (const char *)b.p;
		if (b.n <= best || !is_prefix(source, path))
			continue;
		best = b.n;
		found = stat(source, &st) == 0;
		*ret = st.st_dev;
	}
	return found;
}

static void
outside(struct looking *k, const char *path, const char *how)
{
	k->inside = false;
	(void)text_printf(k->why, REACH_WHY_MAX, "'%s' %s", path, how);
}

static int look(struct looking *k, const char *path, int depth, struct error *err);

static int
look_below(struct looking *k, const char *path, int depth, struct error *err)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int rc = OK;

	if (dir == NULL) {
		/* What neither we nor the server may enter ("lost+found") is none of its own. */
		if (errno != ENOENT && depth == DEPTH)
			outside(k, path, "cannot be opened");
		return OK;
	}
	while (rc == OK && k->inside && (e = readdir(dir)) != NULL) {
		CLEAN(free_ptr) char *inner = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		if (asprintf(&inner, "%s/%s", path, e->d_name) < 0)
			rc = error_no_memory(err);
		else
			rc = look(k, inner, depth - 1, err);
	}
	(void)closedir(dir);
	return rc;
}

static int
look(struct looking *k, const char *path, int depth, struct error *err)
{
	struct stat st;
	dev_t device = 0;

	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return OK;
	if (!device_of_source(k->sources, path, &device))
		outside(k, path, "is not in the snapshot");
	else if (device != st.st_dev)
		outside(k, path, "is another file system or subvolume, and not in the snapshot");
	return k->inside && depth > 0 ? look_below(k, path, depth, err) : OK;
}

int
reach_inside(const json_t *list, const json_t *sources, bool *ret_inside, char why[REACH_WHY_MAX],
	     struct error *err)
{
	struct looking k = {.sources = sources, .inside = true, .why = why};

	why[0] = 0;
	for (size_t i = 0; k.inside && i < json_array_size(list); i++) {
		CLEAN(buf_done) struct buf b = BUF_INIT(NAME_BYTES_MAX);

		int rc = json_bytes_get(json_array_get(list, i), &b, err);
		if (rc == OK)
			rc = buf_u8(&b, 0, err);
		if (rc == OK)
			rc = look(&k, (const char *)b.p, DEPTH, err);
		if (rc < 0)
			return rc;
	}
	*ret_inside = k.inside;
	return OK;
}
