/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What of a cluster's files makes a backup, in backup mode or as an image: the component that
 * prepare-snapshot answers with. Reads folders; asks the server nothing.
 */
#ifndef HF_POSTGRESQL_LAYOUT_H
#define HF_POSTGRESQL_LAYOUT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "writer/postgresql/cluster.h"
#include "writer/postgresql/image.h"
#include "writer/postgresql/spcmap.h"

struct layout {
	const struct cluster *cluster;
	const struct spcmap *tablespaces; /* those with a folder of their own */
	uint64_t start_lsn; /* in backup mode */
	const struct image *image; /* NULL: backup mode */
};

/* The whole "component" object but its metadata: new reference. */
CHECKED int layout_component(const struct layout *l, json_t **ret, struct error *err);

/* The folder that holds this version's files in each tablespace: "PG_15_202209061". */
char *layout_version_dir(int version_num, uint64_t catalog_version, char text[40]);

/* Folders a cluster must have but whose contents are not backed up, in an order to create them in;
 * ends in NULL. */
extern const char *const layout_needed_dirs[];

#endif
