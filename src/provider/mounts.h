/* SPDX-License-Identifier: Apache-2.0 */

/* What is mounted where, as this process sees it: /proc/self/mountinfo (proc(5)), read once. */
#ifndef HF_PROVIDER_MOUNTS_H
#define HF_PROVIDER_MOUNTS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct mount {
	uint64_t id;
	uint64_t parent; /* the mount it lies on */
	uint64_t device; /* st_dev of its files; btrfs: none of them */
	char *root; /* what of the file system is mounted: "/", or a folder or subvolume in it */
	char *point; /* where */
	char *type; /* "ext4", "btrfs" ... */
	char *source; /* a device, a server's export ... */
	bool read_only; /* the mount or its file system */
};

struct mounts {
	size_t n;
	struct mount *list; /* in the order in which they were mounted */
};

CHECKED int mounts_read(struct mounts *ret, struct error *err);
/* From the text of a mountinfo file, which it takes apart. Lines that are none are passed over. */
CHECKED int mounts_parse(char *text, struct mounts *ret, struct error *err);
void mounts_done(struct mounts *m);

const struct mount *mounts_find(const struct mounts *m, uint64_t id); /* NULL: not there */
/* Whether the file system has no files that a backup could want: proc, sysfs ... */
bool mounts_is_pseudo(const char *type);
/* Whether it is empty after a power cut, so that a backup loses nothing by another moment of it: those
 * and tmpfs. */
bool mounts_is_volatile(const char *type);

#endif
