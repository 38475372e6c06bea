/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of paths are short (a person wrote them): they are searched from end to end. */
#include "mover/restore_paths.h"

#include <string.h>

static int
normalise(const char *path, char *text, struct error *err)
{
	size_t n = 0;

	for (const char *p = path; *p != '\0';) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return error_set(err, ERR_USAGE, "path '%s' leads upwards", path);
		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (n > 0)
				text[n++] = '/';
			memcpy(text + n, p, len);
			n += len;
		}
		p += len;
		p += strspn(p, "/");
	}
	text[n] = '\0';
	if (n == 0)
		return error_set(err, ERR_USAGE, "path '%s' names nothing in the restore point",
				 path);
	return OK;
}

int
restore_paths_add(struct restore_paths *paths, const char *path, struct error *err)
{
	CLEAN(free_ptr) char *text = malloc(strlen(path) + 1);

	if (text == NULL)
		return error_no_memory(err);
	int rc = normalise(path, text, err);
	if (rc < 0)
		return rc;
	char **list = realloc(paths->list, (paths->n + 1) * sizeof(*list));
	if (list == NULL)
		return error_no_memory(err);
	paths->list = list;
	paths->list[paths->n++] = STEAL_PTR(text);
	return OK;
}

void
restore_paths_done(struct restore_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->list[i]);
	free(paths->list);
	*paths = (struct restore_paths){.n = 0};
}

size_t
restore_paths_find(const struct restore_paths *paths, struct slice path)
{
	for (size_t i = 0; i < paths->n; i++)
		if (strlen(paths->list[i]) == path.n && memcmp(paths->list[i], path.p, path.n) == 0)
			return i;
	return SIZE_MAX;
}

bool
restore_paths_below(const struct restore_paths *paths, struct slice path)
{
	for (size_t i = 0; i < paths->n; i++)
		if (strlen(paths->list[i]) > path.n &&
		    (path.n == 0 || (memcmp(paths->list[i], path.p, path.n) == 0 &&
				     paths->list[i][path.n] == '/')))
			return true;
	return false;
}
