/* SPDX-License-Identifier: Apache-2.0 */

/* What a path lies on: the facts a snapshot provider is chosen by, looked up once. */
#ifndef HF_PROVIDER_VOLUME_H
#define HF_PROVIDER_VOLUME_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "provider/mounts.h"

struct volume {
	uint64_t device; /* st_dev of what is there */
	char type[64]; /* "ext4", "btrfs" ...; "unknown" if the system does not tell */
	char *real; /* the path with no symbolic link among its folders */
	char *mount_point; /* where the file system is mounted; "" unknown */
	char *source; /* what is mounted: a device, a server's export ... */
	uint64_t mount_id;
	uint64_t block_device; /* what it is mounted from, 0 if that is no (single) block device */
	bool privileged; /* this process may mount, freeze and make snapshots */
	bool read_only;
	bool directory; /* the path is a folder */
	bool reflink; /* files can share their content (FICLONE) */
	bool lvm; /* the block device is a logical volume */
	char *top; /* where the whole of the file system is mounted; NULL: nowhere */
	char *inner; /* the path from there: "/x", or "" for the top itself */
	char *subvolume; /* btrfs: the top of the one the path is in; NULL: not to be reached */
	bool subvolume_read_only;
};

/* ERR_SOURCE if the path cannot be reached. */
CHECKED int volume_of(const char *path, struct volume *ret, struct error *err);
/* The same, with the mounts read before. */
CHECKED int volume_among(const struct mounts *mounts, const char *path, struct volume *ret,
			 struct error *err);
void volume_done(struct volume *v);

#endif
