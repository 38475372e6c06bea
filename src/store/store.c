/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The calls of a store: arguments are checked here, once, so that an implementation sees only valid
 * names, ranges that do not overflow and non-empty buffers. A bad name is an error, not an
 * assertion: names are also made from what a repository says.
 */
#include "store/store.h"

#include <assert.h>
#include <string.h>

#include "store/dir.h"

/* Folder parts at most, before the last part of a name. */
enum { STORE_FOLDERS_MAX = 2 };

/* What the folder implementation keeps its unfinished uploads in; reserved everywhere, so that a
 * repository can be copied from any store to any other. */
static const char reserved_folder[] = "tmp";

/* The length of the valid name part at `s`, 0 if there is none. */
static size_t
part_len(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

	return s[0] == '.' ? 0 : strspn(s, allowed);
}

static bool
is_reserved(const char *name)
{
	size_t n = sizeof(reserved_folder) - 1;

	return strncmp(name, reserved_folder, n) == 0 && (name[n] == '/' || name[n] == '\0');
}

/* Skip up to STORE_FOLDERS_MAX "part/"; NULL if more follow or one is not valid. */
static const char *
skip_folders(const char *name)
{
	for (int folders = 0; folders <= STORE_FOLDERS_MAX; folders++) {
		const char *slash = strchr(name, '/');
		if (slash == NULL)
			return name;
		size_t n = part_len(name);
		if (folders == STORE_FOLDERS_MAX || n == 0 || name + n != slash)
			return NULL;
		name = slash + 1;
	}
	return NULL;
}

bool
store_name_valid(const char *name)
{
	if (name == NULL || strnlen(name, STORE_NAME_MAX + 1) > STORE_NAME_MAX || is_reserved(name))
		return false;

	const char *last = skip_folders(name);
	if (last == NULL)
		return false;
	size_t n = part_len(last);
	return n > 0 && last[n] == '\0';
}

bool
store_prefix_valid(const char *prefix)
{
	if (strnlen(prefix, STORE_NAME_MAX + 1) > STORE_NAME_MAX || is_reserved(prefix))
		return false;
	const char *last = skip_folders(prefix);
	return last != NULL && *last == '\0';
}

static int
check_name(const char *name, struct error *err)
{
	if (store_name_valid(name))
		return OK;
	return error_set(err, ERR_INTERNAL, "'%.*s' cannot be the name of an object",
			 STORE_NAME_MAX, name != NULL ? name : "");
}

int
store_read(struct store *s, const char *name, uint64_t offset, void *p, size_t n, struct error *err)
{
	int rc = check_name(name, err);

	if (rc < 0)
		return rc;
	/* No object is that large: file offsets are signed. */
	if (offset > INT64_MAX || n > INT64_MAX - offset)
		return error_set(err, ERR_CORRUPT, "read '%s': the range lies beyond any object",
				 name);
	assert(p != NULL || n == 0);
	return s->ops->read(s, name, offset, p, n, err);
}

int
store_stat(struct store *s, const char *name, uint64_t *ret_size, struct error *err)
{
	uint64_t size;
	int rc = check_name(name, err);

	if (rc < 0)
		return rc;
	rc = s->ops->stat(s, name, &size, err);
	if (rc > 0 && ret_size != NULL)
		*ret_size = size;
	return rc;
}

int
store_list(struct store *s, const char *prefix, store_list_fn *each, void *arg, struct error *err)
{
	if (!store_prefix_valid(prefix))
		return error_set(err, ERR_INTERNAL, "'%.*s' cannot be a prefix of objects",
				 STORE_NAME_MAX, prefix);
	return s->ops->list(s, prefix, each, arg, err);
}

int
store_begin(struct store *s, const char *name, struct store_upload **ret, struct error *err)
{
	int rc = check_name(name, err);

	if (rc < 0)
		return rc;
	return s->ops->begin(s, name, ret, err);
}

int
store_write(struct store_upload *u, const void *p, size_t n, struct error *err)
{
	if (n == 0)
		return OK;
	assert(p != NULL);
	return u->ops->write(u, p, n, err);
}

int
store_commit(struct store_upload *u, struct error *err)
{
	return u->ops->commit(u, err);
}

void
store_abort(struct store_upload *u)
{
	if (u != NULL)
		u->ops->abort(u);
}

void
store_abortp(struct store_upload **u)
{
	store_abort(*u);
}

int
store_remove(struct store *s, const char *name, struct error *err)
{
	int rc = check_name(name, err);

	if (rc < 0)
		return rc;
	if (s->ops->remove == NULL)
		return error_set(err, ERR_PERMISSION, "nothing may be removed from here");
	return s->ops->remove(s, name, err);
}

int
store_tidy(struct store *s, uint64_t age_s, struct error *err)
{
	if (s->ops->tidy == NULL)
		return error_set(err, ERR_PERMISSION, "nothing may be removed from here");
	return s->ops->tidy(s, age_s, err);
}

void
store_close(struct store *s)
{
	if (s != NULL)
		s->ops->close(s);
}

void
store_closep(struct store **s)
{
	store_close(*s);
}

int
store_put(struct store *s, const char *name, struct slice data, struct error *err)
{
	CLEAN(store_abortp) struct store_upload *u = NULL;
	int rc = store_begin(s, name, &u, err);

	if (rc == OK)
		rc = store_write(u, data.p, data.n, err);
	if (rc < 0)
		return rc;
	return store_commit(STEAL_PTR(u), err);
}

int
store_get(struct store *s, const char *name, struct buf *b, struct error *err)
{
	uint64_t size;
	int rc = store_stat(s, name, &size, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return error_set(err, ERR_NOT_FOUND, "there is no object '%s'", name);
	/* Without a byte to read there would be no memory to read into. */
	if (size == 0)
		return OK;
	rc = buf_reserve(b, (size_t)MIN(size, (uint64_t)SIZE_MAX), err);
	if (rc < 0) {
		(void)error_prefix(err, "read '%s'", name);
		return rc;
	}
	rc = store_read(s, name, 0, b->p + b->n, (size_t)size, err);
	if (rc < 0)
		return rc;
	b->n += (size_t)size;
	return OK;
}

/*
 * Everything is a path but what begins with "scheme:", that is, has a ':' before any '/'. A folder
 * whose name has a colon can still be given as ./na:me.
 */
static bool
is_path(const char *location)
{
	size_t n = strcspn(location, ":/");

	return location[0] != '\0' && (n == 0 || location[n] != ':');
}

int
store_open(const char *location, bool create, struct store **ret, struct error *err)
{
	static const char dir_scheme[] = "dir:";
	size_t scheme_len = sizeof(dir_scheme) - 1;

	if (is_path(location))
		return store_dir_open(location, create, ret, err);
	if (strncmp(location, dir_scheme, scheme_len) == 0 && location[scheme_len] != '\0')
		return store_dir_open(location + scheme_len, create, ret, err);

	int rc = error_set(err, ERR_USAGE, "'%s' is not the location of a repository", location);
	(void)error_hint(err, "give a folder, as /path, path or dir:path");
	return rc;
}
