/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The queue between the mover's threads and the remote party's connections. An operation is in one of
 * two lists, waiting or given, until its answer comes; which connection it was given to is remembered,
 * to hand it out again.
 */
#include "store/outbox.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "store/frame.h"
#include "store/outbox_internal.h"

enum { MEMORY_DEFAULT = 32 << 20, AGAIN_DEFAULT_S = 120 };

/* Lists -------------------------------------------------------------------------------------- */

static void
list_insert(struct outbox_list *list, struct outbox_op *op, struct outbox_op *before)
{
	op->next = before;
	op->previous = before != NULL ? before->previous : list->last;
	*(op->previous != NULL ? &op->previous->next : &list->first) = op;
	*(before != NULL ? &before->previous : &list->last) = op;
}

static void
list_remove(struct outbox_list *list, struct outbox_op *op)
{
	*(op->previous != NULL ? &op->previous->next : &list->first) = op->next;
	*(op->next != NULL ? &op->next->previous : &list->last) = op->previous;
	op->next = op->previous = NULL;
}

void
outbox_unlink_locked(struct outbox *o, struct outbox_op *op)
{
	if (op->state == OUTBOX_QUEUED)
		list_remove(&o->queue, op);
	else if (op->state == OUTBOX_GIVEN)
		list_remove(&o->given, op);
	op->state = OUTBOX_IDLE;
}

static void
announce(struct outbox *o)
{
	(void)pthread_cond_broadcast(&o->ready);
	if (o->ready_fn != NULL)
		o->ready_fn(o->ready_arg);
}

void
outbox_enqueue_locked(struct outbox *o, struct outbox_op *op)
{
	op->wire.id = ++o->last_number;
	op->state = OUTBOX_QUEUED;
	list_insert(&o->queue, op, NULL);
	announce(o);
}

/* Handed out before, so it goes before all others. */
static void
again(struct outbox *o, struct outbox_op *op)
{
	list_remove(&o->given, op);
	op->state = OUTBOX_QUEUED;
	list_insert(&o->queue, op, o->queue.first);
	o->stats.again++;
}

/* Waiting ------------------------------------------------------------------------------------ */

void
outbox_lock(struct outbox *o)
{
	(void)pthread_mutex_lock(&o->lock);
}

void
outbox_unlock(struct outbox *o)
{
	(void)pthread_mutex_unlock(&o->lock);
}

/* Our deadlines are on the boot clock, conditions know the monotonic one. */
static bool
sleep_on(struct outbox *o, pthread_cond_t *condition, uint64_t deadline_ns)
{
	struct timespec until;

	if (deadline_ns == UINT64_MAX) {
		(void)pthread_cond_wait(condition, &o->lock);
		return true;
	}
	uint64_t now = clock_boot_ns();
	if (now >= deadline_ns)
		return false;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	uint64_t ns = (uint64_t)until.tv_nsec + (deadline_ns - now);
	until.tv_sec += (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);
	(void)pthread_cond_timedwait(condition, &o->lock, &until);
	return true;
}

bool
outbox_sleep_locked(struct outbox *o, uint64_t deadline_ns)
{
	return sleep_on(o, &o->changed, deadline_ns);
}

uint64_t
outbox_deadline(const struct outbox *o)
{
	return o->options.timeout_ns == 0 ? UINT64_MAX : clock_boot_ns() + o->options.timeout_ns;
}

int
outbox_raise(const struct error *why, struct error *err)
{
	if (err != NULL)
		*err = *why;
	return why->code;
}

int
outbox_await_locked(struct outbox *o, struct outbox_op *op, struct error *err)
{
	uint64_t deadline = outbox_deadline(o);

	while (op->state != OUTBOX_DONE && !o->ended) {
		if (outbox_sleep_locked(o, deadline))
			continue;
		outbox_unlink_locked(o, op);
		return error_set(err, ERR_TIMEOUT,
				 "the requester did not answer within %llu s ('%s' of '%s')",
				 (unsigned long long)(o->options.timeout_ns / NS_PER_S),
				 storeop_name(op->wire.kind), op->wire.name);
	}
	if (op->state != OUTBOX_DONE) {
		outbox_unlink_locked(o, op);
		return outbox_raise(&o->why, err);
	}
	op->state = OUTBOX_IDLE;
	return op->answer.error.code != OK ? outbox_raise(&op->answer.error, err) : OK;
}

/* The remote party's end --------------------------------------------------------------------- */

/* What is handed to `conn` but not answered; and what has been on its way for too long. */
static void
take_back(struct outbox *o, uint64_t conn, uint64_t now_ns)
{
	struct outbox_op *next;

	for (struct outbox_op *op = o->given.first; op != NULL; op = next) {
		next = op->next;
		if (op->conn == conn ||
		    (now_ns > op->given_ns && now_ns - op->given_ns > o->options.again_ns))
			again(o, op);
	}
}

static int
write_frame(const struct outbox_op *op, bool closed, struct buf *frame, struct error *err)
{
	CLEAN(json_done) json_t *operation = op != NULL ? storeop_pack(&op->wire) : json_null();
	CLEAN(json_done) json_t *header = json_pack("{s:O*}", "Operation", operation);

	if (header == NULL || operation == NULL ||
	    (closed && json_object_set_new(header, "Closed", json_true()) < 0))
		return error_no_memory(err);
	return frame_write(header, op != NULL ? op->data : SLICE(NULL, 0), frame, err);
}

/* 1 handed out, else as outbox_next(). */
static int
give(struct outbox *o, uint64_t conn, struct buf *frame, struct error *err)
{
	struct outbox_op *op = o->queue.first;
	uint64_t now = clock_boot_ns();

	o->stats.asked_ns = now;
	if (!o->ended) {
		take_back(o, conn, now);
		op = o->queue.first;
	}
	if (op == NULL || o->ended) {
		bool over = o->ended || (o->closed && o->given.first == NULL);

		return write_frame(NULL, over, frame, err) < 0 ? err->code : (over ? 2 : 0);
	}
	if (op->upload != NULL)
		outbox_upload_load_locked(op->upload);
	if (write_frame(op, false, frame, err) < 0)
		return err->code;
	list_remove(&o->queue, op);
	op->state = OUTBOX_GIVEN;
	op->conn = conn;
	op->given_ns = now;
	list_insert(&o->given, op, NULL);
	o->stats.given++;
	return 1;
}

int
outbox_next(struct outbox *o, uint64_t conn, struct buf *ret_frame, struct error *err)
{
	struct error own = ERROR_INIT;

	outbox_lock(o);
	int rc = give(o, conn, ret_frame, &own);
	outbox_unlock(o);
	return rc < 0 ? outbox_raise(&own, err) : rc;
}

static struct outbox_op *
find(const struct outbox *o, uint64_t id)
{
	for (struct outbox_op *op = o->given.first; op != NULL; op = op->next)
		if (op->wire.id == id)
			return op;
	/* It may have been taken back meanwhile. */
	for (struct outbox_op *op = o->queue.first; op != NULL; op = op->next)
		if (op->wire.id == id && op->given_ns != 0)
			return op;
	return NULL;
}

/* An answer that claims success has the bytes that were asked for. */
static void
take_bytes(struct outbox_op *op, struct slice data)
{
	if (op->answer.error.code != OK)
		return;
	bool fits = op->wire.kind == STOREOP_READ ? data.n == op->wire.n : data.n <= op->wire.n;
	if (!fits) {
		error_set(&op->answer.error, ERR_PROTOCOL,
			  "the requester answered '%s' of '%s' with %zu bytes",
			  storeop_name(op->wire.kind), op->wire.name, data.n);
		return;
	}
	if (data.n > 0)
		memcpy(op->into, data.p, data.n);
	op->got = data.n;
}

int
outbox_answer(struct outbox *o, const json_t *answer, struct slice data, struct error *err)
{
	struct storeop_answer a;

	if (storeop_answer_unpack(answer, &a, err) < 0)
		return err != NULL ? err->code : ERR_PROTOCOL;
	outbox_lock(o);
	struct outbox_op *op = find(o, a.id);
	if (op == NULL) {
		o->stats.ignored++;
	} else {
		op->answer = a;
		take_bytes(op, data);
		o->stats.answered++;
		o->stats.received_bytes += op->got;
		outbox_unlink_locked(o, op);
		op->state = OUTBOX_DONE;
		if (op->upload != NULL)
			outbox_upload_answered_locked(op->upload);
		(void)pthread_cond_broadcast(&o->changed);
		if (o->closed && o->given.first == NULL && o->queue.first == NULL)
			announce(o);
	}
	outbox_unlock(o);
	return OK;
}

void
outbox_lost(struct outbox *o, uint64_t conn)
{
	bool any = false;
	struct outbox_op *next;

	outbox_lock(o);
	for (struct outbox_op *op = o->given.first; op != NULL; op = next) {
		next = op->next;
		if (op->conn != conn)
			continue;
		again(o, op);
		any = true;
	}
	if (any)
		announce(o);
	outbox_unlock(o);
}

void
outbox_set_ready(struct outbox *o, void (*fn)(void *arg), void *arg)
{
	outbox_lock(o);
	o->ready_fn = fn;
	o->ready_arg = arg;
	outbox_unlock(o);
}

void
outbox_wait(struct outbox *o, uint64_t deadline_ns)
{
	outbox_lock(o);
	while (o->queue.first == NULL && !o->ended && !(o->closed && o->given.first == NULL))
		if (!sleep_on(o, &o->ready, deadline_ns))
			break;
	outbox_unlock(o);
}

/* Its life ----------------------------------------------------------------------------------- */

static void
own_close(struct store *s)
{
	(void)s;
}

static const struct store_ops outbox_ops = {
	.name = "outbox",
	.read = outbox_store_read,
	.stat = outbox_store_stat,
	.list = outbox_store_list,
	.begin = outbox_upload_begin,
	.write = outbox_upload_write,
	.commit = outbox_upload_commit,
	.abort = outbox_upload_abort,
	.close = own_close,
};

int
outbox_open(const struct outbox_options *options, struct outbox **ret, struct error *err)
{
	CLEAN(free_ptr) struct outbox *o = calloc(1, sizeof(*o));
	pthread_condattr_t attr;

	if (o == NULL)
		return error_no_memory(err);
	o->base.ops = &outbox_ops;
	if (options != NULL)
		o->options = *options;
	if (o->options.memory_max == 0)
		o->options.memory_max = MEMORY_DEFAULT;
	if (o->options.again_ns == 0)
		o->options.again_ns = AGAIN_DEFAULT_S * NS_PER_S;
	/* On Linux these only fill in the objects they are given. */
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&o->lock, NULL);
	(void)pthread_cond_init(&o->changed, &attr);
	(void)pthread_cond_init(&o->ready, &attr);
	(void)pthread_condattr_destroy(&attr);
	*ret = STEAL_PTR(o);
	return OK;
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	outbox_upload_free_all(o);
	(void)pthread_cond_destroy(&o->ready);
	(void)pthread_cond_destroy(&o->changed);
	(void)pthread_mutex_destroy(&o->lock);
	free(o);
}

void
outbox_freep(struct outbox **o)
{
	outbox_free(*o);
}

struct store *
outbox_store(struct outbox *o)
{
	return &o->base;
}

void
outbox_close(struct outbox *o)
{
	outbox_lock(o);
	o->closed = true;
	announce(o);
	outbox_unlock(o);
}

void
outbox_end(struct outbox *o, const struct error *why)
{
	outbox_lock(o);
	if (!o->ended) {
		o->ended = true;
		o->why = *why;
		if (o->why.code == OK)
			error_set(&o->why, ERR_CANCELLED, "the session has ended");
		(void)pthread_cond_broadcast(&o->changed);
		announce(o);
	}
	outbox_unlock(o);
}

void
outbox_stats(struct outbox *o, struct outbox_stats *ret)
{
	outbox_lock(o);
	*ret = o->stats;
	ret->held_bytes = o->held;
	outbox_unlock(o);
}
