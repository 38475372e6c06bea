/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bringing a tree back: parallel, ordered by pack, sparse, faithful, and safe. Nothing in the
 * repository is trusted with the file system: every path is opened below the target with
 * openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), nothing is followed, files
 * are created with O_EXCL | O_NOFOLLOW, ownership and modes are set through descriptors.
 */
#ifndef HF_MOVER_RESTORE_H
#define HF_MOVER_RESTORE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "mover/backup.h"
#include "mover/progress.h"
#include "repo/read.h"

enum restore_mode {
	RESTORE_EMPTY = 1, /* the target must be absent or an empty folder */
	RESTORE_OVERWRITE, /* write over what is there, keep what is not in the point */
	RESTORE_DELTA, /* make the target equal: touch only what differs, remove what is extra */
};

struct node;

struct restore_options {
	enum restore_mode mode;
	unsigned workers; /* 0: one for each core, and one more to keep the disk busy; at most 8 */
	bool no_owner; /* leave ownership to whoever restores; the default when not root */
	bool no_sync; /* do not wait until it is on disk; not for the command line's default */
	/* Losses that concern one file are warnings (serious) and the restore goes on; without anybody
	 * to warn the first one is a failure. Paths are those of the target. */
	mover_warn_fn *warn;
	void *warn_arg;
	struct progress
		*progress; /* required; totals are counted along unless total_known is set */
	/* Relative paths below the target that are restored elsewhere (relocated tablespaces): the
	 * folder's contents go to `to` (same rules as the target), a symbolic link to it to `at`. */
	size_t n_relocate;
	const struct restore_relocation {
		const char *at;
		const char *to; /* absolute */
	} * relocate;
	/* Relative paths not to restore. What is there under these names is left alone. */
	size_t n_skip;
	const char *const *skip;
	/* The node of the folder whose content is restored: the target itself gets its owner, mode,
	 * times and extended attributes. NULL: an existing target keeps what it has, a new one is 0700
	 * and belongs to whoever restores. */
	const struct node *top;
};

struct restore_stats {
	uint64_t files, dirs, others;
	uint64_t bytes; /* of content restored or found equal, holes too */
	uint64_t bytes_written;
	uint64_t files_removed; /* delta */
	uint64_t read_ns, unpack_ns, write_ns, sync_ns;
};

/*
 * Restore the contents of the folder `tree` into the folder `target` (created if absent). On success
 * everything is on disk (syncfs) unless no_sync. A failure leaves a partial target and says so.
 */
CHECKED int restore_tree(struct repo *repo, struct repo_index *index, const struct blob_id *tree,
			 const char *target, const struct restore_options *options,
			 struct restore_stats *ret_stats, struct error *err);

/* Restore one node that is not a folder to target/NAME; the same rules hold for the target, but
 * nothing else in it is touched or removed. */
CHECKED int restore_node(struct repo *repo, struct repo_index *index, const struct node *node,
			 const char *target, const struct restore_options *options,
			 struct restore_stats *ret_stats, struct error *err);

#endif
