/* SPDX-License-Identifier: Apache-2.0 */

/* What a path lies on: the facts a snapshot provider decides by. */
#ifndef HF_PROVIDER_VOLUME_H
#define HF_PROVIDER_VOLUME_H

#include "base/base.h"
#include "base/error.h"

struct volume {
	uint64_t device; /* st_dev of what is there */
	char type[64]; /* "ext4", "btrfs" ...; "unknown" if the system does not tell */
	char *mount_point; /* where the file system is mounted */
	char *source; /* what is mounted: a device, a server's export ... */
};

/* ERR_SOURCE if the path cannot be reached. */
CHECKED int volume_of(const char *path, struct volume *ret, struct error *err);
void volume_done(struct volume *v);

/*
 * Find the mount with this id in the text of a mountinfo file (proc(5)): 1 found, 0 not there. For
 * volume_of and its tests.
 */
CHECKED int volume_parse_mountinfo(char *text, uint64_t mount_id, struct volume *ret,
				   struct error *err);

#endif
