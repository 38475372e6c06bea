/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A store that lies with somebody else, who comes and fetches what there is to do. The mover of a
 * protected host works on outbox_store(): each call waits until the remote party has carried it out.
 * All connections come from there, so the host needs no way to the repository, and no credentials.
 *
 *	the mover's threads                        the remote party's connections
 *	store_read, stat, list, commit ----.        .---- outbox_next    an operation, as a frame
 *	store_write: parts that gather ----+- queue +---- outbox_answer  what became of it
 *	                                   '        '---- outbox_lost    the connection is gone
 *
 * Nothing is lost with a connection: what was handed to it is handed out again, and the mover does
 * not notice. An operation that is carried out twice does no harm (store/storeop.h); the first answer
 * counts, later ones are ignored.
 *
 * Memory is bounded: a writer waits while as many bytes as allowed are here. One upload has one
 * operation at a time, so that parts arrive in order. The store offers neither remove nor tidy.
 *
 * Every function may be called by any thread; none but the store's and outbox_wait() blocks.
 */
#ifndef HF_STORE_OUTBOX_H
#define HF_STORE_OUTBOX_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "store/store.h"

struct outbox;

struct outbox_options {
	size_t memory_max; /* bytes of uploads, waiting or on their way; 0: 32 MiB */
	/* For one operation to be answered (ERR_TIMEOUT); 0: as long as the session lasts. */
	uint64_t timeout_ns;
	/* After so long an operation is handed out again although its connection seems alive; 0: 120 s. */
	uint64_t again_ns;
};

struct outbox_stats {
	uint64_t given, answered;
	uint64_t again; /* handed out once more */
	uint64_t ignored; /* answers that came late */
	uint64_t sent_bytes, received_bytes; /* of objects */
	uint64_t held_bytes, held_peak; /* of uploads, here */
	uint64_t asked_ns; /* boot clock: when outbox_next was last called, 0 never */
};

/* options may be NULL. */
CHECKED int outbox_open(const struct outbox_options *options, struct outbox **ret,
			struct error *err);
/* Nobody may be inside of anything any more. NULL is fine. */
void outbox_free(struct outbox *o);
void outbox_freep(struct outbox **o);

/* Belongs to the outbox: store_close() does nothing. */
struct store *outbox_store(struct outbox *o);

/* The mover is done: when everything is answered the remote party is told that no more will come. */
void outbox_close(struct outbox *o);
/* The session ended: whoever waits, and whoever comes, gets `why`. The first one counts. */
void outbox_end(struct outbox *o, const struct error *why);

/*
 * The next operation for the connection `conn`, as a frame to reply with:
 *	1  {"Operation": {…}} and bytes
 *	0  {"Operation": null}: none now
 *	2  {"Operation": null, "Closed": true}: none ever
 * What the same connection was handed before, and has not answered, was lost on the way, and is handed
 * out again. `conn` is any number but 0 that no other connection has; a connection that takes the
 * place of a broken one had better have the same.
 */
CHECKED int outbox_next(struct outbox *o, uint64_t conn, struct buf *ret_frame, struct error *err);
/* Take an answer. Late ones are ignored. ERR_PROTOCOL if it is none. */
CHECKED int outbox_answer(struct outbox *o, const json_t *answer, struct slice data,
			  struct error *err);
/* A connection is gone: what it was handed is for another one. */
void outbox_lost(struct outbox *o, uint64_t conn);

/* Call fn whenever outbox_next could give something new: from any thread, under a lock, so it may
 * only wake somebody, and not call back. NULL: no more; it is not running then. */
void outbox_set_ready(struct outbox *o, void (*fn)(void *arg), void *arg);
/* For a thread that has nothing else to do: until there is something, or the deadline (boot clock). */
void outbox_wait(struct outbox *o, uint64_t deadline_ns);

void outbox_stats(struct outbox *o, struct outbox_stats *ret);

#endif
