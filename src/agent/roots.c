/* SPDX-License-Identifier: Apache-2.0 */

/* Describing roots. */
#include "agent/roots.h"

#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/json.h"
#include "mover/through.h"
#include "mover/top.h"

static int
add_root(json_t *roots, const char *name, const char *provider, const struct blob_id *tree,
	 json_t **ret, struct error *err)
{
	char hex[2 * BLOB_ID_SIZE + 1];
	json_t *root = json_pack("{s:s, s:s, s:s}", "name", name, "tree",
				 hex_encode(tree->b, sizeof(tree->b), hex), "provider", provider);

	if (root == NULL || json_array_append_new(roots, root) < 0)
		return error_no_memory(err);
	*ret = root;
	return OK;
}

int
roots_add_folders(json_t *roots, const char *provider, const struct blob_id *tree,
		  struct error *err)
{
	json_t *root;

	return add_root(roots, "", provider, tree, &root, err);
}

/* Folders that are restored to a place of their own. */
static int
pack_relocatable(const struct component *c, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *list = json_array();

	if (list == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < c->n_paths; i++) {
		const struct component_path *p = &c->paths[i];

		if (p->relocatable &&
		    json_array_append_new(list,
					  json_pack("{s:o, s:o}", "at",
						    json_bytes(p->at, strlen(p->at)), "source",
						    json_bytes(p->source, strlen(p->source)))) < 0)
			return error_no_memory(err);
	}
	*ret = STEAL_PTR(list);
	return OK;
}

/* What a database's folder itself looks like, as of the moment. */
static int
pack_top(const struct component *c, const struct snapshot_map *map, json_t **ret, struct error *err)
{
	CLEAN(buf_done) struct buf place = BUF_INIT(1 << 20);

	if (c->n_paths == 0)
		return OK;
	if (through_path(map, c->paths[0].source, true, &place, err) < 0)
		return err->code;
	return top_record((const char *)place.p, ret, err);
}

int
roots_add_component(json_t *roots, const char *name, const char *provider,
		    const struct writers_member *m, const struct snapshot_map *map,
		    const struct blob_id *tree, struct error *err)
{
	CLEAN(json_done) json_t *relocatable = NULL;
	CLEAN(json_done) json_t *top = NULL;
	const json_t *about = writer_metadata(m->writer);
	json_t *root;

	if (pack_relocatable(m->component, &relocatable, err) < 0 ||
	    add_root(roots, name, provider, tree, &root, err) < 0)
		return err->code;
	if (about != NULL &&
	    json_object_set_new(root, "writer_metadata", json_deep_copy(about)) < 0)
		return error_no_memory(err);
	if (pack_top(m->component, map, &top, err) < 0)
		return err->code;
	if (top != NULL && json_object_set(root, "top", top) < 0)
		return error_no_memory(err);
	if (json_object_set_new(root, "writer", json_string(m->name)) < 0 ||
	    json_object_set(root, "component", m->metadata) < 0 ||
	    json_object_set(root, "relocatable", relocatable) < 0)
		return error_no_memory(err);
	return OK;
}
