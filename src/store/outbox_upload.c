/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The mover's end: storing. What is written gathers in `pending` and is acknowledged at once; the next
 * connection that asks takes it along. Whether that worked shows in a later write, or at the commit,
 * which waits until the remote party has the object durably.
 *
 * No writer waits for ever: when one waits for memory, whatever has gathered anywhere is sent off,
 * however little it is, and the answers free what it had.
 */
#include "store/outbox_internal.h"

#include <string.h>

static struct outbox_upload *
upload_of(struct store_upload *base)
{
	return CONTAINER_OF(base, struct outbox_upload, base);
}

static void
release(struct outbox *o, struct buf *b)
{
	o->held -= b->n;
	buf_done(b);
}

static void
upload_free(struct outbox_upload *u)
{
	struct outbox *o = u->outbox;
	struct outbox_upload **at = &o->uploads;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	outbox_unlink_locked(o, &u->op);
	release(o, &u->pending);
	release(o, &u->flight);
	free(u);
}

void
outbox_upload_free_all(struct outbox *o)
{
	while (o->uploads != NULL)
		upload_free(o->uploads);
}

/* If it has something to say and is not saying anything yet, it queues. */
static void
consider(struct outbox_upload *u)
{
	struct outbox *o = u->outbox;
	enum storeop_kind kind;

	if (u->op.state != OUTBOX_IDLE || o->ended)
		return;
	if (u->aborted)
		kind = STOREOP_ABORT;
	else if (u->failed.code != OK)
		return;
	else if (u->committing)
		kind = STOREOP_COMMIT;
	else if (u->pending.n >= OUTBOX_PART_MIN || (u->pending.n > 0 && o->starving > 0))
		kind = STOREOP_PART;
	else
		return;
	u->op = (struct outbox_op){.upload = u, .wire = {.kind = kind, .upload = u->number}};
	memcpy(u->op.wire.name, u->name, sizeof(u->name));
	u->loaded = false;
	outbox_enqueue_locked(o, &u->op);
}

void
outbox_upload_load_locked(struct outbox_upload *u)
{
	if (u->loaded)
		return;
	u->loaded = true;
	u->begun = true;
	/* Between queuing and now it may have come to its end. */
	if (u->aborted)
		u->op.wire.kind = STOREOP_ABORT;
	else if (u->committing)
		u->op.wire.kind = STOREOP_COMMIT;
	if (u->op.wire.kind == STOREOP_ABORT)
		return;
	struct buf empty = u->flight;
	u->flight = u->pending;
	u->pending = empty;
	u->op.wire.offset = u->sent;
	u->op.data = buf_slice(&u->flight);
}

void
outbox_upload_answered_locked(struct outbox_upload *u)
{
	struct outbox *o = u->outbox;

	if (u->op.wire.kind == STOREOP_ABORT) {
		upload_free(u);
		return;
	}
	if (u->op.answer.error.code == OK) {
		u->sent += u->flight.n;
		o->stats.sent_bytes += u->flight.n;
	}
	release(o, &u->flight);
	/* Its owner waits for this one, or has given up waiting. */
	if (u->op.wire.kind == STOREOP_COMMIT) {
		if (u->aborted)
			upload_free(u);
		return;
	}
	u->op.state = OUTBOX_IDLE;
	if (u->op.answer.error.code != OK)
		u->failed = u->op.answer.error;
	consider(u);
}

int
outbox_upload_begin(struct store *s, const char *name, struct store_upload **ret, struct error *err)
{
	struct outbox *o = CONTAINER_OF(s, struct outbox, base);
	CLEAN(free_ptr) struct outbox_upload *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return error_no_memory(err);
	u->base.ops = s->ops;
	u->outbox = o;
	u->pending = BUF_INIT(OUTBOX_PART_MAX);
	u->flight = BUF_INIT(OUTBOX_PART_MAX);
	memcpy(u->name, name, strlen(name) + 1);
	outbox_lock(o);
	u->number = ++o->last_number;
	u->next = o->uploads;
	o->uploads = u;
	*ret = &STEAL_PTR(u)->base;
	outbox_unlock(o);
	return OK;
}

/* Room for how many bytes, waiting for it; < 0: the upload has failed. */
static int
find_room(struct outbox_upload *u, size_t *ret, struct error *err)
{
	struct outbox *o = u->outbox;
	uint64_t deadline = outbox_deadline(o);
	bool in_time = true;

	for (;;) {
		if (o->ended || u->failed.code != OK)
			return outbox_raise(o->ended ? &o->why : &u->failed, err);
		size_t own = OUTBOX_PART_MAX - u->pending.n;
		size_t all = o->options.memory_max - MIN(o->held, o->options.memory_max);
		*ret = MIN(own, all);
		if (*ret > 0)
			return OK;
		if (!in_time)
			return error_set(err, ERR_TIMEOUT,
					 "the requester fetched nothing for too long");
		o->starving++;
		for (struct outbox_upload *each = o->uploads; each != NULL; each = each->next)
			consider(each);
		in_time = outbox_sleep_locked(o, deadline);
		o->starving--;
	}
}

int
outbox_upload_write(struct store_upload *base, const void *p, size_t n, struct error *err)
{
	struct outbox_upload *u = upload_of(base);
	struct outbox *o = u->outbox;
	struct error own = ERROR_INIT;
	size_t done = 0, room = 0;

	outbox_lock(o);
	while (done < n && own.code == OK) {
		if (find_room(u, &room, &own) < 0)
			break;
		room = MIN(room, n - done);
		if (buf_append(&u->pending, (const uint8_t *)p + done, room, &own) < 0) {
			u->failed = own;
			break;
		}
		done += room;
		o->held += room;
		o->stats.held_peak = MAX(o->stats.held_peak, (uint64_t)o->held);
		consider(u);
	}
	outbox_unlock(o);
	return own.code != OK ? outbox_raise(&own, err) : OK;
}

/* The remote party must forget it, unless it never heard of it. */
static void
drop(struct outbox_upload *u)
{
	if (u->op.state == OUTBOX_QUEUED && !u->loaded)
		outbox_unlink_locked(u->outbox, &u->op);
	if (!u->begun || u->outbox->ended) {
		upload_free(u);
		return;
	}
	u->aborted = true;
	release(u->outbox, &u->pending);
	consider(u);
	(void)pthread_cond_broadcast(&u->outbox->changed);
}

int
outbox_upload_commit(struct store_upload *base, struct error *err)
{
	struct outbox_upload *u = upload_of(base);
	struct outbox *o = u->outbox;
	struct error own = ERROR_INIT;
	uint64_t deadline = outbox_deadline(o);
	bool in_time = true;

	outbox_lock(o);
	u->committing = true;
	consider(u);
	/* The last part may be on its way, and it may fail: then there is no commit. */
	while (!o->ended && u->failed.code == OK && u->op.state != OUTBOX_DONE && in_time)
		in_time = outbox_sleep_locked(o, deadline);
	if (o->ended)
		own = o->why;
	else if (u->failed.code != OK)
		own = u->failed;
	else if (u->op.state == OUTBOX_DONE)
		own = u->op.answer.error;
	else
		error_set(&own, ERR_TIMEOUT,
			  "the requester did not say in time whether it stored '%s'", u->name);
	if (u->op.state == OUTBOX_DONE)
		upload_free(u);
	else
		drop(u);
	outbox_unlock(o);
	return own.code != OK ? outbox_raise(&own, err) : OK;
}

void
outbox_upload_abort(struct store_upload *base)
{
	struct outbox_upload *u = upload_of(base);
	struct outbox *o = u->outbox;

	outbox_lock(o);
	drop(u);
	outbox_unlock(o);
}
