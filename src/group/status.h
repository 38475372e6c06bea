/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the copies of a group say of themselves, all asked at once; and what it means, in the words of
 * Get-MailboxDatabaseCopyStatus. group_look() asks; the rest is pure.
 */
#ifndef HF_GROUP_STATUS_H
#define HF_GROUP_STATUS_H

#include <jansson.h>
#include <stdatomic.h>

#include "group/engine.h"

/* Of one copy. */
enum copy_status {
	COPY_MOUNTED = 1, /* the active one */
	COPY_DISMOUNTED, /* answers, but as neither */
	COPY_HEALTHY, /* passive, connected, replaying */
	COPY_SUSPENDED, /* replay is paused */
	COPY_DISCONNECTED_AND_HEALTHY, /* its log copier is not connected; what it has is in order */
	COPY_DISCONNECTED_AND_RESYNCHRONIZING, /* not connected, and much is left to replay */
	COPY_RESYNCHRONIZING, /* connected, far behind, or not on the active copy's timeline yet */
	COPY_DISCONNECTED, /* not connected, and there is no active copy to be connected to */
	COPY_INITIALIZING, /* the server is starting */
	COPY_FAILED, /* of another database, another timeline, or its log is gone from the active copy */
	COPY_SERVICE_DOWN, /* nobody answers */
};

struct group_member {
	const struct group_copy *copy; /* of the group */
	struct copy_facts facts;
	enum copy_status status;
	char why[256]; /* in a clause; "" where the status says it all */
	/* Bytes of log; UINT64_MAX: not known. */
	uint64_t copy_queue, replay_queue;
};

struct group_view {
	const struct group *group; /* lent */
	uint64_t time_ns; /* wall clock, when the last had answered */
	size_t active; /* index of the active copy; SIZE_MAX: none, or several */
	char why_no_active[256];
	bool mixed; /* why: there are active copies of different databases */
	size_t n;
	struct group_member *members;
};

/* Ask every copy at once, until the deadline (boot clock); who has not answered is ServiceDown. */
CHECKED int group_look(const struct group *g, uint64_t deadline_ns, struct group_view *ret,
		       struct error *err);
/* The same, which ends within a moment with ERR_CANCELLED once *stop is true. */
CHECKED int group_look_while(const struct group *g, uint64_t deadline_ns, const _Atomic bool *stop,
			     struct group_view *ret, struct error *err);
/* Pure: from the facts to active, status, why and queues. */
void group_judge(struct group_view *v);
void group_view_done(struct group_view *v);
/*
 * The error of whoever needs an active copy where there is none (v->active is SIZE_MAX): what is against each
 * copy that could not be asked. ERR_GROUP_NO_COPY, which is worth repeating, unless waiting cannot help: then
 * the code with which the first of them refused us, or ERR_CONFIG if databases are mixed up.
 */
enum err group_no_active(const struct group_view *v, struct error *err);

const char *copy_status_name(enum copy_status s); /* "DisconnectedAndHealthy" */
const char *copy_role_name(enum copy_role r); /* "active", "passive", "unknown" */
/* For --json: new reference, NULL out of memory. */
json_t *group_view_json(const struct group_view *v);

#endif
