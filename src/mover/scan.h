/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Walking folders: list the names, look at each entry, compare with the previous restore point, and
 * decide what is to be done for it.
 */
#ifndef HF_MOVER_SCAN_H
#define HF_MOVER_SCAN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/base.h"
#include "mover/worker.h"

enum scan_action {
	SCAN_DONE = 1, /* the node is complete, or left out */
	SCAN_FOLDER,
	SCAN_FILE, /* a job of its own */
	SCAN_SMALL, /* read with its neighbours */
};

/* Make a job of a NODE_DIR entry. */
CHECKED int scan_push(struct mover *m, struct entry *e, struct error *err);

/*
 * One entry: fill its node from `st` (looked at after `now_ns`), compare with `past` (NULL: the
 * previous restore point has no such name). What needs no reading of content is done at once: dirfd
 * and the entry's name are for that.
 */
CHECKED int scan_entry(struct mover_worker *w, int dirfd, struct entry *e, const struct stat *st,
		       uint64_t now_ns, const struct node *past, enum scan_action *ret,
		       struct error *err);

/* All names of a folder but "." and "..", sorted, into folder->names and refs. What cannot be listed
 * is a warning. */
CHECKED int scan_names(struct mover_worker *w, struct folder *folder, int fd, struct error *err);

/* May an entry be there at all? Sets flags that the writer gives by path. `prefix`: the folder's path,
 * as scan_filter_begin() left it in w->scratch. */
CHECKED int scan_filter_begin(struct mover_worker *w, struct folder *folder, size_t *ret_prefix,
			      struct error *err);
CHECKED int scan_filter(struct mover_worker *w, struct entry *e, size_t prefix, bool *ret_wanted,
			struct error *err);

#endif
