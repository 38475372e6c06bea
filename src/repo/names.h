/* SPDX-License-Identifier: Apache-2.0 */

/* Where in the store each kind of object lies: packs/ab/ID, KIND/ID. */
#ifndef HF_REPO_NAMES_H
#define HF_REPO_NAMES_H

#include <stdbool.h>

#include "base/base.h"
#include "repo/format.h"

#define NAME_CONFIG "holdfast.json"
#define NAME_KEYS "keys/"
#define NAME_PACKS "packs/"
#define NAME_INDEX "index/"
#define NAME_POINTS "points/"
#define NAME_MARKS "marks/"

enum { NAME_SIZE = 64 };

/* Fill and return `name`. */
char *name_pack(const struct pack_id *id, char name[NAME_SIZE]);
char *name_object(const char *folder, const struct object_id *id, char name[NAME_SIZE]);

/* The id a name stands for; false if it is not exactly such a name. */
bool name_parse_pack(const char *name, struct pack_id *ret);
bool name_parse_object(const char *folder, const char *name, struct object_id *ret);

#endif
