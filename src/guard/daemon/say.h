/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers and events. Both wait in rings and go out when the socket has room, answers first; nothing
 * here blocks, allocates or writes anywhere else. When events do not fit, the oldest go, and their number
 * is told.
 */
#ifndef HF_GUARD_DAEMON_SAY_H
#define HF_GUARD_DAEMON_SAY_H

#include "guard/daemon/guardian.h"

/* Whether another request may be taken in. */
bool say_has_room(const struct guardian *g);
bool say_has_work(const struct guardian *g);
void say_flush(struct guardian *g);

/* An answer with this body; `size` of it, at most that of the union. */
void say_answer(struct guardian *g, enum wire_kind kind, uint64_t number,
		const struct lease_key *key, const void *body, size_t size);
void say_error(struct guardian *g, enum wire_kind kind, uint64_t number, const struct error *e);
/* To whoever waits for the hold, if anybody does; nobody does afterwards. */
void say_to_asker(struct hold *h, const void *body, size_t size);
void say_error_to_asker(struct hold *h, const struct error *e);

/* h: NULL if it is about no set. */
void say_event(struct guardian *g, const struct hold *h, enum event_id id, const char *format, ...)
	PRINTF_LIKE(4, 5);
/* Of a file system whose state is THAW_FAILED; with what is to be done by hand. */
void say_thaw_failed(struct guardian *g, const struct hold *h, const struct freezer *f);

#endif
