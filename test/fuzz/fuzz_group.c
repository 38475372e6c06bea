/* SPDX-License-Identifier: Apache-2.0 */

/* The sections of groups in a configuration file: a group is whole, or refused with a reason. */
#include "group/group.h"

#include <string.h>

#include "config/config_file.h"
#include "group/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct group *g)
{
	if (g->name == NULL || strlen(g->name) > GROUP_NAME_MAX || g->engine == NULL || g->n == 0 ||
	    g->n > GROUP_COPIES_MAX || g->prefer < GROUP_PREFER_PASSIVE ||
	    g->prefer > GROUP_PREFER_ACTIVE || g->context_lease_ns <= g->heartbeat_ns)
		abort();
	for (size_t i = 0; i < g->n; i++) {
		const struct group_copy *c = &g->copies[i];

		if (c->name == NULL || c->host == NULL || c->port == NULL || c->database == NULL ||
		    group_copy_find(g, c->name) != c)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(settings_freep) struct settings *s = NULL;
	CLEAN(group_list_done) struct group_list groups = {0};
	struct error err = ERROR_INIT;

	if (settings_new(&s, &err) < 0 ||
	    config_file_parse(s, "fuzz.conf", SLICE(data, size), &err) < 0)
		return 0;
	if (group_list_read(s, &groups, &err) < 0) {
		if (err.code != ERR_CONFIG && err.code != ERR_NO_MEMORY)
			abort();
		return 0;
	}
	for (size_t i = 0; i < groups.n; i++) {
		CLEAN(group_freep) struct group *again = NULL;

		check(groups.groups[i]);
		if (group_find(s, groups.groups[i]->name, &again, &err) < 0)
			abort();
	}
	return 0;
}
