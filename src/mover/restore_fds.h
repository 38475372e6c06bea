/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The descriptors of items: a bounded number open at a time, the longest unused closed first. What
 * was closed is opened again by walking down from the nearest folder that is still open, name by
 * name, and only accepted if it is the same object as before; somebody who swaps a folder for
 * another while we restore gets an error, and nothing else.
 */
#ifndef HF_MOVER_RESTORE_FDS_H
#define HF_MOVER_RESTORE_FDS_H

#include <pthread.h>

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_item.h"

struct restore_fds {
	pthread_mutex_t lock;
	unsigned open, limit; /* pinned ones may go beyond the limit */
	struct restore_item *newest, *oldest;
};

/* limit 0: from RLIMIT_NOFILE, whose soft limit is raised to the hard one. */
void restore_fds_init(struct restore_fds *fds, unsigned limit);
void restore_fds_done(struct restore_fds *fds);

/* Give the item its descriptor, just opened; it belongs to fds from here on. Pinned once. */
void restore_fds_attach(struct restore_fds *fds, struct restore_item *item, int fd);
/* The item's descriptor, opened again if need be; valid until unpin. The item must be present, and a
 * folder or a file. */
CHECKED int restore_fds_pin(struct restore_fds *fds, struct restore_item *item, int *ret_fd,
			    struct error *err);
void restore_fds_unpin(struct restore_fds *fds, struct restore_item *item);
/* Close now (nobody else has it pinned), telling of write errors, earlier ones too. */
CHECKED int restore_fds_close(struct restore_fds *fds, struct restore_item *item,
			      struct error *err);

#endif
