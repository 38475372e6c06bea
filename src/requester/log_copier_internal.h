/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the log copier's loop (log_copier.c) and its stores (log_copier_store.c) have between them. What it has to
 * remember between two rounds is struct copier; the store that runs beside it is struct storing, which its thread has
 * for itself until it sets `done`.
 */
#ifndef HF_REQUESTER_LOG_COPIER_INTERNAL_H
#define HF_REQUESTER_LOG_COPIER_INTERNAL_H

#include <pthread.h>

#include "base/uuid.h"
#include "requester/log_copier.h"
#include "requester/log_copy.h"

struct storing {
	pthread_t thread;
	bool running; /* the thread is to be joined */
	_Atomic bool done;
	struct log_copy_store store;
	const struct copier *copier;
	const struct group_copy *active; /* the others get slots */
	bool moved; /* another copy is active, too */
	int r;
	struct error err;
};

struct copier {
	const struct log_copier_order *order;
	struct log_copy_order copy_order;
	struct log_copy copy;
	char application[100];
	char id[UUID_TEXT_SIZE];
	char peer[200]; /* the active copy, for events: it outlives the connection */
	struct storing storing;
	uint64_t due_ns; /* when to store next; boot clock */
	bool asked; /* a LOG backup waits: what is stored next is closed, so that it stays */
	bool waiting; /* a store is due, and waits for the log to reach `mark` */
	uint64_t wait_until_ns;
	bool marked; /* `mark` is of this connection, and not reached yet */
	struct log_mark mark;
	uint64_t lost_ns; /* since when there is no connection; 0: there is one */
	char lost_why[sizeof(((struct error *)NULL)->msg)];
	uint64_t busy_ns; /* since when another copier is in the way; 0: none is */
	bool refused; /* for too long, and we have never streamed: `refusal` */
	struct error refusal;
	bool look_again; /* who the active copy is: another one takes itself for it */
	bool said; /* that it streams: once for each connection, when something came by it */
	bool was_ready;
	bool store_failed; /* and it was said */
	bool full; /* likewise: the spool is */
	uint64_t again_ns, again_wait_ms; /* when to connect again */
};

static inline bool
stopping(const struct copier *c)
{
	return atomic_load(c->order->stop);
}

/* There is no connection, or none any more: say it, and when to try again. */
void log_copier_lost(struct copier *c, const struct error *err);

/* A look at whether something is to be stored, or was. Never waits. */
CHECKED int log_copier_store_round(struct copier *c, struct error *err);
void log_copier_schedule(struct copier *c);
bool log_copier_is_idle(const struct copier *c);
CHECKED int log_copier_begin_store(struct copier *c, struct error *err);
/* Waits for the store that runs. */
CHECKED int log_copier_take_result(struct copier *c, struct error *err);
void log_copier_note_failure(struct copier *c, const struct error *err);

#endif
