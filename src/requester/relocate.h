/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where the folders of a component that live elsewhere (tablespaces) go back to: where they came
 * from, or where the administrator's map says.
 */
#ifndef HF_REQUESTER_RELOCATE_H
#define HF_REQUESTER_RELOCATE_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"
#include "mover/restore.h"

struct relocations {
	size_t n;
	struct restore_relocation *list; /* owns its texts */
};

/*
 * `root`: the root's object in the restore point, with its "relocatable". `map`: {"OLD": "NEW"} or
 * NULL; every OLD must be the source of one of them, every NEW absolute (ERR_USAGE).
 */
CHECKED int relocate_resolve(const json_t *root, const json_t *map, struct relocations *ret,
			     struct error *err);
void relocate_done(struct relocations *r);

#endif
