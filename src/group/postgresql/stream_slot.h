/* SPDX-License-Identifier: Apache-2.0 */

/* Replication slots that hold back logs for the copier: group/log_source.h says what each call does. */
#ifndef HF_GROUP_POSTGRESQL_STREAM_SLOT_H
#define HF_GROUP_POSTGRESQL_STREAM_SLOT_H

#include "group/log_source.h"
#include "postgresql/pgconn.h"

char *stream_slot_name(const struct group *g, char text[LOG_SLOT_NAME_MAX]);
/* In a session that runs SQL. */
CHECKED int stream_slot_look(struct pgconn *c, const char *name, uint64_t deadline_ns,
			     struct log_slot *ret, struct error *err);
CHECKED int stream_slot_make(struct pgconn *c, const char *name, uint64_t deadline_ns,
			     struct log_slot *ret, struct error *err);
CHECKED int stream_slot_move(struct pgconn *c, const char *name, uint64_t position,
			     uint64_t deadline_ns, struct error *err);
/* In one of their own. */
CHECKED int stream_slot_keep(const struct group *g, const struct group_copy *copy, const char *name,
			     uint64_t position, uint64_t deadline_ns, struct error *err);
CHECKED int stream_slot_drop(const struct group *g, const struct group_copy *copy, const char *name,
			     uint64_t deadline_ns, struct error *err);

#endif
