/* SPDX-License-Identifier: Apache-2.0 */

/* Patterns are of fnmatch(3), so the paths of our own folders are escaped. */
#include "cli/exclude.h"

#include <string.h>

#include "base/buf.h"
#include "cli/show.h"

enum { OWN_FOLDERS = 2, PATTERN_MAX = 128 << 10 };

void
exclude_done(struct exclude_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->patterns[i]);
	free(l->patterns);
	*l = (struct exclude_list){0};
}

static bool
is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	if (n == 1) /* "/" */
		return path[1] != '\0';
	return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static int
add_own(struct exclude_list *l, const char *folder, const struct path_list *paths,
	struct error *err)
{
	CLEAN(free_ptr) char *real = realpath(folder, NULL);
	CLEAN(buf_done) struct buf pattern = BUF_INIT(PATTERN_MAX);
	bool below = false;

	if (real == NULL)
		return OK; /* not there, so nobody walks into it */
	for (size_t i = 0; i < paths->n; i++)
		below = below || is_below(real, paths->paths[i]);
	if (!below)
		return OK;
	for (const char *p = real; *p != '\0'; p++)
		if ((strchr("*?[\\", *p) != NULL && buf_append(&pattern, "\\", 1, err) < 0) ||
		    buf_append(&pattern, p, 1, err) < 0)
			return err->code;
	if (buf_u8(&pattern, 0, err) < 0)
		return err->code;
	l->patterns[l->n++] = (char *)STEAL_PTR(pattern.p);
	return OK;
}

int
exclude_make(const struct cli *cli, const struct path_list *paths, struct exclude_list *ret,
	     struct error *err)
{
	CLEAN(exclude_done) struct exclude_list l = {0};
	const char *repository = settings_text(cli->settings, OPTION_REPOSITORY_LOCATION);
	const char *cache = settings_text(cli->settings, OPTION_REPOSITORY_CACHE_DIR);
	size_t n;
	const char *const *user = settings_list(cli->settings, OPTION_BACKUP_EXCLUDE, &n);

	l.patterns = calloc(n + OWN_FOLDERS, sizeof(*l.patterns));
	if (l.patterns == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		l.patterns[l.n] = strdup(user[i]);
		if (l.patterns[l.n++] == NULL)
			return error_no_memory(err);
	}
	if (strncmp(repository, "dir:", 4) == 0)
		repository += 4;
	if (add_own(&l, repository, paths, err) < 0)
		return err->code;
	if (l.n > n)
		show_note(cli, "note: the repository lies below a given path and is left out");
	if (add_own(&l, cache, paths, err) < 0)
		return err->code;
	*ret = l;
	l = (struct exclude_list){0};
	return OK;
}
