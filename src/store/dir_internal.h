/* SPDX-License-Identifier: Apache-2.0 */

/* What the files of the folder store share: its state, and how its errors and folder syncs are
 * made. Nobody else includes this, except its tests. */
#ifndef HF_STORE_DIR_INTERNAL_H
#define HF_STORE_DIR_INTERNAL_H

#include <dirent.h>
#include <pthread.h>

#include "store/fdcache.h"
#include "store/store.h"

/* Unfinished uploads that have a name are here; the name is reserved by store_name_valid(). */
#define DIR_TEMP "tmp"

/* How a finished upload gets its name without replacing another. Tried in this order: what the file
 * system can do shows when it is first used, and is remembered. */
enum dir_publish {
	DIR_PUBLISH_UNKNOWN = 0,
	DIR_PUBLISH_UNNAMED, /* O_TMPFILE, then linkat: a crash leaves nothing to tidy */
	DIR_PUBLISH_RENAME, /* a file in tmp/, then renameat2(RENAME_NOREPLACE) */
	DIR_PUBLISH_LINK, /* a file in tmp/, then linkat and unlink: NFS */
};

struct dir {
	struct store base;
	int fd; /* the repository's folder */
	char *path; /* as it was given, for messages only */
	bool counts_links; /* false on a file system that gives every folder zero links */
	struct fdcache *cache; /* of objects opened for reading */
	_Atomic int publish; /* enum dir_publish */

	/* Folders that are known to be durable, with all above them: they need neither mkdir nor a
	 * sync of their parents again. */
	pthread_mutex_t settled_lock;
	char **settled;
	size_t settled_n;
};

/* Raise errno as `code`, or as ERR_STORE_FULL if it says that. "VERB 'NAME': reason" */
enum err dir_raise(struct error *err, enum err code, const char *verb, const char *name);
/* fsync of the folder that holds path. */
CHECKED int dir_sync_parent(int dirfd, const char *path, struct error *err);
/* To be asked after ENOENT, and OK only then is a reason to believe it: a removed folder answers
 * every question that way. */
CHECKED int dir_check_there(const struct dir *d, struct error *err);

/* For CLEAN(). */
static inline void
dir_stream_close(DIR **stream)
{
	if (*stream != NULL)
		(void)closedir(*stream);
}

store_list_ops_fn dir_list;
store_tidy_fn dir_list_tidy;

store_begin_fn dir_upload_begin;
store_write_fn dir_upload_write;
store_commit_fn dir_upload_commit;
store_abort_fn dir_upload_abort;

#endif
