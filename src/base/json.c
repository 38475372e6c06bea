/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading fields with errors that name them, and names of any bytes. Our own parser settings refuse
 * \u0000, so a string from outside never hides a zero; bytes that hold one travel as base64.
 */
#include "base/json.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

static void
wipe_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void
json_wipe_freed(void)
{
	json_set_alloc_funcs(malloc, wipe_free);
}

int
json_parse(struct slice text, const char *what, json_t **ret, struct error *err)
{
	json_error_t e;

	/* jansson takes NULL for a mistake of the caller; no text at all is one of the peer. */
	if (text.n == 0)
		return error_set(err, ERR_PROTOCOL, "%s: empty where JSON is expected", what);
	/* It also takes a zero byte for the end, whatever comes behind it. */
	if (memchr(text.p, 0, text.n) != NULL)
		return error_set(err, ERR_PROTOCOL, "%s: a zero byte in JSON", what);
	json_t *j = json_loadb((const char *)text.p, text.n,
			       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (j == NULL && json_error_code(&e) == json_error_out_of_memory)
		return error_no_memory(err);
	if (j == NULL)
		return error_set(err, ERR_PROTOCOL, "%s: JSON line %d column %d: %s", what, e.line,
				 e.column, e.text);
	*ret = j;
	return OK;
}

int
json_depth_check(struct slice text, unsigned max, const char *what, struct error *err)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > max)
				return error_set(err, ERR_LIMIT, "%s: JSON nested deeper than %u",
						 what, max);
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return OK;
}

struct writing {
	struct buf *b;
	struct error *err;
	int rc;
};

static int
write_piece(const char *text, size_t n, void *arg)
{
	struct writing *w = arg;

	w->rc = buf_append(w->b, text, n, w->err);
	return w->rc;
}

int
json_write(const json_t *j, struct buf *b, struct error *err)
{
	struct writing w = {.b = b, .err = err, .rc = OK};
	size_t before = b->n;

	errno = 0;
	if (json_dump_callback(j, write_piece, &w, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
		return OK;
	b->n = before;
	if (w.rc < 0)
		return w.rc;
	if (errno == ENOMEM)
		return error_no_memory(err);
	/* A value that contains itself, or text that is not UTF-8: made by us, so our mistake. */
	return error_set(err, ERR_INTERNAL, "value cannot be written as JSON");
}

static int
field_missing(const char *key, const char *type, struct error *err)
{
	return error_set(err, ERR_PROTOCOL, "field '%s' is missing (%s expected)", key, type);
}

static int
field_wrong(const char *key, const char *type, struct error *err)
{
	return error_set(err, ERR_PROTOCOL, "field '%s' is not %s", key, type);
}

static int
u64_of(const json_t *v, const char *key, uint64_t *ret, struct error *err)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return field_wrong(key, "a whole number of 0 or more", err);
	*ret = (uint64_t)json_integer_value(v);
	return OK;
}

int
json_get_str(const json_t *o, const char *key, const char **ret, struct error *err)
{
	const json_t *v = json_object_get(o, key);

	if (v == NULL)
		return field_missing(key, "a string", err);
	if (!json_is_string(v))
		return field_wrong(key, "a string", err);
	*ret = json_string_value(v);
	return OK;
}

int
json_get_u64(const json_t *o, const char *key, uint64_t *ret, struct error *err)
{
	const json_t *v = json_object_get(o, key);

	if (v == NULL)
		return field_missing(key, "a whole number", err);
	return u64_of(v, key, ret, err);
}

int
json_get_obj(const json_t *o, const char *key, json_t **ret, struct error *err)
{
	json_t *v = json_object_get(o, key);

	if (v == NULL)
		return field_missing(key, "an object", err);
	if (!json_is_object(v))
		return field_wrong(key, "an object", err);
	*ret = v;
	return OK;
}

int
json_get_arr(const json_t *o, const char *key, json_t **ret, struct error *err)
{
	json_t *v = json_object_get(o, key);

	if (v == NULL)
		return field_missing(key, "an array", err);
	if (!json_is_array(v))
		return field_wrong(key, "an array", err);
	*ret = v;
	return OK;
}

int
json_opt_str(const json_t *o, const char *key, const char *fallback, const char **ret,
	     struct error *err)
{
	const json_t *v = json_object_get(o, key);

	if (v != NULL && !json_is_string(v))
		return field_wrong(key, "a string", err);
	*ret = v != NULL ? json_string_value(v) : fallback;
	return OK;
}

int
json_opt_u64(const json_t *o, const char *key, uint64_t fallback, uint64_t *ret, struct error *err)
{
	const json_t *v = json_object_get(o, key);

	if (v != NULL)
		return u64_of(v, key, ret, err);
	*ret = fallback;
	return OK;
}

int
json_opt_bool(const json_t *o, const char *key, bool fallback, bool *ret, struct error *err)
{
	const json_t *v = json_object_get(o, key);

	if (v != NULL && !json_is_boolean(v))
		return field_wrong(key, "true or false", err);
	*ret = v != NULL ? json_is_true(v) : fallback;
	return OK;
}

json_t *
json_bytes(const void *p, size_t n)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(SIZE_MAX);

	/* An empty slice may have no address at all, which jansson would take for an error. */
	if (n == 0)
		return json_string("");
	if (memchr(p, 0, n) == NULL) {
		json_t *s = json_stringn(p, n);
		/* NULL for bytes that are not UTF-8 (or no memory, which the next step meets). */
		if (s != NULL)
			return s;
	}
	if (base64_encode(SLICE(p, n), &text, NULL) < 0)
		return NULL;
	return json_pack("{s:s%}", "bytes", (const char *)text.p, text.n);
}

int
json_bytes_get(const json_t *j, struct buf *b, struct error *err)
{
	if (json_is_string(j))
		return buf_append(b, json_string_value(j), json_string_length(j), err);

	const json_t *v = json_object_get(j, "bytes");
	if (!json_is_string(v) || json_object_size(j) != 1)
		return error_set(err, ERR_PROTOCOL,
				 "neither a string nor an object with base64 as its \"bytes\"");
	return base64_decode(SLICE(json_string_value(v), json_string_length(v)), b, err);
}
