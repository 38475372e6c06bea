/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Snapshots that lie in a folder .holdfast of the file system they were made from (btrfs, reflink):
 * their places and marks, and how to find them. `top_fd` is the folder that .holdfast is in.
 */
#ifndef HF_PROVIDER_BELOW_H
#define HF_PROVIDER_BELOW_H

#include "base/base.h"
#include "base/error.h"
#include "provider/provider.h"

/* Set s->place to TOP/.holdfast/SET-INDEX, see that nothing is there, make the mark. */
CHECKED int below_prepare(int top_fd, const char *top, struct snapshot *s,
			  const struct provider_settings *settings, struct error *err);
/* The folder, checked: the snapshot is prepared. Uses no heap. */
CHECKED int below_open(int top_fd, const struct snapshot *s, int *ret_folder, struct error *err);
/* For removing: 1 there is a mark, *ret_folder; 0 nothing is there; ERR_PERMISSION if a thing of the
 * snapshot's name lies there without a mark. */
CHECKED int below_find(int top_fd, const struct snapshot *s, int *ret_folder, struct error *err);
/* The snapshot is gone: remove the mark, and the folder with the last of them. */
CHECKED int below_forget(int top_fd, const struct snapshot *s, struct error *err);
/* All marked snapshots of a provider, at the tops of all mounted file systems and, on btrfs, of all
 * subvolumes; each once. `source` is where the snapshot's top is to be found now. */
CHECKED int below_each(const char *provider, const struct provider_settings *settings,
		       provider_each_fn *each, void *arg, struct error *err);

/* By statvfs(3). */
CHECKED int below_space(const char *path, uint64_t *ret_free, uint64_t *ret_total,
			struct error *err);

/* How long to put up with EBUSY: waits that double, a few seconds in all. */
struct below_patience {
	unsigned waits;
};
#define BELOW_PATIENCE_INIT ((struct below_patience){0})
/* Wait once; false: long enough. errno stays. */
bool below_wait(struct below_patience *p);

#endif
