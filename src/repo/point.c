/* SPDX-License-Identifier: Apache-2.0 */

/* Restore points: parsing is strict about what the engine uses, and keeps everything else. */
#include "repo/point.h"

#include <ctype.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "repo/object.h"

const char *
point_consistency_name(enum consistency c)
{
	switch (c) {
	case CONSISTENCY_APPLICATION:
		return "application";
	case CONSISTENCY_CRASH:
		return "crash";
	case CONSISTENCY_NONE:
		return "none";
	}
	return "unknown";
}

bool
point_consistency_find(const char *name, enum consistency *ret)
{
	for (int c = CONSISTENCY_NONE; c <= CONSISTENCY_APPLICATION; c++) {
		if (strcmp(name, point_consistency_name((enum consistency)c)) == 0) {
			*ret = (enum consistency)c;
			return true;
		}
	}
	return false;
}

const char *
point_type(const struct point *p)
{
	const char *type = json_string_value(json_object_get(p->json, "type"));

	return type != NULL ? type : "full";
}

bool
point_is_log(const struct point *p)
{
	return strcmp(point_type(p), "log") == 0;
}

static int
parse_consistency(const char *text, enum consistency *ret, struct error *err)
{
	if (!point_consistency_find(text, ret))
		return error_set(err, ERR_CORRUPT, "unknown consistency '%.32s'", text);
	return OK;
}

static int
parse_root(json_t *j, struct point_root *root, struct error *err)
{
	const char *name, *tree;

	if (json_get_str(j, "name", &name, err) < 0 || json_get_str(j, "tree", &tree, err) < 0)
		return err->code;
	if (strlen(name) > 255 || !hex_decode(tree, strlen(tree), root->tree.b, BLOB_ID_SIZE))
		return error_set(err, ERR_CORRUPT, "a root of the restore point is damaged");
	root->name = strdup(name);
	if (root->name == NULL)
		return error_no_memory(err);
	root->component = json_object_get(j, "component");
	return OK;
}

static int
parse_roots(struct point *p, struct error *err)
{
	json_t *roots;

	if (json_get_arr(p->json, "roots", &roots, err) < 0)
		return err->code;
	if (json_array_size(roots) > POINT_ROOTS_MAX)
		return error_set(err, ERR_CORRUPT, "the restore point has too many roots");
	p->roots = calloc(json_array_size(roots) + 1, sizeof(*p->roots));
	if (p->roots == NULL)
		return error_no_memory(err);
	for (; p->n_roots < json_array_size(roots); p->n_roots++)
		if (parse_root(json_array_get(roots, p->n_roots), &p->roots[p->n_roots], err) < 0)
			return err->code;
	return OK;
}

/* Takes its own reference of json. */
static int
parse_point(const struct object_id *id, json_t *json, struct point **ret, struct error *err)
{
	CLEAN(point_freep) struct point *p = calloc(1, sizeof(*p));
	const char *host, *consistency;

	if (p == NULL)
		return error_no_memory(err);
	p->id = *id;
	hex_encode(id->b, sizeof(id->b), p->id_text);
	p->json = json_incref(json);
	if (json_get_u64(json, "start", &p->start_ns, err) < 0 ||
	    json_get_u64(json, "end", &p->end_ns, err) < 0 ||
	    json_get_str(json, "host", &host, err) < 0 ||
	    json_get_str(json, "consistency", &consistency, err) < 0 ||
	    json_opt_bool(json, "incomplete", false, &p->incomplete, err) < 0 ||
	    parse_consistency(consistency, &p->consistency, err) < 0)
		return err->code;
	p->host = strdup(host);
	if (p->host == NULL)
		return error_no_memory(err);
	if (parse_roots(p, err) < 0)
		return err->code;
	*ret = STEAL_PTR(p);
	return OK;
}

int
point_write(struct repo *repo, json_t *json, struct object_id *ret_id, struct error *err)
{
	CLEAN(buf_done) struct buf payload = BUF_INIT(POINT_JSON_MAX);
	CLEAN(json_done) json_t *back = NULL;
	CLEAN(point_freep) struct point *check = NULL;
	const struct object_id none = {0};

	if (json_write(json, &payload, err) < 0 ||
	    json_parse(buf_slice(&payload), "restore point", &back, err) < 0 ||
	    parse_point(&none, back, &check, err) < 0 ||
	    object_put(repo, OBJECT_POINT, buf_slice(&payload), ret_id, NULL, err) < 0)
		return error_prefix(err, "write the restore point");
	return OK;
}

int
point_read(struct repo *repo, const struct object_id *id, struct point **ret, struct error *err)
{
	CLEAN(buf_done) struct buf payload = BUF_INIT(POINT_JSON_MAX);
	CLEAN(json_done) json_t *json = NULL;

	if (object_get(repo, OBJECT_POINT, id, &payload, err) < 0 ||
	    json_parse(buf_slice(&payload), "restore point", &json, err) < 0 ||
	    parse_point(id, json, ret, err) < 0) {
		if (err->code == ERR_PROTOCOL)
			err->code = ERR_CORRUPT;
		return error_prefix(err, "read a restore point");
	}
	return OK;
}

void
point_free(struct point *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; p->roots != NULL && i <= p->n_roots; i++)
		free(p->roots[i].name);
	free(p->roots);
	free(p->host);
	json_decref(p->json);
	free(p);
}

void
point_freep(struct point **p)
{
	point_free(*p);
}

static int
compare_points(const void *a, const void *b)
{
	const struct point *p = *(struct point *const *)a, *q = *(struct point *const *)b;

	if (p->start_ns != q->start_ns)
		return p->start_ns < q->start_ns ? -1 : 1;
	return memcmp(&p->id, &q->id, sizeof(p->id));
}

int
point_list_read(struct repo *repo, struct point_list *ret, struct error *err)
{
	CLEAN(free_ptr) struct object_id *ids = NULL;
	struct point_list l = {0};
	size_t n;

	if (object_list(repo, OBJECT_POINT, &ids, &n, err) < 0)
		return error_prefix(err, "list the restore points");
	l.points = calloc(MAX(n, (size_t)1), sizeof(*l.points));
	if (l.points == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		if (point_read(repo, &ids[i], &l.points[l.n], err) < 0) {
			if (err->code == ERR_NOT_FOUND)
				continue; /* forgotten since it was listed */
			point_list_done(&l);
			return err->code;
		}
		l.n++;
	}
	if (l.n > 0)
		qsort(l.points, l.n, sizeof(struct point *), compare_points);
	*ret = l;
	return OK;
}

void
point_list_done(struct point_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		point_free(l->points[i]);
	free(l->points);
	*l = (struct point_list){0};
}

static int
resolve_latest(struct repo *repo, struct point **ret, struct error *err)
{
	struct point_list l;

	if (point_list_read(repo, &l, err) < 0)
		return err->code;
	for (size_t i = l.n; i-- > 0;)
		if (!point_is_log(l.points[i])) {
			*ret = l.points[i];
			l.points[i] = NULL;
			point_list_done(&l);
			return OK;
		}
	point_list_done(&l);
	error_set(err, ERR_POINT, "the repository holds no restore point yet");
	return error_hint(err, "make one with 'holdfast backup'");
}

int
point_resolve(struct repo *repo, const char *text, struct point **ret, struct error *err)
{
	CLEAN(free_ptr) struct object_id *ids = NULL;
	size_t n, len = strlen(text), hits = 0, hit = 0;

	if (strcmp(text, "latest") == 0)
		return resolve_latest(repo, ret, err);
	if (len < 2 || len > 2 * OBJECT_ID_SIZE || strspn(text, "0123456789abcdef") != len)
		return error_set(err, ERR_POINT, "'%.64s' is neither 'latest' nor an id", text);
	if (object_list(repo, OBJECT_POINT, &ids, &n, err) < 0)
		return error_prefix(err, "list the restore points");
	for (size_t i = 0; i < n; i++) {
		char hex[2 * OBJECT_ID_SIZE + 1];

		if (strncmp(hex_encode(ids[i].b, OBJECT_ID_SIZE, hex), text, len) == 0) {
			hit = i;
			hits++;
		}
	}
	if (hits == 0)
		return error_set(err, ERR_POINT, "no restore point begins with '%s'", text);
	if (hits > 1)
		return error_set(err, ERR_AMBIGUOUS, "%zu restore points begin with '%s'", hits,
				 text);
	return point_read(repo, &ids[hit], ret, err);
}

int
point_remove(struct repo *repo, const struct object_id *id, struct error *err)
{
	return object_remove(repo, OBJECT_POINT, id, err);
}

const struct point_root *
point_find_root(const struct point *p, const char *name)
{
	for (size_t i = 0; i < p->n_roots; i++)
		if (strcmp(p->roots[i].name, name) == 0)
			return &p->roots[i];
	return NULL;
}
