/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a writer's JSON to a component. A writer may be anybody's program: every path is checked to
 * stay inside the component, every list and the inline data are bounded, and two things may not
 * claim the same place.
 */
#include "writer/component.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "writer/patterns.h"

enum { TEXT_MAX = 32 * 1024, NAME_MAX_LEN = 64 };

/* A string of any bytes but zero, by json_bytes(). */
static int
text_parse(const json_t *j, const char *what, char **ret, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(TEXT_MAX + 1);

	int rc = json_bytes_get(j, &b, err);
	if (rc == OK && memchr(b.p != NULL ? (const void *)b.p : "", 0, b.n) != NULL)
		rc = error_set(err, ERR_PROTOCOL, "holds a zero byte");
	if (rc == OK)
		rc = buf_u8(&b, 0, err);
	if (rc < 0)
		return error_prefix(err, "%s", what);
	*ret = (char *)STEAL_PTR(b.p);
	return OK;
}

/* "a/b" with no empty, "." or ".." part; not empty. */
static bool
is_normal(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (path[n] == 0)
			return true;
		path += n + 1;
	}
}

static int
at_parse(const json_t *o, bool may_be_top, char **ret, struct error *err)
{
	CLEAN(free_ptr) char *at = NULL;

	int rc = text_parse(json_object_get(o, "at"), "field 'at'", &at, err);
	if (rc < 0)
		return rc;
	if (!is_normal(at) && !(may_be_top && at[0] == 0))
		return error_set(err, ERR_PROTOCOL,
				 "field 'at': '%s' is not a path inside the component", at);
	*ret = STEAL_PTR(at);
	return OK;
}

static void
path_done(struct component_path *p)
{
	free(p->source);
	free(p->at);
}

int
component_source_parse(const json_t *j, char **ret, struct error *err)
{
	CLEAN(free_ptr) char *source = NULL;

	int rc = text_parse(j, "field 'source'", &source, err);
	if (rc < 0)
		return rc;
	if (source[0] != '/' || (source[1] != 0 && !is_normal(source + 1)))
		return error_set(
			err, ERR_PROTOCOL,
			"field 'source': '%s' is not an absolute path without '.' and '..'",
			source);
	*ret = STEAL_PTR(source);
	return OK;
}

static int
path_parse(const json_t *o, bool may_be_top, struct component_path *ret, struct error *err)
{
	CLEAN(path_done) struct component_path p = {0};

	if (!json_is_object(o))
		return error_set(err, ERR_PROTOCOL, "not an object");
	int rc = component_source_parse(json_object_get(o, "source"), &p.source, err);
	if (rc == OK)
		rc = at_parse(o, may_be_top, &p.at, err);
	if (rc == OK)
		rc = json_opt_bool(o, "relocatable", false, &p.relocatable, err);
	if (rc == OK)
		rc = json_opt_u64(o, "expect_size", 0, &p.expect_size, err);
	if (rc < 0)
		return rc;
	*ret = p;
	p = (struct component_path){0};
	return OK;
}

/* The array `key` of o, bounded; absent is empty unless required. */
static int
list_of(const json_t *o, const char *key, bool required, json_t **ret, struct error *err)
{
	json_t *list = json_object_get(o, key);

	if (list != NULL || required) {
		int rc = json_get_arr(o, key, &list, err);
		if (rc < 0)
			return rc;
	}
	if (json_array_size(list) > COMPONENT_LIST_MAX)
		return error_set(err, ERR_LIMIT, "field '%s' has more than %d entries", key,
				 COMPONENT_LIST_MAX);
	*ret = list;
	return OK;
}

static int
paths_parse(const json_t *o, bool first_is_top, size_t *ret_n, struct component_path **ret,
	    struct error *err)
{
	json_t *list;

	int rc = list_of(o, "paths", first_is_top, &list, err);
	if (rc < 0)
		return rc;
	size_t n = json_array_size(list);
	/* Into the owner at once: what was parsed before a failure is freed with it. */
	*ret = calloc(n + 1, sizeof(**ret));
	if (*ret == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		rc = path_parse(json_array_get(list, i), first_is_top && i == 0, &(*ret)[i], err);
		if (rc < 0)
			return error_prefix(err, "paths[%zu]", i);
		*ret_n = i + 1;
	}
	if (first_is_top && (n == 0 || (*ret)[0].at[0] != 0))
		return error_set(err, ERR_PROTOCOL, "paths[0] is not the top folder, at \"\"");
	return OK;
}

/* A list of patterns or of exact paths. */
static int
texts_parse(const json_t *o, const char *key, bool patterns, size_t *ret_n, char ***ret,
	    struct error *err)
{
	json_t *list;

	int rc = list_of(o, key, false, &list, err);
	if (rc < 0)
		return rc;
	size_t n = json_array_size(list);
	*ret = calloc(n + 1, sizeof(**ret));
	if (*ret == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		rc = text_parse(json_array_get(list, i), key, &(*ret)[i], err);
		if (rc < 0)
			return error_prefix(err, "entry %zu", i);
		*ret_n = i + 1;
		const char *text = (*ret)[i];
		if (text[0] == 0 || text[0] == '/' || (!patterns && !is_normal(text)))
			return error_set(err, ERR_PROTOCOL,
					 "%s: '%s' does not lie inside the component", key, text);
	}
	return OK;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* No two of these places may be the same. */
static int
check_places(const char **places, size_t n, struct error *err)
{
	qsort(places, n, sizeof(*places), compare_texts);
	for (size_t i = 1; i < n; i++)
		if (strcmp(places[i - 1], places[i]) == 0)
			return error_set(err, ERR_PROTOCOL, "two entries at '%s'", places[i]);
	return OK;
}

static int
pages_parse(const json_t *o, struct component_pages *ret, struct error *err)
{
	const char *format;
	uint64_t page_size;

	if (json_get_str(o, "format", &format, err) < 0 ||
	    json_get_u64(o, "page_size", &page_size, err) < 0 ||
	    json_opt_bool(o, "checksums", false, &ret->checksums, err) < 0 ||
	    json_opt_u64(o, "start_lsn", 0, &ret->start_lsn, err) < 0 ||
	    json_get_u64(o, "segment_pages", &ret->segment_pages, err) < 0)
		return error_prefix(err, "field 'pages'");
	if (page_size < 4096 || page_size > 65536 || (page_size & (page_size - 1)) != 0)
		return error_set(err, ERR_PROTOCOL,
				 "page size %" PRIu64 " is not a power of two from 4096 to 65536",
				 page_size);
	if (ret->segment_pages == 0 || ret->segment_pages > UINT32_MAX)
		return error_set(err, ERR_PROTOCOL, "%" PRIu64 " pages in a segment",
				 ret->segment_pages);
	ret->page_size = (uint32_t)page_size;
	ret->format = strdup(format);
	if (ret->format == NULL)
		return error_no_memory(err);
	return texts_parse(o, "match", true, &ret->n_match, &ret->match, err);
}

static int
name_parse(const json_t *j, char **ret, struct error *err)
{
	const char *name;

	int rc = json_get_str(j, "name", &name, err);
	if (rc < 0)
		return rc;
	size_t n = strspn(name,
			  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
	if (n == 0 || name[n] != 0 || n > NAME_MAX_LEN || name[0] == '.')
		return error_set(err, ERR_PROTOCOL, "field 'name': not the name of a component");
	*ret = strdup(name);
	return *ret != NULL ? OK : error_no_memory(err);
}

static int
metadata_parse(const json_t *j, json_t **ret, struct error *err)
{
	json_t *metadata = json_object_get(j, "metadata");

	if (metadata == NULL || json_is_null(metadata))
		return OK;
	if (!json_is_object(metadata))
		return error_set(err, ERR_PROTOCOL, "field 'metadata' is not an object");
	*ret = json_incref(metadata);
	return OK;
}

static int
component_fill(const json_t *j, struct component *c, struct error *err)
{
	int rc = name_parse(j, &c->name, err);
	if (rc == OK)
		rc = paths_parse(j, true, &c->n_paths, &c->paths, err);
	if (rc == OK)
		rc = texts_parse(j, "exclude", true, &c->n_exclude, &c->exclude, err);
	if (rc == OK)
		rc = patterns_new((const char *const *)c->exclude, c->n_exclude, &c->exclude_set,
				  err);
	if (rc == OK)
		rc = texts_parse(j, "last", false, &c->n_last, &c->last, err);
	if (rc == OK)
		rc = metadata_parse(j, &c->metadata, err);
	if (rc == OK)
		rc = json_opt_bool(j, "atomic", false, &c->atomic, err);
	const json_t *pages = json_object_get(j, "pages");
	if (rc == OK && pages != NULL && !json_is_null(pages)) {
		c->has_pages = true;
		rc = pages_parse(pages, &c->pages, err);
	}
	if (rc < 0)
		return rc;

	CLEAN(free_ptr) const char **places = calloc(c->n_paths, sizeof(*places));
	if (places == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < c->n_paths; i++)
		places[i] = c->paths[i].at;
	return check_places(places, c->n_paths, err);
}

int
component_parse(const json_t *j, struct component **ret, struct error *err)
{
	CLEAN(component_freep) struct component *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return error_no_memory(err);
	int rc = component_fill(j, c, err);
	if (rc < 0)
		return error_prefix(err, "component");
	*ret = STEAL_PTR(c);
	return OK;
}

static void
texts_free(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void
paths_free(struct component_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		path_done(&paths[i]);
	free(paths);
}

void
component_free(struct component *c)
{
	if (c == NULL)
		return;
	patterns_free(c->exclude_set);
	free(c->name);
	paths_free(c->paths, c->n_paths);
	texts_free(c->exclude, c->n_exclude);
	texts_free(c->last, c->n_last);
	free(c->pages.format);
	texts_free(c->pages.match, c->pages.n_match);
	json_decref(c->metadata);
	free(c);
}

void
component_freep(struct component **c)
{
	component_free(*c);
}

static int
file_parse(const json_t *o, size_t *inline_left, struct component_file *f, struct error *err)
{
	CLEAN(buf_done) struct buf data = BUF_INIT(*inline_left);
	uint64_t mode;

	if (!json_is_object(o))
		return error_set(err, ERR_PROTOCOL, "not an object");
	int rc = at_parse(o, false, &f->at, err);
	if (rc == OK)
		rc = json_opt_u64(o, "mode", 0600, &mode, err);
	if (rc == OK)
		rc = json_bytes_get(json_object_get(o, "data"), &data, err);
	if (rc < 0)
		return rc;
	if (mode > 0777)
		return error_set(err, ERR_PROTOCOL, "field 'mode': %" PRIo64 " is more than 0777",
				 mode);
	f->mode = (uint16_t)mode;
	f->n = data.n;
	f->data = STEAL_PTR(data.p);
	*inline_left -= f->n;
	return OK;
}

static int
files_parse(const json_t *j, struct component_tail *t, struct error *err)
{
	size_t inline_left = COMPONENT_INLINE_MAX;
	json_t *list;

	int rc = list_of(j, "files", false, &list, err);
	if (rc < 0)
		return rc;
	t->files = calloc(json_array_size(list) + 1, sizeof(*t->files));
	if (t->files == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < json_array_size(list); i++) {
		t->n_files = i + 1;
		rc = file_parse(json_array_get(list, i), &inline_left, &t->files[i], err);
		if (rc < 0)
			return error_prefix(err, "files[%zu]", i);
	}
	return OK;
}

static int
tail_fill(const json_t *j, struct component_tail *t, struct error *err)
{
	int rc = paths_parse(j, false, &t->n_paths, &t->paths, err);
	if (rc == OK)
		rc = files_parse(j, t, err);
	if (rc == OK)
		rc = metadata_parse(j, &t->metadata, err);
	if (rc < 0)
		return rc;

	size_t n = t->n_paths + t->n_files;
	CLEAN(free_ptr) const char **places = calloc(n + 1, sizeof(*places));
	if (places == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < t->n_paths; i++)
		places[i] = t->paths[i].at;
	for (size_t i = 0; i < t->n_files; i++)
		places[t->n_paths + i] = t->files[i].at;
	return check_places(places, n, err);
}

int
component_tail_parse(const json_t *j, struct component_tail **ret, struct error *err)
{
	CLEAN(component_tail_freep) struct component_tail *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return error_no_memory(err);
	int rc = tail_fill(j, t, err);
	if (rc < 0)
		return error_prefix(err, "tail");
	*ret = STEAL_PTR(t);
	return OK;
}

void
component_tail_free(struct component_tail *t)
{
	if (t == NULL)
		return;
	paths_free(t->paths, t->n_paths);
	for (size_t i = 0; i < t->n_files; i++) {
		free(t->files[i].at);
		free(t->files[i].data);
	}
	free(t->files);
	json_decref(t->metadata);
	free(t);
}

void
component_tail_freep(struct component_tail **t)
{
	component_tail_free(*t);
}

static bool
matches_any(char *const *list, size_t n, const char *at)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(list[i], at, FNM_PATHNAME) == 0)
			return true;
	return false;
}

bool
component_excludes(const struct component *c, const char *at)
{
	if (c->exclude_set != NULL)
		return patterns_match(c->exclude_set, at);
	return matches_any(c->exclude, c->n_exclude, at);
}

bool
component_is_last(const struct component *c, const char *at)
{
	for (size_t i = 0; i < c->n_last; i++)
		if (strcmp(c->last[i], at) == 0)
			return true;
	return false;
}

bool
component_is_paged(const struct component *c, const char *at)
{
	return c->has_pages && matches_any(c->pages.match, c->pages.n_match, at);
}
