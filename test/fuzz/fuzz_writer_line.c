/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a line from a writer: refused, or an error, a component and a tail as clean as the
 * requester relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "writer/component.h"
#include "writer/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A place inside of the component: nothing that could lead out of it. */
static void
check_at(const char *at)
{
	if (at[0] == '/' || strcmp(at, "..") == 0 || strncmp(at, "../", 3) == 0 ||
	    strstr(at, "/../") != NULL || strstr(at, "//") != NULL)
		abort();
	size_t n = strlen(at);
	if (n > 0 && (at[n - 1] == '/' || (n > 2 && strcmp(at + n - 3, "/..") == 0)))
		abort();
}

static void
try_component(const json_t *j)
{
	CLEAN(component_freep) struct component *c = NULL;
	struct error err = ERROR_INIT;

	if (component_parse(j, &c, &err) < 0)
		return;
	for (size_t i = 0; i < c->n_paths; i++) {
		check_at(c->paths[i].at);
		if (c->paths[i].source[0] != '/')
			abort();
		(void)component_is_paged(c, c->paths[i].at);
		/* The set and the plain list must agree. */
		struct component plain = {.n_exclude = c->n_exclude, .exclude = c->exclude};
		if (component_excludes(c, c->paths[i].source + 1) !=
		    component_excludes(&plain, c->paths[i].source + 1))
			abort();
	}
}

static void
try_tail(const json_t *j)
{
	CLEAN(component_tail_freep) struct component_tail *t = NULL;
	struct error err = ERROR_INIT;
	size_t n = 0;

	if (component_tail_parse(j, &t, &err) < 0)
		return;
	for (size_t i = 0; i < t->n_files; i++) {
		check_at(t->files[i].at);
		n += t->files[i].n;
	}
	if (n > COMPONENT_INLINE_MAX)
		abort();
}

static void
try_error(const json_t *j)
{
	struct error told = ERROR_INIT, err = ERROR_INIT;

	if (wire_error_unpack(j, &told, &err) < 0)
		return;
	for (const char *p = told.msg; *p != 0; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	if (told.code == OK || told.msg[0] == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(json_done) json_t *line = NULL;
	struct error err = ERROR_INIT;

	if (wire_parse(SLICE(data, size), &line, &err) < 0)
		return 0;
	try_component(json_object_get(line, "component"));
	try_tail(json_object_get(line, "tail"));
	try_error(json_object_get(line, "error"));
	return 0;
}
