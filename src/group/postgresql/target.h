/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a copy of a group to where libpq connects, in one place: who asks, as what, with which
 * keep-alives. And what several of us have to agree on to find each other in the server.
 */
#ifndef HF_GROUP_POSTGRESQL_TARGET_H
#define HF_GROUP_POSTGRESQL_TARGET_H

#include "base/error.h"
#include "group/engine.h"
#include "group/group.h"
#include "postgresql/pgconn.h"

/* The two numbers of the advisory lock that a backup context holds: this one, and that of its group. */
enum { TARGET_LOCK_CLASS = 0x484f4c44 /* "HOLD" */ };
/* A context's application_name begins so; then GROUP, COPY, "by", HOST. */
#define TARGET_CONTEXT_NAME "holdfast backup"

struct target {
	struct pgconn_target pg;
	char section[128]; /* pg.section */
};

/* `application`: what pg_stat_activity shows; lent, like the strings of the copy. *ret points into itself:
 * it must not be copied. */
void target_of(const struct group *g, const struct group_copy *c, const char *application,
	       struct target *ret);

/* Of whom a context is, from its session's application_name: "pg2 by backup1" of "holdfast backup orders
 * pg2 by backup1 #1a2b3c4d". Any other name is said as it is, one that is missing too; fit to be shown. */
void target_holder(const char *group, const char *application, char text[ENGINE_TEXT_MAX]);

/* How long the network may leave unacknowledged what was sent, of pgconn_limit. */
uint64_t target_unacked_ns(const struct group *g);

/* A failure of a session with this copy: its hint in the words of the group's configuration, where it was in
 * those of the writer's. Returns rc. */
int target_failed(const struct group *g, const struct group_copy *c, int rc, struct error *err);

/* The same on every machine: the second number of the lock. */
uint32_t target_lock_number(const char *group);
/* As a parameter of pg_try_advisory_lock(int4, int4): signed. Returns text. */
char *target_lock_text(uint32_t number, char text[16]);

#endif
