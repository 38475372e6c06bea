/* SPDX-License-Identifier: Apache-2.0 */

/* The choice of the restore point to compare with. Lists are oldest first. */
#include "requester/previous.h"

#include <string.h>

#include "base/text.h"

const struct point *
previous_folders(const struct point_list *l, const char *host, const json_t *paths)
{
	const struct point *any = NULL;

	for (size_t i = l->n; i-- > 0;) {
		const struct point *p = l->points[i];

		if (strcmp(p->host, host) != 0 || point_find_root(p, "") == NULL)
			continue;
		if (json_equal(json_object_get(p->json, "paths"), paths))
			return p;
		if (any == NULL)
			any = p;
	}
	return any;
}

const struct point *
previous_component(const struct point_list *l, const char *host, const char *root)
{
	for (size_t i = l->n; i-- > 0;)
		if (strcmp(l->points[i]->host, host) == 0 &&
		    point_find_root(l->points[i], root) != NULL)
			return l->points[i];
	return NULL;
}

const struct point *
previous_root(const struct point_list *l, const char *host, const json_t *paths, const char *root)
{
	return root[0] == '\0' ? previous_folders(l, host, paths)
			       : previous_component(l, host, root);
}

struct trees {
	struct task_previous *p;
	size_t n;
};

static bool
has(const struct trees *t, const char *root)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->p[i].root, root) == 0)
			return true;
	return false;
}

static int
add(struct trees *t, const struct point *p, const char *root, struct error *err)
{
	struct task_previous *more = reallocarray(t->p, t->n + 1, sizeof(*more));

	if (more == NULL)
		return error_no_memory(err);
	t->p = more;
	/* A name too long for us names no root of ours. */
	if (text_printf(more[t->n].root, sizeof(more[t->n].root), "%s", root))
		more[t->n++].tree = point_find_root(p, root)->tree;
	return OK;
}

int
previous_trees(const struct point_list *l, const char *host, const json_t *paths,
	       struct task_previous **ret, size_t *ret_n, struct error *err)
{
	struct trees t = {0};
	int r = OK;

	for (size_t i = l->n; i-- > 0 && r == OK;) {
		const struct point *p = l->points[i];

		if (strcmp(p->host, host) != 0)
			continue;
		for (size_t k = 0; k < p->n_roots && r == OK; k++) {
			const char *root = p->roots[k].name;

			if (!has(&t, root))
				r = add(&t, previous_root(l, host, paths, root), root, err);
		}
	}
	if (r < 0) {
		free(t.p);
		return r;
	}
	*ret = t.p;
	*ret_n = t.n;
	return OK;
}
