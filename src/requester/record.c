/* SPDX-License-Identifier: Apache-2.0 */

/* Building a restore point's record. */
#include "requester/record.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "requester/backup.h"
#include "requester/top.h"

void
record_done(struct record *r)
{
	json_decref(r->json);
	*r = (struct record){0};
}

/* Strings of any bytes, as a new array; NULL when out of memory. */
static json_t *
bytes_array(const char *const *texts, size_t n)
{
	CLEAN(json_done) json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < n; i++)
		if (json_array_append_new(array, json_bytes(texts[i], strlen(texts[i]))) < 0)
			return NULL;
	return STEAL_PTR(array);
}

int
record_begin(struct record *r, const struct backup_job *job, const char *const *paths,
	     size_t n_paths, struct error *err)
{
	struct record fresh = {0};
	json_t *paths_json = bytes_array(paths, n_paths);
	json_t *tags = bytes_array(job->tags, job->n_tags);

	/* Both arrays are taken over, also on failure. */
	fresh.json = json_pack("{s:s, s:s, s:o, s:o, s:[]}", "program", "holdfast " HF_VERSION,
			       "host", job->host, "paths", paths_json, "tags", tags, "roots");
	if (fresh.json == NULL)
		return error_set(err, ERR_NO_MEMORY,
				 "the host's name, a tag or a path cannot be kept");
	fresh.paths = json_object_get(fresh.json, "paths");
	fresh.roots = json_object_get(fresh.json, "roots");
	*r = fresh;
	return OK;
}

int
record_root_name(const char *writer, const char *component, char text[RECORD_ROOT_MAX],
		 struct error *err)
{
	bool fits;

	if (strcmp(component, "main") == 0)
		fits = text_printf(text, RECORD_ROOT_MAX, "%s", writer);
	else
		fits = text_printf(text, RECORD_ROOT_MAX, "%s:%s", writer, component);
	if (!fits || strchr(text, '/') != NULL)
		return error_set(err, ERR_PROTOCOL,
				 "writer '%s': its component has an unusable name", writer);
	return OK;
}

static int
add_root(struct record *r, const char *name, enum consistency consistency,
	 const struct blob_id *tree, const struct point *previous, json_t **ret, struct error *err)
{
	char hex[2 * BLOB_ID_SIZE + 1];
	json_t *root = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "tree",
				 hex_encode(tree->b, sizeof(tree->b), hex), "consistency",
				 point_consistency_name(consistency), "provider", r->provider);

	if (root == NULL || json_array_append_new(r->roots, root) < 0)
		return error_no_memory(err);
	if (r->consistency == 0 || consistency < r->consistency)
		r->consistency = consistency;
	if (previous != NULL && r->parent[0] == '\0')
		memcpy(r->parent, previous->id_text, sizeof(r->parent));
	*ret = root;
	return OK;
}

int
record_folders(struct record *r, enum consistency consistency, const struct blob_id *tree,
	       const struct point *previous, struct error *err)
{
	json_t *root;

	return add_root(r, "", consistency, tree, previous, &root, err);
}

int
record_component(struct record *r, const char *root_name, const struct writers_member *m,
		 const struct blob_id *tree, const struct point *previous, struct error *err)
{
	CLEAN(json_done) json_t *relocatable = json_array();
	CLEAN(json_done) json_t *top = NULL;
	const json_t *about = writer_metadata(m->writer);
	json_t *root;

	if (relocatable == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < m->component->n_paths; i++) {
		const struct component_path *p = &m->component->paths[i];

		if (p->relocatable &&
		    json_array_append_new(relocatable,
					  json_pack("{s:o, s:o}", "at",
						    json_bytes(p->at, strlen(p->at)), "source",
						    json_bytes(p->source, strlen(p->source)))) < 0)
			return error_no_memory(err);
	}
	if (add_root(r, root_name, m->proven ? CONSISTENCY_APPLICATION : CONSISTENCY_NONE, tree,
		     previous, &root, err) < 0)
		return err->code;
	if (about != NULL &&
	    json_object_set_new(root, "writer_metadata", json_deep_copy(about)) < 0)
		return error_no_memory(err);
	if (m->component->n_paths > 0 && top_record(m->component->paths[0].source, &top, err) < 0)
		return err->code;
	if (top != NULL && json_object_set(root, "top", top) < 0)
		return error_no_memory(err);
	if (json_object_set_new(root, "writer", json_string(m->name)) < 0 ||
	    json_object_set(root, "component", m->metadata) < 0 ||
	    json_object_set(root, "relocatable", relocatable) < 0)
		return error_no_memory(err);
	return OK;
}

int
record_finish(struct record *r, uint64_t start_ns, uint64_t end_ns, const struct warnings *warnings,
	      struct progress *p, const struct repo_write_stats *write, struct error *err)
{
	json_t *stats = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files",
		(json_int_t)atomic_load(&p->files_done), "files_new",
		(json_int_t)atomic_load(&p->files_new), "files_changed",
		(json_int_t)atomic_load(&p->files_changed), "files_unchanged",
		(json_int_t)atomic_load(&p->files_unchanged), "dirs",
		(json_int_t)atomic_load(&p->dirs), "bytes", (json_int_t)atomic_load(&p->bytes_done),
		"bytes_new", (json_int_t)write->bytes_new, "bytes_stored",
		(json_int_t)write->bytes_stored, "blobs_new", (json_int_t)write->blobs_new);
	json_t *more = json_pack(
		"{s:I, s:I, s:s, s:b, s:I, s:O, s:o}", "start", (json_int_t)start_ns, "end",
		(json_int_t)end_ns, "consistency", point_consistency_name(r->consistency),
		"incomplete", warnings->serious > 0 ? 1 : 0, "warning_count",
		(json_int_t)warnings->count, "warnings", warnings->kept, "stats", stats);
	int bad = more == NULL || json_object_update(r->json, more) < 0;

	json_decref(more);
	if (!bad && r->parent[0] != '\0')
		bad = json_object_set_new(r->json, "parent", json_string(r->parent)) < 0;
	return bad ? error_no_memory(err) : OK;
}
