/* SPDX-License-Identifier: Apache-2.0 */

/* The choice of the restore point to compare with. Lists are oldest first. */
#include "requester/previous.h"

#include <string.h>

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
