/* SPDX-License-Identifier: Apache-2.0 */

/* Writers for people and other programs: who is there, and how each is. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "agent/writers.h"
#include "base/json.h"
#include "writer/wire.h"

#define PROGRAM_PREFIX "holdfast-writer-"

/* A writer as it is; NULL when out of memory. w may be NULL: it could not be started. */
static json_t *
pack(const char *name, const struct writer *w, const struct error *last)
{
	enum writer_state state = w != NULL ? writer_state_of(w) : WRITER_UNKNOWN;
	const char *title = w != NULL ? json_string_value(
						json_object_get(writer_metadata(w), "title"))
				      : NULL;
	json_t *j = json_pack("{s:s, s:s, s:i, s:s}", "name", name, "state",
			      writer_state_text(state), "state_number", (int)state, "last_error",
			      last->code == OK ? "No error" : error_sentence(last->code));

	if (j != NULL && title != NULL)
		(void)json_object_set_new(j, "title", json_string(title));
	if (j != NULL && last->code != OK &&
	    json_object_set_new(j, "error", wire_error_pack(last)) < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

int
writers_states(const struct writers *w, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *list = json_array();
	static const struct error none;

	if (list == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < w->n; i++) {
		const struct writers_member *m = &w->members[i];

		if (json_array_append_new(
			    list, pack(m->name, m->writer,
				       m->writer != NULL ? writer_last_error(m->writer) : &none)) <
		    0)
			return error_no_memory(err);
	}
	*ret = STEAL_PTR(list);
	return OK;
}

static int
gather_one(const struct writers_setup *setup, const char *name, json_t *list, struct error *err)
{
	CLEAN(writer_closep) struct writer *w = NULL;
	struct error why = ERROR_INIT;
	json_t *j, *about = NULL;

	if (writers_start_one(setup, name, &w, &why) == OK && writer_identify(w, &why) == OK)
		about = json_deep_copy(writer_metadata(w));
	if (why.code == ERR_NO_MEMORY) {
		*err = why;
		return err->code;
	}
	j = pack(name, w, &why);
	if (j == NULL ||
	    json_object_set_new(j, "metadata", about != NULL ? about : json_null()) < 0 ||
	    json_array_append_new(list, j) < 0)
		return error_no_memory(err);
	return OK;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_writer(const struct dirent *d)
{
	return strncmp(d->d_name, PROGRAM_PREFIX, strlen(PROGRAM_PREFIX)) == 0 &&
	       strchr(d->d_name, '.') == NULL;
}

static int
gather_installed(const struct writers_setup *setup, json_t *list, struct error *err)
{
	struct dirent **found;
	int n = scandir(setup->dir, &found, is_writer, by_name), r = OK;

	if (n < 0)
		return error_sys(err, ERR_SPAWN, "look for writers in '%s'", setup->dir);
	for (int i = 0; i < n; i++) {
		if (r == OK)
			r = gather_one(setup, found[i]->d_name + strlen(PROGRAM_PREFIX), list, err);
		free(found[i]);
	}
	free(found);
	return r;
}

int
writers_gather(const struct writers_setup *setup, const char *const *names, size_t n, json_t **ret,
	       struct error *err)
{
	CLEAN(json_done) json_t *list = json_array();
	int r = OK;

	if (list == NULL)
		return error_no_memory(err);
	if (n == 0)
		r = gather_installed(setup, list, err);
	for (size_t i = 0; i < n && r == OK; i++)
		r = gather_one(setup, names[i], list, err);
	if (r < 0)
		return r;
	*ret = STEAL_PTR(list);
	return OK;
}
