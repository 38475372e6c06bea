/* SPDX-License-Identifier: Apache-2.0 */

/* What the files channel_*.c share. */
#ifndef HF_GROUP_POSTGRESQL_CHANNEL_INTERNAL_H
#define HF_GROUP_POSTGRESQL_CHANNEL_INTERNAL_H

#include "group/postgresql/channel.h"
#include "group/postgresql/dialog.h"

enum { CHANNEL_SLOT_MAX = 64 };

struct engine_session {
	struct dialog d;
	struct engine_mark mark;
	uint64_t segment_bytes;
	char pid[24]; /* of the server's process */
	char slot[CHANNEL_SLOT_MAX]; /* "" none yet */
	uint64_t keep_bytes; /* max_slot_wal_keep_size, UINT64_MAX: as much as it takes */
	char keep_text[32]; /* the same, as it is set */
	uint64_t end; /* of the log, at the last beat */
};

/* From a log file's name. */
uint32_t channel_timeline_of(const char *file_name);

/* Make the session's slot. `of`: the slot to take the position from, "" to begin now. */
CHECKED int channel_slot_take(struct engine_session *s, const char *of, uint64_t deadline_ns,
			      struct error *err);

/* "holdfast_context_HASH_": what the slots of all contexts of this group begin with. */
void channel_slot_prefix(const struct group *g, char text[CHANNEL_SLOT_MAX]);

/* What is left of sessions before: their earliest slot, "" if there is none any more. */
CHECKED int channel_left_slot(struct dialog *d, const struct engine_mark *mark,
			      uint64_t deadline_ns, char slot[CHANNEL_SLOT_MAX], struct error *err);
/* End them, and wait until they have ended. */
CHECKED int channel_left_end(struct dialog *d, const struct engine_mark *mark, uint64_t deadline_ns,
			     struct error *err);

/* ERR_GROUP_BUSY, with who it is and since when. */
CHECKED int channel_busy(struct dialog *d, uint64_t deadline_ns, struct error *err);
/* OK if no other context of the group has a slot, in whatever database. */
CHECKED int channel_alone(struct dialog *d, uint64_t deadline_ns, struct error *err);

#endif
