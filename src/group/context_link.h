/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One channel and its thread: beats, listens in between, opens it again, gives it up, as context_policy.h says.
 * What the channel is, is behind a table of functions.
 */
#ifndef HF_GROUP_CONTEXT_LINK_H
#define HF_GROUP_CONTEXT_LINK_H

#include "group/context_policy.h"

/* All but `expired` on the link's thread; `arg` as given. */
struct context_link_ops {
	/* Both end at the deadline. A beat that fails leaves nothing open. */
	int (*beat)(void *arg, uint64_t deadline_ns, struct error *err);
	int (*reopen)(void *arg, uint64_t deadline_ns, struct error *err);
	/* Between beats: as engine->session_fd, and what to do when that is ready; fails as a beat does. */
	int (*fd)(void *arg);
	int (*hear)(void *arg, struct error *err);
	/* For whoever is told: it was lost; it is back; it is over. */
	void (*lost)(void *arg, const struct error *why);
	void (*back)(void *arg, uint64_t away_ns);
	void (*over)(void *arg, const struct error *why, uint64_t away_ns);
	/* A lease has passed without a sign of life. last: of the last try, code OK: none. Any thread. */
	void (*expired)(void *arg, uint64_t silent_ns, const struct error *last, struct error *err);
};

struct context_link_state {
	bool held;
	uint64_t sign_ns;
	unsigned reopened;
};

struct context_link;

/* The channel is open, and has just answered. */
CHECKED int context_link_start(const struct context_link_ops *ops, void *arg, const struct group *g,
			       struct context_link **ret, struct error *err);
/* Any thread; never waits. */
CHECKED int context_link_check(struct context_link *l, struct error *err);
/* In two steps, so that two links answer at once: ask for a beat that begins from now on; wait for it. */
uint64_t context_link_ask(struct context_link *l);
CHECKED int context_link_await(struct context_link *l, uint64_t ticket, uint64_t deadline_ns,
			       struct error *err);
void context_link_state(struct context_link *l, struct context_link_state *ret);
/* Ends the thread; what it is just asking is waited for. NULL is fine. */
void context_link_stop(struct context_link *l);

#endif
