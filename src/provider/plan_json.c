/* SPDX-License-Identifier: Apache-2.0 */

/* The objects of a plan. */
#include "provider/plan_json.h"

#include <string.h>

#include "base/json.h"
#include "repo/point.h"

static json_t *
bytes(const char *text)
{
	return json_bytes(text, strlen(text));
}

/* Why is text of ours that may quote a path. */
json_t *
plan_json_path(const struct plan *p, size_t n)
{
	const struct plan_path *path = &p->paths[n];

	return json_pack("{s:o, s:b, s:s, s:o, s:s, s:s, s:o, s:s}", "path", bytes(path->path),
			 "hot", path->hot, "file_system", path->volume.type, "mount_point",
			 bytes(path->volume.mount_point), "provider", path->provider->name,
			 "consistency", point_consistency_name(path->expected), "why",
			 bytes(path->why), "cost", path->provider->cost);
}

json_t *
plan_json_crossing(const struct plan *p, size_t n)
{
	const struct plan_crossing *x = &p->crossings[n];

	return json_pack("{s:o, s:s, s:s, s:s, s:o}", "path", bytes(x->path), "kind",
			 x->subvolume ? "subvolume" : "mount", "file_system", x->volume.type,
			 "provider", x->provider->name, "why", bytes(x->why));
}

json_t *
plan_json_member(const struct plan *p, size_t n)
{
	const struct plan_member *m = &p->members[n];

	return json_pack("{s:s, s:o, s:b}", "provider", m->provider->name, "source",
			 bytes(m->source), "freezes", m->freezes);
}
