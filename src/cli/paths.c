/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making paths absolute. ".." cannot be taken away on paper: behind a symbolic link it leads
 * elsewhere. So everything up to the last ".." is resolved by the system, and only that: what comes
 * after it may be a link that is meant.
 */
#include "cli/paths.h"

#include <string.h>

#include "base/buf.h"

enum { PATH_BYTES_MAX = 64 << 10 };

static bool
has_dotdot(const char *path)
{
	for (const char *p = path; *p != '\0';) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += n;
		p += strspn(p, "/");
	}
	return false;
}

/* Append each part of path with a '/' before it. */
static int
append_parts(struct buf *b, const char *path, struct error *err)
{
	for (const char *p = path + strspn(path, "/"); *p != '\0';) {
		size_t n = strcspn(p, "/");

		if (!(n == 1 && p[0] == '.') &&
		    (buf_append(b, "/", 1, err) < 0 || buf_append(b, p, n, err) < 0))
			return err->code;
		p += n;
		p += strspn(p, "/");
	}
	return OK;
}

/* *ret_base: all up to the last "..", resolved; *path becomes what is left. */
static int
resolve_parent(const char **path, char **ret_base, struct error *err)
{
	CLEAN(free_ptr) char *head = NULL;
	const char *rest = *path;

	for (const char *p = *path; *p != '\0';) {
		size_t n = strcspn(p, "/");
		bool dotdot = n == 2 && p[0] == '.' && p[1] == '.';

		p += n;
		p += strspn(p, "/");
		if (dotdot)
			rest = p;
	}
	head = strndup(*path, (size_t)(rest - *path));
	if (head == NULL)
		return error_no_memory(err);
	*ret_base = realpath(head, NULL);
	if (*ret_base == NULL)
		return error_sys(err, ERR_SOURCE, "resolve '%s'", head);
	*path = rest;
	return OK;
}

int
paths_absolute(const char *path, char **ret, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(PATH_BYTES_MAX);
	CLEAN(free_ptr) char *base = NULL;

	if (path[0] == '\0')
		return error_set(err, ERR_USAGE, "a path is empty");
	if (has_dotdot(path)) {
		if (resolve_parent(&path, &base, err) < 0)
			return err->code;
	} else if (path[0] != '/') {
		base = get_current_dir_name();
		if (base == NULL)
			return error_sys(err, ERR_IO, "find the current folder");
	}
	if (append_parts(&b, base != NULL ? base : "", err) < 0 || append_parts(&b, path, err) < 0)
		return error_prefix(err, "'%s'", path);
	if (b.n == 0 && buf_append(&b, "/", 1, err) < 0)
		return err->code;
	if (buf_u8(&b, 0, err) < 0)
		return err->code;
	*ret = (char *)STEAL_PTR(b.p);
	return OK;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
paths_list(const char *const *paths, size_t n, struct path_list *ret, struct error *err)
{
	CLEAN(paths_done) struct path_list l = {0};
	size_t kept = 0;

	l.paths = calloc(MAX(n, (size_t)1), sizeof(*l.paths));
	if (l.paths == NULL)
		return error_no_memory(err);
	for (; l.n < n; l.n++)
		if (paths_absolute(paths[l.n], &l.paths[l.n], err) < 0)
			return err->code;
	if (n > 0)
		qsort(l.paths, l.n, sizeof(*l.paths), compare);
	for (size_t i = 0; i < l.n; i++) {
		if (kept > 0 && strcmp(l.paths[kept - 1], l.paths[i]) == 0)
			free(l.paths[i]);
		else
			l.paths[kept++] = l.paths[i];
	}
	l.n = kept;
	*ret = l;
	l = (struct path_list){0};
	return OK;
}

void
paths_done(struct path_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->paths[i]);
	free(l->paths);
	*l = (struct path_list){0};
}
