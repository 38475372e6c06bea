/* SPDX-License-Identifier: Apache-2.0 */

/* Uploads by number. Each is one thread's at a time; when it is over its outcome stays, for who asks
 * again because the answer was lost. */
#include "requester/pump_internal.h"

#include <string.h>

static struct pump_upload *
find(struct pump *p, uint64_t number)
{
	for (size_t i = 0; i < PUMP_UPLOADS; i++)
		if (p->uploads[i].number == number)
			return &p->uploads[i];
	return NULL;
}

/* A free place, or that of the upload that has been over for longest. */
static struct pump_upload *
find_place(struct pump *p)
{
	struct pump_upload *best = NULL;

	for (size_t i = 0; i < PUMP_UPLOADS; i++) {
		struct pump_upload *u = &p->uploads[i];
		if (u->number == 0)
			return u;
		/* The thread that is busy with it has the rest of it to itself. */
		if (!u->busy && u->upload == NULL && (best == NULL || u->used < best->used))
			best = u;
	}
	return best;
}

/* Under the lock. */
static int
open_upload(struct pump *p, const struct storeop *op, struct pump_upload **ret, struct error *err)
{
	struct pump_upload *u = find_place(p);

	if (op->offset != 0)
		return error_set(err, ERR_BAD_STATE, "an upload of '%s' that nobody began",
				 op->name);
	if (u == NULL || p->n_open == PUMP_UPLOADS_OPEN)
		return error_set(err, ERR_LIMIT, "more than %d uploads at once", PUMP_UPLOADS_OPEN);
	*u = (struct pump_upload){.number = op->upload};
	memcpy(u->name, op->name, sizeof(u->name));
	/* Nothing of it is durable yet, so this takes little time. */
	if (store_begin(p->store, op->name, &u->upload, err) < 0) {
		u->number = 0;
		return error_prefix(err, "begin '%s'", op->name);
	}
	p->n_open++;
	*ret = u;
	return OK;
}

/* The upload, busy for this thread; NULL: there is none, and none was to be opened. */
static int
take(struct pump *p, const struct storeop *op, bool open, struct pump_upload **ret,
     struct error *err)
{
	struct pump_upload *u;
	int rc = OK;

	(void)pthread_mutex_lock(&p->lock);
	while ((u = find(p, op->upload)) != NULL && u->busy)
		(void)pthread_cond_wait(&p->idle, &p->lock);
	if (u == NULL && open)
		rc = open_upload(p, op, &u, err);
	else if (u != NULL && open && strcmp(u->name, op->name) != 0)
		rc = error_set(err, ERR_PROTOCOL, "two uploads with one number");
	if (rc == OK && u != NULL)
		u->busy = true;
	*ret = u;
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}

static void
give_back(struct pump *p, struct pump_upload *u, bool was_open)
{
	(void)pthread_mutex_lock(&p->lock);
	if (was_open && u->upload == NULL)
		p->n_open--;
	u->used = ++p->uses;
	u->busy = false;
	(void)pthread_cond_broadcast(&p->idle);
	(void)pthread_mutex_unlock(&p->lock);
}

static void
end(struct pump_upload *u, const struct error *outcome)
{
	store_abort(STEAL_PTR(u->upload));
	u->outcome = *outcome;
}

/* What is not there yet of these bytes. */
static int
append(struct pump *p, struct pump_upload *u, uint64_t offset, struct slice data, struct error *err)
{
	if (offset <= u->written && u->written - offset >= data.n)
		return OK;
	if (offset != u->written)
		return error_set(err, ERR_PROTOCOL, "a part of '%s' at an impossible place",
				 u->name);
	if (u->written + data.n > pump_policy_size(p->policy, u->name))
		return error_set(err, ERR_LIMIT, "'%s' is larger than any such object", u->name);
	if (store_write(u->upload, data.p, data.n, err) < 0)
		return error_prefix(err, "store '%s'", u->name);
	u->written += data.n;
	return OK;
}

/* Only an open upload is worked on. */
static void
work(struct pump *p, struct pump_upload *u, const struct storeop *op, struct slice data)
{
	struct error e = ERROR_INIT;

	if (op->kind == STOREOP_ABORT) {
		error_set(&e, ERR_CANCELLED, "the upload was given up");
		end(u, &e);
	} else if (append(p, u, op->offset, data, &e) < 0) {
		end(u, &e);
	} else if (op->kind == STOREOP_COMMIT) {
		(void)!store_commit(STEAL_PTR(u->upload), &e);
		u->outcome = e;
	}
}

int
pump_upload_perform(struct pump *p, const struct storeop *op, struct slice data, struct error *err)
{
	struct pump_upload *u;

	if (op->upload == 0)
		return error_set(err, ERR_PROTOCOL, "an upload without a number");
	if (take(p, op, op->kind != STOREOP_ABORT, &u, err) < 0)
		return err->code;
	if (u == NULL)
		return OK;
	bool was_open = u->upload != NULL;
	if (was_open)
		work(p, u, op, data);
	struct error outcome = u->outcome;
	give_back(p, u, was_open);
	if (op->kind == STOREOP_ABORT || outcome.code == OK)
		return OK;
	*err = outcome;
	return err->code;
}
