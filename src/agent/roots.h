/* SPDX-License-Identifier: Apache-2.0 */

/* What is written of each root into a restore point, as far as the protected host knows it: see
 * task.h and doc/json.md. */
#ifndef HF_AGENT_ROOTS_H
#define HF_AGENT_ROOTS_H

#include <jansson.h>

#include "agent/writers.h"
#include "base/base.h"
#include "base/error.h"
#include "repo/format.h"

struct snapshot_map;

CHECKED int roots_add_folders(json_t *roots, const char *provider, const struct blob_id *tree,
			      struct error *err);
/* map: where it was read, NULL: live. */
CHECKED int roots_add_component(json_t *roots, const char *name, const char *provider,
				const struct writers_member *m, const struct snapshot_map *map,
				const struct blob_id *tree, struct error *err);

#endif
