/* SPDX-License-Identifier: Apache-2.0 */

/* What the parts of a story share: the facts, gathered once from the events. */
#ifndef HF_REQUESTER_STORY_INTERNAL_H
#define HF_REQUESTER_STORY_INTERNAL_H

#include "requester/story.h"

struct story_facts {
	/* The first (of a failure, the last of a success) event of each kind; NULL: none. */
	const struct event *started, *created, *timeout, *given_up, *freeze_begun, *freeze_limit,
		*thawed_by_guard, *writer_hung, *writer_failed, *writer_killed, *agent_lost,
		*guard_lost, *guard_recovered, *no_space, *by_hand, *foreign, *finished, *weaker,
		*failed, *cancelled, *refused, *unreachable, *disconnected, *reconnected, *aborted;
	size_t n_keeps;
	uint64_t ttl_ms; /* 0: not known */
	uint64_t last_keep_ns; /* wall clock; 0: not known */
	uint64_t longest_gap_ms; /* between keep-alives that arrived */
	uint64_t expired_ns; /* 0: did not */
	uint64_t heard_again_ns; /* after that; 0: never */
};

void story_facts(const struct event_list *events, struct story_facts *ret);
enum story_ending story_facts_ending(const struct story_facts *f, const struct event_list *events);

/* Fills s->headline, cause, advice, setting; s->ending is set. */
void story_words(const struct story_facts *f, struct story *s);
/* Of what only a group's backup can fail of; false: of something else. */
bool story_group_words(const struct event *failed, struct story *s);
/* Fills s->lines. */
CHECKED int story_timeline(const struct event_list *events, const struct story_facts *f,
			   struct story *s, struct error *err);

#endif
