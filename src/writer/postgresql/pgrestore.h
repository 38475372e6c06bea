/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The two ends of a restore: may a cluster be put there, and is what was put there one that starts?
 * Works on files alone; no server is asked.
 */
#ifndef HF_POSTGRESQL_PGRESTORE_H
#define HF_POSTGRESQL_PGRESTORE_H

#include <jansson.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/error.h"

/* "format" in the metadata: of a backup made in backup mode; of an image, which earlier versions of
 * this writer would take for an incomplete one. */
enum { PGRESTORE_FORMAT = 1, PGRESTORE_FORMAT_IMAGE = 2 };

struct pgrestore {
	json_t *metadata; /* the component's, as prepare-snapshot and post-copy gave it */
	const char *target;
	json_t *map; /* {"OLD": "NEW"} locations of tablespaces */
	json_t *recovery; /* to which moment, with which logs; see pgrestore_recovery.c. NULL: none */
	pid_t parent; /* see osuser.h */
};

/* Refuse a target where a server runs, a map that fits no tablespace of this backup, and a recovery that
 * makes no sense. */
CHECKED int pgrestore_check(const struct pgrestore *r, struct error *err);

/*
 * After the files are there: check that they are complete, create the folders whose contents are
 * not kept, point tablespace_map, if there is to be one, and the links in pg_tblspc to where the
 * tablespaces are now, and mark the logs as archived, so that the new cluster does not send them to
 * the old one's archive. With a recovery: set it up so that the server, started on the folder, ends at
 * that moment and nowhere else. Run by root it first becomes the owner of the target.
 */
CHECKED int pgrestore_finish(const struct pgrestore *r, struct error *err);

#endif
