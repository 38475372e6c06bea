/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One snapshot of a set, as it is known outside of its provider. No pointers: it is sent between
 * processes, journaled and copied as it is. All text is terminated by a zero; a path that would not
 * fit is refused by the provider's prepare.
 */
#ifndef HF_PROVIDER_SNAPSHOT_H
#define HF_PROVIDER_SNAPSHOT_H

#include <stdbool.h>

#include "base/base.h"

enum {
	SNAPSHOT_SET_SIZE = 16,
	SNAPSHOT_MEMBERS_MAX = 16, /* of one set */
	SNAPSHOT_PATH_MAX = 1024,
	SNAPSHOT_PROVIDER_MAX = 16,
	SNAPSHOT_NAME_MAX = 2 * SNAPSHOT_SET_SIZE + 12, /* "SET-INDEX" and its zero */
};

struct snapshot {
	uint8_t set[SNAPSHOT_SET_SIZE];
	uint32_t index;
	char provider[SNAPSHOT_PROVIDER_MAX];
	/* The live top: subvolume (btrfs), tree (reflink), mount point (external, lvm). */
	char source[SNAPSHOT_PATH_MAX];
	char place[SNAPSHOT_PATH_MAX]; /* where it lies, by SET-INDEX; set by prepare */
	char exposed[SNAPSHOT_PATH_MAX]; /* where the source's content is read; set by expose */
	char detail[SNAPSHOT_PATH_MAX]; /* the provider's own */
};

/* "SET-INDEX": 32 hexadecimal digits, a dash, the number. Returns text. */
char *snapshot_name(const struct snapshot *s, char text[SNAPSHOT_NAME_MAX]);
/* The other way round; false, and nothing changed, if the text is no such name. */
bool snapshot_name_parse(const char *text, struct snapshot *s);

#endif
