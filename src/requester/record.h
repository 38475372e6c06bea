/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The record of a restore point while its backup runs: what goes into the JSON that point_write()
 * stores. The fields are described in doc/json.md.
 */
#ifndef HF_REQUESTER_RECORD_H
#define HF_REQUESTER_RECORD_H

#include <jansson.h>

#include "agent/writers.h"
#include "base/base.h"
#include "base/error.h"
#include "mover/progress.h"
#include "repo/point.h"
#include "repo/write.h"
#include "requester/warnings.h"

enum { RECORD_ROOT_MAX = 256 };

struct backup_job;

struct record {
	json_t *json;
	json_t *paths; /* borrowed from json */
	json_t *roots; /* borrowed from json */
	const char *provider; /* set by whoever chose it, before the first root */
	enum consistency consistency; /* the least of all roots'; 0 while there is none */
	char parent[2 * OBJECT_ID_SIZE + 1]; /* the restore point compared with, or "" */
};

CHECKED int record_begin(struct record *r, const struct backup_job *job, const char *const *paths,
			 size_t n_paths, struct error *err);
void record_done(struct record *r);

/* "postgresql", or "postgresql:NAME" for a component that is not the writer's main one. */
CHECKED int record_root_name(const char *writer, const char *component, char text[RECORD_ROOT_MAX],
			     struct error *err);

CHECKED int record_folders(struct record *r, enum consistency consistency,
			   const struct blob_id *tree, const struct point *previous,
			   struct error *err);
CHECKED int record_component(struct record *r, const char *root, const struct writers_member *m,
			     const struct blob_id *tree, const struct point *previous,
			     struct error *err);
CHECKED int record_finish(struct record *r, uint64_t start_ns, uint64_t end_ns,
			  const struct warnings *warnings, struct progress *progress,
			  const struct repo_write_stats *write, struct error *err);

#endif
