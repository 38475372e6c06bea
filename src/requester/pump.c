/* SPDX-License-Identifier: Apache-2.0 */

/* One operation at a time. Listings are short but for packs of large repositories; those that take
 * several answers are kept as they were when the first was asked for. */
#include "requester/pump.h"

#include <string.h>

#include "requester/pump_internal.h"

int
pump_new(struct store *store, enum pump_policy policy, struct pump **ret, struct error *err)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return error_no_memory(err);
	p->store = store;
	p->policy = policy;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->idle, NULL);
	*ret = p;
	return OK;
}

void
pump_free(struct pump *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < PUMP_UPLOADS; i++)
		store_abort(p->uploads[i].upload);
	for (size_t i = 0; i < PUMP_LISTINGS; i++)
		buf_done(&p->listings[i].bytes);
	(void)pthread_cond_destroy(&p->idle);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

void
pump_freep(struct pump **p)
{
	pump_free(*p);
}

static int
collect(void *arg, const struct store_entry *entry, struct error *err)
{
	struct buf *b = arg;

	if (buf_bytes(b, entry->name, strlen(entry->name), err) < 0)
		return err->code;
	return buf_varint(b, entry->size_bytes, err);
}

static int
cut(const struct buf *whole, const struct storeop *op, uint64_t *ret_size, struct buf *ret,
    struct error *err)
{
	if (op->offset > whole->n)
		return error_set(err, ERR_PROTOCOL, "a listing of '%s' beyond its end", op->name);
	*ret_size = whole->n;
	size_t n = MIN(whole->n - (size_t)op->offset, (size_t)op->n);
	return n > 0 ? buf_append(ret, whole->p + op->offset, n, err) : OK;
}

/* Make room for one more, oldest first. Under the lock. */
static void
keep(struct pump *p, uint64_t number, struct buf *bytes)
{
	for (size_t i = 0; i < PUMP_LISTINGS; i++) {
		struct pump_listing *l = &p->listings[(p->next_listing + i) % PUMP_LISTINGS];

		if (i > 0 && p->listing_bytes + bytes->n <= PUMP_LISTINGS_BYTES)
			break;
		p->listing_bytes -= l->bytes.n;
		buf_done(&l->bytes);
		l->number = 0;
	}
	struct pump_listing *l = &p->listings[p->next_listing];
	p->next_listing = (p->next_listing + 1) % PUMP_LISTINGS;
	p->listing_bytes += bytes->n;
	l->number = number;
	l->bytes = *bytes;
	*bytes = BUF_INIT(0);
}

/* 1: it was kept, and cut from. */
static int
recall(struct pump *p, const struct storeop *op, uint64_t *ret_size, struct buf *ret,
       struct error *err)
{
	int rc = 0;

	(void)pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < PUMP_LISTINGS && rc == 0; i++)
		if (op->upload != 0 && p->listings[i].number == op->upload)
			rc = cut(&p->listings[i].bytes, op, ret_size, ret, err) < 0 ? err->code : 1;
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}

int
pump_listing_perform(struct pump *p, const struct storeop *op, uint64_t *ret_size, struct buf *ret,
		     struct error *err)
{
	CLEAN(buf_done) struct buf whole = BUF_INIT(PUMP_LISTINGS_BYTES);
	int rc = recall(p, op, ret_size, ret, err);

	if (rc != 0)
		return rc < 0 ? rc : OK;
	if (op->offset != 0)
		return error_set(err, ERR_BUSY, "too many listings at once");
	if (store_list(p->store, op->name, collect, &whole, err) < 0 ||
	    cut(&whole, op, ret_size, ret, err) < 0)
		return err->code;
	if (whole.n > op->n) {
		(void)pthread_mutex_lock(&p->lock);
		keep(p, op->upload, &whole);
		(void)pthread_mutex_unlock(&p->lock);
	}
	return OK;
}

static int
read_bytes(struct pump *p, const struct storeop *op, struct buf *ret, struct error *err)
{
	/* Room for a byte at least: also who asks for none needs an address. */
	if (buf_reserve(ret, MAX((size_t)op->n, (size_t)1), err) < 0 ||
	    store_read(p->store, op->name, op->offset, ret->p, (size_t)op->n, err) < 0)
		return err->code;
	ret->n = (size_t)op->n;
	return OK;
}

static int
perform(struct pump *p, const struct storeop *op, struct slice data, struct storeop_answer *ret,
	struct buf *ret_data, struct error *err)
{
	int rc = pump_policy_check(p->policy, op, err);

	if (rc < 0)
		return rc;
	if (op->n > PUMP_DATA_MAX)
		return error_set(err, ERR_LIMIT, "%llu bytes at once", (unsigned long long)op->n);
	switch (op->kind) {
	case STOREOP_READ:
		return read_bytes(p, op, ret_data, err);
	case STOREOP_STAT:
		rc = store_stat(p->store, op->name, &ret->size, err);
		ret->exists = rc > 0;
		return rc < 0 ? rc : OK;
	case STOREOP_LIST:
		return pump_listing_perform(p, op, &ret->size, ret_data, err);
	case STOREOP_PART:
	case STOREOP_COMMIT:
	case STOREOP_ABORT:
		return pump_upload_perform(p, op, data, err);
	}
	return error_set(err, ERR_PROTOCOL, "an impossible operation");
}

void
pump_perform(struct pump *p, const struct storeop *op, struct slice data,
	     struct storeop_answer *ret, struct buf *ret_data)
{
	struct storeop_answer answer = {.id = op->id};

	ret_data->n = 0;
	if (perform(p, op, data, &answer, ret_data, &answer.error) < 0)
		ret_data->n = 0;
	*ret = answer;
}
