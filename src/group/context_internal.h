/* SPDX-License-Identifier: Apache-2.0 */

/* What the two sides of a backup context share. */
#ifndef HF_GROUP_CONTEXT_INTERNAL_H
#define HF_GROUP_CONTEXT_INTERNAL_H

#include <pthread.h>

#include "base/event.h"
#include "group/context.h"
#include "group/context_link.h"

/* One of the two: what its link is given. */
struct context_side {
	struct context *context;
	const struct group_copy *copy;
	struct context_link *link; /* NULL: not yet, or not at all */
};

struct context {
	struct context_order order;
	const struct engine *engine;
	char holder[ENGINE_TEXT_MAX]; /* "pg2 by backup1" */
	uint64_t opened_ns;

	pthread_mutex_t lock;
	/* Under the lock. */
	uint64_t needed, end;
	unsigned copier_lost;

	/* Of the active copy's link; NULL while it is away. */
	struct engine_session *session;
	/* One that did not answer, while it is away: not closed before another has taken over what it holds
	 * in the server, which may hear of the closing and of nothing else. */
	struct engine_session *silent;
	struct engine_mark mark;
	struct context_side active;

	/* Of the passive copy's link; NULL while it is away, and if the active one is backed up. */
	struct engine_watch *watch;
	char watch_address[ENGINE_ADDRESS_MAX];
	char source[ENGINE_TEXT_MAX]; /* what it copied from, when last seen */
	struct passive_policy seen;
	struct context_side passive;
};

/* Until when an opening may take. */
uint64_t context_open_deadline(const struct group *g);
void context_note(struct context *c, const char *format, ...) PRINTF_LIKE(2, 3);
uint64_t context_end(struct context *c);
struct context *context_of(void *side); /* a link's arg */
enum { CONTEXT_SECONDS_MAX = 32 };
/* "2.5 s"; returns text. */
const char *context_seconds(uint64_t ns, char text[CONTEXT_SECONDS_MAX]);
/* For both links: the backup is over. Events, and a note. */
void context_over(void *side, const struct error *why, uint64_t away_ns);
/* ERR_CONTEXT_LOST: `what` gave no sign of life for a lease. */
void context_expired(const struct context *c, const char *what, uint64_t silent_ns,
		     const struct error *last, struct error *err);

CHECKED int context_active_open(struct context *c, const struct log_range *range,
				struct error *err);
CHECKED int context_active_start(struct context *c, struct error *err);
void context_active_close(struct context *c);

CHECKED int context_passive_open(struct context *c, const struct log_range *range,
				 struct error *err);
CHECKED int context_passive_start(struct context *c, struct error *err);
void context_passive_close(struct context *c);

#endif
