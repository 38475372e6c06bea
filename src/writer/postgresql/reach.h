/* SPDX-License-Identifier: Apache-2.0 */

/* Where all of a cluster's files are, and whether a snapshot set has them all. Reads folders only. */
#ifndef HF_POSTGRESQL_REACH_H
#define HF_POSTGRESQL_REACH_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "writer/postgresql/spcmap.h"

enum { REACH_WHY_MAX = 512 };

/* Folders of the data folder that administrators may have moved elsewhere, leaving a symbolic link;
 * ends in NULL. */
extern const char *const reach_movable[];

/* The real paths of the data folder, of what was moved out of it, and of the tablespaces: an array of
 * names (new reference). What cannot be found is left out. */
CHECKED int reach_list(const char *data_directory, const struct spcmap *tablespaces, json_t **ret,
		       struct error *err);

/*
 * Is all of it in `sources`, an array of absolute paths as prepare-snapshot has it? Another file
 * system or subvolume below a source is not part of it unless it is a source itself. If not, `why`
 * says in a clause what lies outside.
 */
CHECKED int reach_inside(const json_t *list, const json_t *sources, bool *ret_inside,
			 char why[REACH_WHY_MAX], struct error *err);

#endif
