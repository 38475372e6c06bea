/* SPDX-License-Identifier: Apache-2.0 */

/* Matching the administrator's map with what the restore point says. */
#include "requester/relocate.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

enum { PATH_BYTES_MAX = 64 << 10 };

void
relocate_done(struct relocations *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free((void *)(uintptr_t)r->list[i].at);
		free((void *)(uintptr_t)r->list[i].to);
	}
	free(r->list);
	*r = (struct relocations){0};
}

/* A path of any bytes as a string of its own. */
static int
take_path(const json_t *j, char **ret, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(PATH_BYTES_MAX);

	if (json_bytes_get(j, &b, err) < 0)
		return err->code;
	if (b.n == 0 || memchr(b.p, '\0', b.n) != NULL)
		return error_set(err, ERR_CORRUPT, "the restore point names a damaged path");
	*ret = strndup((const char *)b.p, b.n);
	return *ret != NULL ? OK : error_no_memory(err);
}

static int
resolve_one(const json_t *item, const json_t *map, struct restore_relocation *ret,
	    char **ret_source, struct error *err)
{
	CLEAN(free_ptr) char *at = NULL;
	CLEAN(free_ptr) char *source = NULL;
	CLEAN(free_ptr) char *to = NULL;
	const char *mapped;

	if (take_path(json_object_get(item, "at"), &at, err) < 0 ||
	    take_path(json_object_get(item, "source"), &source, err) < 0)
		return err->code;
	mapped = json_string_value(json_object_get(map, source));
	to = strdup(mapped != NULL ? mapped : source);
	if (to == NULL)
		return error_no_memory(err);
	ret->at = STEAL_PTR(at);
	ret->to = STEAL_PTR(to);
	*ret_source = STEAL_PTR(source);
	return OK;
}

/* Every OLD of the map must have been met, or a typing error would restore to the old place. */
static int
check_map(const json_t *map, const json_t *met, struct error *err)
{
	const char *old;
	json_t *new_place;
	char all[200] = "";

	json_object_foreach((json_t *)(uintptr_t)map, old, new_place)
	{
		const char *source;
		json_t *seen;

		if (json_string_value(new_place)[0] != '/')
			return error_set(err, ERR_USAGE,
					 "--tablespace-map '%s=%s': the new folder "
					 "must be absolute",
					 old, json_string_value(new_place));
		if (json_object_get(met, old) != NULL)
			continue;
		json_object_foreach((json_t *)(uintptr_t)met, source, seen)
		{
			size_t n = strlen(all);

			if (sizeof(all) - n > 8)
				(void)text_printf(all + n, sizeof(all) - n, "%s'%s'",
						  n > 0 ? ", " : "", source);
		}
		error_set(err, ERR_USAGE, "--tablespace-map: no tablespace lay in '%s'", old);
		return error_hint(err, "the restore point has tablespaces in: %s",
				  all[0] != '\0' ? all : "no folder");
	}
	return OK;
}

int
relocate_resolve(const json_t *root, const json_t *map, struct relocations *ret, struct error *err)
{
	CLEAN(relocate_done) struct relocations r = {0};
	CLEAN(json_done) json_t *met = json_object();
	const json_t *items = json_object_get(root, "relocatable");

	r.list = calloc(json_array_size(items) + 1, sizeof(*r.list));
	if (met == NULL || r.list == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < json_array_size(items); i++) {
		CLEAN(free_ptr) char *source = NULL;

		if (resolve_one(json_array_get(items, i), map, &r.list[r.n], &source, err) < 0)
			return err->code;
		r.n++;
		(void)json_object_set_new(met, source, json_true());
	}
	if (check_map(map, met, err) < 0)
		return err->code;
	*ret = r;
	r = (struct relocations){0};
	return OK;
}
