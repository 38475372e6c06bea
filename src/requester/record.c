/* SPDX-License-Identifier: Apache-2.0 */

/* Building a restore point's record. */
#include "requester/record.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/uuid.h"
#include "requester/backup.h"

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
record_begin(struct record *r, const struct backup_job *job, const struct session_order *order,
	     struct error *err)
{
	struct record fresh = {0};
	json_t *paths_json = bytes_array(order->paths, order->n_paths);
	json_t *tags = bytes_array(job->tags, job->n_tags);

	/* Both arrays are taken over, also on failure. */
	fresh.json = json_pack("{s:s, s:s, s:s, s:o, s:o, s:[]}", "program", "holdfast " HF_VERSION,
			       "type", order->backup_type, "host", job->host, "paths", paths_json,
			       "tags", tags, "roots");
	if (fresh.json == NULL)
		return error_set(err, ERR_NO_MEMORY,
				 "the host's name, a tag or a path cannot be kept");
	fresh.paths = json_object_get(fresh.json, "paths");
	*r = fresh;
	return OK;
}

int
record_base(struct record *r, const struct point *base, struct error *err)
{
	if (base == NULL || json_object_set_new(r->json, "base", json_string(base->id_text)) == 0)
		return OK;
	return error_no_memory(err);
}

static const json_t *
find_root(const json_t *roots, const char *name)
{
	size_t i;
	json_t *root;

	json_array_foreach(roots, i, root)
	{
		const char *own = json_string_value(json_object_get(root, "name"));

		if (own != NULL && strcmp(own, name) == 0)
			return root;
	}
	return NULL;
}

static int
add_root(struct record *r, json_t *roots, const json_t *moved, const json_t *verdict,
	 struct error *err)
{
	CLEAN(json_done) json_t *root = json_deep_copy(moved);
	const char *name = json_string_value(json_object_get(moved, "name")), *text, *reason;
	const json_t *judged = name != NULL ? find_root(verdict, name) : NULL;
	enum consistency consistency;

	if (root == NULL)
		return error_no_memory(err);
	text = json_string_value(json_object_get(judged, "consistency"));
	if (text == NULL || !point_consistency_find(text, &consistency))
		return error_set(err, ERR_PROTOCOL, "the host does not say what '%s' is worth",
				 name != NULL ? name : "?");
	if (json_object_set_new(root, "consistency", json_string(text)) < 0 ||
	    json_array_append(roots, root) < 0)
		return error_no_memory(err);
	reason = json_string_value(json_object_get(judged, "reason"));
	if (reason != NULL &&
	    json_object_set_new(root, "consistency_reason", json_string(reason)) < 0)
		return error_no_memory(err);
	if (r->consistency == 0 || consistency < r->consistency) {
		r->consistency = consistency;
		(void)text_printf(r->reason, sizeof(r->reason), "%s", reason != NULL ? reason : "");
	}
	return OK;
}

int
record_roots(struct record *r, const json_t *moved, const json_t *verdict, struct error *err)
{
	json_t *roots = json_object_get(r->json, "roots");
	json_t *root;
	size_t i;

	json_array_foreach(moved, i, root)
	{
		if (add_root(r, roots, root, verdict, err) < 0)
			return err->code;
	}
	return OK;
}

int
record_moment(struct record *r, const struct session_prepared *prepared,
	      const struct session_moment *moment, struct error *err)
{
	CLEAN(json_done) json_t *j = NULL;
	char set[UUID_TEXT_SIZE];

	if (moment->time_ns == 0)
		return OK;
	j = json_pack("{s:I, s:I, s:b}", "time", (json_int_t)moment->time_ns, "frozen_ns",
		      (json_int_t)moment->frozen_ns, "proven", (int)moment->proven);
	if (j == NULL || json_object_set(r->json, "snapshot", j) < 0)
		return error_no_memory(err);
	if (prepared->leased &&
	    (json_object_set_new(j, "set", json_string(uuid_text(prepared->key.set, set))) < 0 ||
	     json_object_set_new(j, "epoch", json_integer((json_int_t)prepared->key.epoch)) < 0))
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
	if (!bad && r->reason[0] != '\0')
		bad = json_object_set_new(r->json, "consistency_reason", json_string(r->reason)) <
		      0;
	if (!bad && r->parent[0] != '\0')
		bad = json_object_set_new(r->json, "parent", json_string(r->parent)) < 0;
	return bad ? error_no_memory(err) : OK;
}
