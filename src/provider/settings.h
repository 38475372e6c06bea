/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the administrator decides about providers. No pointers: it is handed to the guard's process as
 * it is. Empty text is "not set".
 */
#ifndef HF_PROVIDER_SETTINGS_H
#define HF_PROVIDER_SETTINGS_H

#include <stdbool.h>

#include "provider/snapshot.h"

enum { PROVIDER_COMMAND_MAX = 1024 };

struct provider_settings {
	/* Folder for mounts and for marks of snapshots that lie in no file system: STATE_DIR/mnt. */
	char mount_root[SNAPSHOT_PATH_MAX];
	struct {
		/* Command lines, split at blanks ('...' and "..." keep them); no shell. */
		char create[PROVIDER_COMMAND_MAX];
		char expose[PROVIDER_COMMAND_MAX];
		char remove[PROVIDER_COMMAND_MAX];
		uint64_t timeout_ns; /* of each */
		bool freeze; /* the file system is frozen around `create` */
	} external;
	struct {
		uint64_t snapshot_bytes; /* of a classic snapshot; 0: a tenth of the volume */
	} lvm;
	struct { /* the space guard: below either, the snapshots are given up */
		uint64_t bytes;
		unsigned percent;
	} min_free;
};

/* The defaults: no commands, 60 s, freeze; no mount root. */
void provider_settings_init(struct provider_settings *ret);

#endif
