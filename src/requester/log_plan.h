/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where copying logs goes on: from what the repository has, what lies in the spool, and where the server is.
 * The choice is pure.
 */
#ifndef HF_REQUESTER_LOG_PLAN_H
#define HF_REQUESTER_LOG_PLAN_H

#include "base/base.h"
#include "base/error.h"
#include "group/log_source.h"
#include "repo/repo.h"
#include "requester/log_point.h"

enum { LOG_COPIER_ID_MAX = 40 };

/* A restore point of logs. */
struct log_known {
	struct log_point logs;
	struct object_id id;
	struct blob_id tree;
	uint64_t end_ns; /* when it was stored */
	/* By which log copier, and on which host it ran; both "": by none, or by one of an earlier version. */
	char copier[LOG_COPIER_ID_MAX], holder[LOG_HOST_MAX];
};

struct log_known_list {
	size_t n;
	struct log_known *points;
};
/* Those of the group. One whose record is damaged fails it. */
CHECKED int log_known_read(struct repo *repo, const char *group, struct log_known_list *ret,
			   struct error *err);
void log_known_done(struct log_known_list *l); /* for CLEAN(), too */
/* The one that was stored last of this database's newest timeline; NULL: there is none. */
const struct log_known *log_known_newest(const struct log_known_list *l, const char *engine,
					 const char *identity);
/* The one of this database that another copier than `copier` stored last; NULL: there is none. */
const struct log_known *log_known_of_others(const struct log_known_list *l, const char *identity,
					    const char *copier);
/* Is `p` an open point that `q` has replaced, and only for a crash was not removed? */
bool log_known_superfluous(const struct log_known *p, const struct log_known *q);

enum log_plan_kind {
	LOG_PLAN_FRESH = 1, /* from where the slot holds logs */
	LOG_PLAN_CHAIN, /* from where the repository's logs end; what is in the spool is of no use */
	LOG_PLAN_CONTINUE, /* with the spool's range, from where it ends */
};

struct log_plan {
	enum log_plan_kind kind;
	struct log_point range; /* to begin with, or the spool's */
	const struct log_known *newest; /* NULL: none */
	bool replaces; /* the newest is of the spool's range: the next one replaces it */
};

/* spool: its range, NULL none. slot_position: 0 not known. */
void log_plan_make(const struct log_known_list *known, const struct log_point *spool,
		   const char *engine, const struct log_source_facts *facts, uint64_t slot_position,
		   struct log_plan *ret);

/* The range that follows `done`, which is closed: on the same timeline, from the beginning of the file that it
 * ends in. */
struct log_point log_plan_next(const struct log_point *done);
/* The same after a switch to timeline `next`, which forks off at `fork`. */
struct log_point log_plan_switch(const struct log_point *done, uint32_t next, uint64_t fork);

#endif
