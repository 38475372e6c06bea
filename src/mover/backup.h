/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Moving data into the repository: walk the sources, compare with the previous restore point, read
 * what changed, and leave one tree per root.
 *
 * Jobs (a folder, a file, a 64 MiB slice of a large file) lie on a stack that all workers share: the
 * newest first, so that the walk goes deep before it goes wide and memory stays bounded. Each worker
 * has its own repo_sink and buffers; folders are written when their last entry is done.
 *
 * What cannot be read, vanishes, grows or shrinks meanwhile is a warning, never a failure and never
 * silent: the caller turns warnings into exit code 3.
 */
#ifndef HF_MOVER_BACKUP_H
#define HF_MOVER_BACKUP_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "mover/progress.h"
#include "repo/read.h"
#include "repo/write.h"
#include "writer/component.h"

/* code: why (ERR_SOURCE unreadable, ERR_NOT_FOUND vanished, ERR_BUSY changed while read,
 * ERR_DB_CORRUPT bad page ...). `serious`: the restore point is incomplete because of it. Called from
 * any worker, one at a time. */
typedef void mover_warn_fn(void *arg, const char *path, enum err code, bool serious,
			   const char *message);

struct snapshot_map;

struct mover_options {
	unsigned workers; /* 0: one for each core, and two more to keep the disk busy */
	uint64_t memory_limit; /* bytes for buffers of all workers; 0: 128 MiB in all */
	bool one_file_system;
	bool force_read; /* read every file, trust no size/time */
	size_t n_exclude;
	const char *const *exclude; /* fnmatch patterns against the absolute path, or the name if
				       without '/' */
	/* Where live paths are read; NULL: where they are. What it leads to is as of moment_ns, on
	 * the wall clock. See through.h. */
	const struct snapshot_map *map;
	uint64_t moment_ns;
	bool clones; /* files there may be clones (provider/origin.h) */
	mover_warn_fn *warn;
	void *warn_arg;
	struct progress *progress; /* required */
	/* Looked at by the thread that called, about every 100 ms; an error stops the backup with it
	 * (a writer that lost its session). May be NULL. */
	int (*check)(void *arg, struct error *err);
	void *check_arg;
};

struct mover;

/* `previous` of each call below: the tree of the same root in the previous restore point, or NULL. */
CHECKED int mover_new(struct repo *repo, struct repo_index *index, struct repo_writer *writer,
		      const struct mover_options *options, struct mover **ret, struct error *err);
void mover_free(struct mover *m);
void mover_freep(struct mover **m);

/* Back up folders and files by absolute, normalised path; the tree's top is "/". Parents of the
 * paths are in it with their own metadata, and only the way down to what was asked for. */
CHECKED int mover_backup_paths(struct mover *m, const char *const *paths, size_t n,
			       const struct blob_id *previous, struct blob_id *ret_tree,
			       struct error *err);

/*
 * Back up a component in two steps. After `begin` everything but the tail has been read; the caller
 * then has the writer end its backup mode (post-copy) and hands the tail to `end`.
 */
CHECKED int mover_component_begin(struct mover *m, const struct component *c,
				  const struct blob_id *previous, struct error *err);
CHECKED int mover_component_end(struct mover *m, const struct component_tail *tail,
				struct blob_id *ret_tree, struct error *err);

/* Close all sinks: must succeed before repo_writer_flush(). */
CHECKED int mover_finish(struct mover *m, struct error *err);

#endif
