/* SPDX-License-Identifier: Apache-2.0 */

/* From POINT:PATH to a place in the repository. */
#include "requester/locate.h"

#include <string.h>

#include "base/text.h"

enum { NODE_HOLD_MAX = 4 << 20 };

void
locate_done(struct location *l)
{
	point_free(l->point);
	free(l->path);
	buf_done(&l->hold);
	*l = (struct location){0};
}

/* Copy a path without "." parts and without '/' at its ends or twice. ".." is refused: a restore
 * point has no such entries. */
static int
clean_path(const char *text, char **ret, struct error *err)
{
	CLEAN(free_ptr) char *path = malloc(strlen(text) + 1);
	size_t n = 0;

	if (path == NULL)
		return error_no_memory(err);
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return error_set(err, ERR_USAGE,
					 "'%s': '..' has no place in a path within "
					 "a restore point",
					 text);
		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (n > 0)
				path[n++] = '/';
			memcpy(path + n, p, len);
			n += len;
		}
		p += len;
		p += *p == '/';
	}
	path[n] = '\0';
	*ret = STEAL_PTR(path);
	return OK;
}

static int
no_such_root(const struct point *p, const char *name, int name_len, struct error *err)
{
	char all[200] = "";

	error_set(err, ERR_NOT_FOUND, "restore point %.8s has no '%.*s'", p->id_text, name_len,
		  name);
	for (size_t i = 0; i < p->n_roots; i++) {
		size_t n = strlen(all);

		if (sizeof(all) - n > 8)
			(void)text_printf(all + n, sizeof(all) - n, "%s'%s'", i > 0 ? ", " : "",
					  p->roots[i].name[0] != '\0' ? p->roots[i].name : "/");
	}
	return error_hint(err, "it holds %s", all[0] != '\0' ? all : "nothing");
}

/* What stands after the ':'. */
static int
find_root(struct location *l, const char *text, struct error *err)
{
	char name[256];
	size_t n = strcspn(text, "/"); /* 0: the folders' root, whose name is empty */

	if (text[0] == '\0') {
		error_set(err, ERR_USAGE, "there is no path after ':'");
		return error_hint(err, "POINT:/ means all folders, POINT alone everything");
	}
	if (text_printf(name, sizeof(name), "%.*s", (int)n, text))
		l->root = point_find_root(l->point, name);
	if (l->root == NULL)
		return no_such_root(l->point, n > 0 ? text : "/", n > 0 ? (int)n : 1, err);
	return clean_path(text + n, &l->path, err);
}

int
locate_point(struct repo *repo, const char *text, struct location *ret, struct error *err)
{
	CLEAN(locate_done) struct location l = {.hold = BUF_INIT(NODE_HOLD_MAX)};
	const char *colon = strchr(text, ':');
	CLEAN(free_ptr)
	char *point = colon != NULL ? strndup(text, (size_t)(colon - text)) : strdup(text);

	if (point == NULL)
		return error_no_memory(err);
	if (strlen(text) > LOCATE_TEXT_MAX)
		return error_set(err, ERR_LIMIT, "the path is longer than %d bytes",
				 LOCATE_TEXT_MAX);
	if (point_resolve(repo, point, &l.point, err) < 0)
		return err->code;
	if (colon != NULL && find_root(&l, colon + 1, err) < 0)
		return err->code;
	*ret = l;
	l = (struct location){0};
	return OK;
}

int
locate_node(struct repo_reader *reader, struct location *l, struct error *err)
{
	int r;

	if (l->path[0] == '\0') {
		l->is_folder = true;
		l->tree = l->root->tree;
		return OK;
	}
	r = tree_find(reader, &l->root->tree, l->path, &l->hold, &l->node, err);
	if (r < 0)
		return error_prefix(err, "look up '%s'", l->path);
	if (r == 0) {
		error_set(err, ERR_NOT_FOUND, "restore point %.8s has no '%s/%s'",
			  l->point->id_text, l->root->name, l->path);
		return error_hint(err, "'holdfast list %.8s:%s/' shows what it has",
				  l->point->id_text, l->root->name);
	}
	l->is_folder = l->node.type == NODE_DIR;
	if (l->is_folder)
		l->tree = l->node.tree;
	return OK;
}
