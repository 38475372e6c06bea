/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the restore point of a group says beside that of a single host; and whether what the copy's host gave is
 * what was asked of it: the same database, on the timeline that the logs are of, with every log from its
 * beginning to its end. Pure.
 */
#ifndef HF_REQUESTER_GROUP_RECORD_H
#define HF_REQUESTER_GROUP_RECORD_H

#include <jansson.h>

#include "group/context.h"
#include "group/status.h"

struct group_facts {
	const struct group *group;
	const struct group_copy *copy, *active;
	enum copy_role role; /* of the copy */
	char identity[32]; /* of the database */
	struct log_range range;
	struct context_state context; /* as of the end */
	uint64_t now_ns; /* boot clock, of the end */
	const char *why; /* this copy was chosen */
};

/*
 * `roots` as task.h has them. ERR_CONFIG: it is another database than the group's. ERR_GROUP_ROLE: another role
 * or timeline, or more log than the active copy has. ERR_PROTOCOL: logs are missing between its beginning
 * and its end.
 */
CHECKED int group_record_check(const struct group_facts *f, const json_t *roots, struct error *err);
/* Adds "group" to the record. */
CHECKED int group_record_add(const struct group_facts *f, json_t *record, struct error *err);

#endif
