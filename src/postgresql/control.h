/* SPDX-License-Identifier: Apache-2.0 */

/*
 * global/pg_control: where recovery begins, and how far it has to go. Pure. Only what a restored
 * image is checked by; the server itself checks the rest, and the file's own checksum.
 */
#ifndef HF_POSTGRESQL_CONTROL_H
#define HF_POSTGRESQL_CONTROL_H

#include "base/base.h"
#include "base/error.h"

struct control {
	uint64_t system_identifier;
	uint32_t catalog_version;
	uint64_t redo_lsn; /* of the last checkpoint or restartpoint */
	uint32_t timeline;
	/* On a standby: up to where the log must be replayed before the files make sense; 0 on a
	 * primary. */
	uint64_t min_recovery_lsn;
	uint32_t min_recovery_timeline;
};

/* ERR_CORRUPT if this is no pg_control of a version we know (13 to 17). */
CHECKED int control_parse(struct slice file, struct control *ret, struct error *err);

#endif
