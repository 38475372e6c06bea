/* SPDX-License-Identifier: Apache-2.0 */

/* What a writer says of its components, and what it says after the copy. */
#include "writer/component.h"

#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"", "base/1/2", "pg_wal/000000010000000000000001",
				    "global/pg_control"};

/* Places are used for restoring: none may lead out of the component's folder. */
static void
expect_inside(const char *at)
{
	if (at[0] == '/' || strcmp(at, "..") == 0 || strncmp(at, "../", 3) == 0 ||
	    strstr(at, "/../") != NULL ||
	    (strlen(at) > 2 && strcmp(at + strlen(at) - 3, "/..") == 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(json_done) json_t *j = NULL;
	CLEAN(component_freep) struct component *c = NULL;
	CLEAN(component_tail_freep) struct component_tail *t = NULL;
	struct error err = ERROR_INIT;

	if (json_parse(SLICE(data, size), "component", &j, &err) < 0)
		return 0;
	if (component_parse(j, &c, &err) == OK) {
		if (c->n_paths == 0 || c->n_paths > COMPONENT_LIST_MAX)
			abort();
		for (size_t i = 0; i < c->n_paths; i++) {
			expect_inside(c->paths[i].at);
			if (c->paths[i].source[0] != '/')
				abort();
		}
		for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
			(void)component_excludes(c, paths[i]);
			(void)component_is_last(c, paths[i]);
			(void)component_is_paged(c, paths[i]);
		}
	}
	if (component_tail_parse(j, &t, &err) == OK) {
		for (size_t i = 0; i < t->n_paths; i++)
			expect_inside(t->paths[i].at);
		for (size_t i = 0; i < t->n_files; i++)
			expect_inside(t->files[i].at);
	}
	return 0;
}
