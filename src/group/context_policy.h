/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is to be done with a channel, and when: pure, so that every ending of a backup can be played without
 * a server. Times are of the boot clock.
 *
 *	HELD -- no answer, session lost --> AWAY -- opened again --> HELD
 *	  |                                  |
 *	  '-- an answer that ends it --> OVER <-- the same, or a lease without a sign of life
 *
 * And what is seen of the passive copy: what ends the backup, and what is only told.
 */
#ifndef HF_GROUP_CONTEXT_POLICY_H
#define HF_GROUP_CONTEXT_POLICY_H

#include <stdbool.h>

#include "group/engine.h"

enum context_phase { CONTEXT_PHASE_HELD = 1, CONTEXT_PHASE_AWAY, CONTEXT_PHASE_OVER };

enum context_step {
	CONTEXT_STEP_WAIT = 1, /* until due_ns */
	CONTEXT_STEP_BEAT,
	CONTEXT_STEP_REOPEN,
	CONTEXT_STEP_GIVE_UP, /* the lease is over */
};

struct context_policy {
	/* Settings. */
	uint64_t heartbeat_ns, answer_ns, lease_ns;
	/* State. */
	enum context_phase phase;
	uint64_t due_ns; /* of the next beat or reopening */
	uint64_t
		sign_ns; /* when the last question was asked that was answered: it was alive then */
	uint64_t away_ns; /* since when, while AWAY */
	uint64_t tried_ns; /* when the last try to open it again began; 0: none */
	unsigned reopened;
};

/* Just opened. */
void context_policy_init(struct context_policy *p, const struct group *g, uint64_t now_ns);
enum context_step context_policy_next(const struct context_policy *p, uint64_t now_ns);
/* What was asked, or opened, from asked_ns on came back with `code`; or, between beats, what was heard. */
void context_policy_answer(struct context_policy *p, uint64_t asked_ns, uint64_t now_ns,
			   enum err code);
/* Somebody wants to know now. */
void context_policy_hurry(struct context_policy *p, uint64_t now_ns);
/* Until when to wait for what is asked or opened now. Never after the lease. */
uint64_t context_policy_deadline(const struct context_policy *p, enum context_step step,
				 uint64_t now_ns);
/* True as soon as it is certain, also while somebody is stuck in a call that does not come back. */
bool context_policy_is_expired(const struct context_policy *p, uint64_t now_ns);
/* After this failure the channel may come back: the link or the server, not what was true. */
bool context_policy_may_return(enum err code);

enum passive_news {
	PASSIVE_SAME = 1,
	PASSIVE_COPIER_LOST, /* told, and on */
	PASSIVE_COPIER_BACK,
	PASSIVE_PROMOTED, /* ends the backup */
	PASSIVE_RESTARTED,
	PASSIVE_TIMELINE,
};

/* What is remembered of the passive copy. Zeros, and timeline that of the log range. */
struct passive_policy {
	bool known; /* asked once */
	uint32_t timeline;
	uint64_t started;
	bool copier_lost;
	uint64_t copier_lost_ns;
};

/*
 * active_end: of the active copy's log as far as known. A log copier that claims to be connected, but has
 * heard nothing for some time while the active copy has more for it, is not: the link is dead, and its server
 * has not noticed yet.
 */
enum passive_news context_policy_passive(struct passive_policy *p, const struct watch_facts *f,
					 uint64_t active_end, uint64_t now_ns);

#endif
