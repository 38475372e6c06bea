/* SPDX-License-Identifier: Apache-2.0 */

/* What the files of the outbox share. Everything below is under the lock; functions named *_locked
 * are called with it held. Nobody else includes this. */
#ifndef HF_STORE_OUTBOX_INTERNAL_H
#define HF_STORE_OUTBOX_INTERNAL_H

#include <pthread.h>

#include "store/outbox.h"
#include "store/storeop.h"

enum {
	OUTBOX_PART_MAX = 4 << 20, /* bytes of one operation, either way */
	OUTBOX_PART_MIN = 1 << 20, /* fewer wait for more, unless memory is short */
};

enum outbox_op_state {
	OUTBOX_IDLE = 0, /* in no list */
	OUTBOX_QUEUED,
	OUTBOX_GIVEN, /* to a connection */
	OUTBOX_DONE, /* answered; in no list */
};

struct outbox_op {
	struct storeop wire;
	enum outbox_op_state state;
	struct slice data; /* goes along; stays until the answer */
	struct storeop_answer answer;
	uint8_t *into; /* where the answer's bytes go, wire.n at most */
	size_t got;
	struct outbox_upload *upload; /* NULL: somebody waits for it */
	uint64_t conn, given_ns;
	struct outbox_op *next, *previous;
};

struct outbox_list {
	struct outbox_op *first, *last;
};

/*
 * An object on its way in. Invariants: op is in no list, or in one and then pending is not touched
 * but appended to; sent + flight.n + pending.n is what was written so far.
 */
struct outbox_upload {
	struct store_upload base;
	struct outbox *outbox;
	char name[STORE_NAME_MAX + 1];
	uint64_t number;
	struct buf pending; /* gathers */
	struct buf flight; /* goes with op */
	uint64_t sent; /* acknowledged */
	bool begun; /* the remote party has heard of it */
	bool loaded; /* flight is what op is to carry */
	bool committing, aborted;
	struct error failed;
	struct outbox_op op;
	struct outbox_upload *next;
};

struct outbox {
	struct store base;
	struct outbox_options options;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* for those who wait for answers, or for memory */
	pthread_cond_t ready; /* for outbox_wait() */
	struct outbox_list queue, given;
	struct outbox_upload *uploads;
	size_t held; /* bytes of all pending and flight */
	unsigned starving; /* writers that wait for memory */
	uint64_t last_number; /* of operations and uploads */
	bool closed, ended;
	struct error why;
	void (*ready_fn)(void *arg);
	void *ready_arg;
	struct outbox_stats stats;
};

void outbox_lock(struct outbox *o);
void outbox_unlock(struct outbox *o);
/* Name it and put it at the end of the queue. */
void outbox_enqueue_locked(struct outbox *o, struct outbox_op *op);
/* Out of whichever list it is in. */
void outbox_unlink_locked(struct outbox *o, struct outbox_op *op);
/* Until `changed`, or the deadline; false: it passed. */
bool outbox_sleep_locked(struct outbox *o, uint64_t deadline_ns);
/* When an operation that begins now must be answered. */
uint64_t outbox_deadline(const struct outbox *o);
/* Until it is answered; afterwards it is in no list. What the remote party answered, or why it did not. */
CHECKED int outbox_await_locked(struct outbox *o, struct outbox_op *op, struct error *err);
int outbox_raise(const struct error *why, struct error *err);

/* An upload's operation is handed out: let it take along what there is. */
void outbox_upload_load_locked(struct outbox_upload *u);
/* ... and was answered. May free the upload. */
void outbox_upload_answered_locked(struct outbox_upload *u);
void outbox_upload_free_all(struct outbox *o);

store_begin_fn outbox_upload_begin;
store_write_fn outbox_upload_write;
store_commit_fn outbox_upload_commit;
store_abort_fn outbox_upload_abort;

store_read_fn outbox_store_read;
store_stat_fn outbox_store_stat;
store_list_ops_fn outbox_store_list;

#endif
