/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What all parts of one restore share: what was asked, the counters, the descriptors, and the one
 * place where it is decided whether a failure concerns one file (a warning; the restore goes on) or
 * everything (the first such failure stops all threads).
 */
#ifndef HF_MOVER_RESTORE_RUN_H
#define HF_MOVER_RESTORE_RUN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "mover/restore.h"
#include "mover/restore_fds.h"
#include "mover/restore_item.h"

enum {
	RESTORE_STRIPES = 256,
	RESTORE_FILE_SYSTEMS_MAX = 16,
};

struct restore_run {
	struct repo *repo;
	struct repo_index *index;
	const struct restore_options *options;
	bool privileged;
	unsigned set; /* enum attributes_set: what complete files get */
	struct restore_fds fds;
	pthread_mutex_t stripes[RESTORE_STRIPES]; /* making one item present; see below */
	_Atomic uint64_t files, dirs, others, bytes, bytes_written, files_removed;
	_Atomic uint64_t read_ns, unpack_ns, write_ns;

	pthread_mutex_t lock; /* of what follows, and around the caller's warn() */
	struct buf path;
	struct error failure;
	_Atomic bool stopped;
	/* Every file system written to, to be synced: a descriptor on each. */
	size_t n_file_systems;
	struct restore_file_system {
		uint64_t dev;
		int fd;
	} file_systems[RESTORE_FILE_SYSTEMS_MAX];
};

CHECKED int restore_run_init(struct restore_run *run, struct repo *repo, struct repo_index *index,
			     const struct restore_options *options, struct error *err);
void restore_run_done(struct restore_run *run);

/* Stop everything because of *why (the first call counts). */
void restore_run_fail(struct restore_run *run, const struct error *why);
/* Has it been stopped, or been asked to? */
bool restore_run_stopped(struct restore_run *run);
/* The failure that stopped it, if any. */
CHECKED int restore_run_result(struct restore_run *run, struct error *err);

/* Report a loss at `item`, or at entry `name` of it; goes on. Without anybody to warn it fails the
 * restore, as a loss nobody hears of must not be. */
void restore_run_warn(struct restore_run *run, const struct restore_item *item, struct slice name,
		      const struct error *why);
/* Report something worth knowing that is no loss. */
void restore_run_note(struct restore_run *run, const struct restore_item *item, struct slice name,
		      const struct error *why);
/* Stop or warn, whichever *why calls for. OK if it was only a warning, else its code. */
CHECKED int restore_run_judge(struct restore_run *run, const struct restore_item *item,
			      struct slice name, const struct error *why);

/* The lock under which an item becomes present. Shared by many items: hold no two. */
pthread_mutex_t *restore_run_stripe(struct restore_run *run, const struct restore_item *item);

/* Remember that the file system of this folder is written to. */
void restore_run_note_file_system(struct restore_run *run, int fd, uint64_t dev);
/* Wait until all of it is on disk. */
CHECKED int restore_run_sync(struct restore_run *run, struct error *err);

#endif
