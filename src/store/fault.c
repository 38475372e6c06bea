/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The failing store. Each operation asks next_fault() what is to happen to it; that is the only
 * place that counts and decides, under one lock, so that with several threads exactly the armed
 * number of operations fails.
 */
#include "store/fault.h"

#include <pthread.h>
#include <stdatomic.h>

enum op {
	OP_READ = 1,
	OP_STAT,
	OP_LIST,
	OP_BEGIN,
	OP_WRITE,
	OP_COMMIT,
	OP_REMOVE,
	OP_TIDY,
};

struct fault {
	struct store base;
	struct store *inner;
	pthread_mutex_t lock; /* for all changes below */
	_Atomic uint64_t count;
	_Atomic uint64_t fired;
	/* The order given: kind NONE if there is none, or it has been carried out. */
	enum store_fault kind;
	uint64_t first;
	bool persistent;
};

struct upload {
	struct store_upload base;
	struct fault *fault;
	struct store_upload *inner;
	bool failed;
};

static struct fault *
fault_of(struct store *s)
{
	return CONTAINER_OF(s, struct fault, base);
}

static struct upload *
upload_of(struct store_upload *base)
{
	return CONTAINER_OF(base, struct upload, base);
}

static void
upload_free(struct upload *u)
{
	if (u == NULL)
		return;
	store_abort(u->inner);
	free(u);
}

static void
upload_freep(struct upload **u)
{
	upload_free(*u);
}

static bool
applies(enum store_fault kind, enum op op)
{
	switch (kind) {
	case STORE_FAULT_NONE:
		return false;
	case STORE_FAULT_ERROR:
	case STORE_FAULT_LOST_REPLY:
		return true;
	case STORE_FAULT_FULL:
		return op == OP_WRITE || op == OP_COMMIT;
	case STORE_FAULT_SHORT:
		return op == OP_WRITE;
	case STORE_FAULT_FLIP:
		return op == OP_READ;
	}
	return false;
}

/* Count an operation; what is to happen to it. *ret_n its number. */
static enum store_fault
next_fault(struct fault *f, enum op op, uint64_t *ret_n)
{
	enum store_fault kind = STORE_FAULT_NONE;

	(void)pthread_mutex_lock(&f->lock);
	*ret_n = ++f->count;
	if (f->count >= f->first && applies(f->kind, op)) {
		kind = f->kind;
		f->fired++;
		if (!f->persistent)
			f->kind = STORE_FAULT_NONE;
	}
	(void)pthread_mutex_unlock(&f->lock);
	return kind;
}

static int
raise_fault(struct error *err, enum store_fault kind, enum op op, uint64_t n)
{
	bool reads = op == OP_READ || op == OP_STAT || op == OP_LIST;
	enum err code = reads ? ERR_STORE_READ : ERR_STORE_WRITE;

	if (kind == STORE_FAULT_FULL)
		code = ERR_STORE_FULL;
	return error_set(err, code, "injected failure of operation %llu%s", (unsigned long long)n,
			 kind == STORE_FAULT_LOST_REPLY ? ", whose outcome is unknown" : "");
}

/* What a call that was carried out returns. */
static int
reply(int rc, struct error *err, enum store_fault kind, enum op op, uint64_t n)
{
	if (rc < 0 || kind != STORE_FAULT_LOST_REPLY)
		return rc;
	return raise_fault(err, kind, op, n);
}

static int
fault_read(struct store *s, const char *name, uint64_t offset, void *p, size_t n, struct error *err)
{
	struct fault *f = fault_of(s);
	uint64_t number;
	/* A read of nothing has no bit to get wrong. */
	enum store_fault kind = next_fault(f, n > 0 ? OP_READ : OP_STAT, &number);

	if (kind == STORE_FAULT_ERROR)
		return raise_fault(err, kind, OP_READ, number);
	int rc = store_read(f->inner, name, offset, p, n, err);
	if (rc == OK && kind == STORE_FAULT_FLIP) {
		/* A different bit each time, the same in each run. */
		uint64_t bit = number * UINT64_C(0x9e3779b97f4a7c15) >> 16;
		((uint8_t *)p)[bit / 8 % n] ^= (uint8_t)(1U << bit % 8);
	}
	return reply(rc, err, kind, OP_READ, number);
}

static int
fault_stat(struct store *s, const char *name, uint64_t *ret_size, struct error *err)
{
	struct fault *f = fault_of(s);
	uint64_t number;
	enum store_fault kind = next_fault(f, OP_STAT, &number);

	if (kind == STORE_FAULT_ERROR)
		return raise_fault(err, kind, OP_STAT, number);
	return reply(store_stat(f->inner, name, ret_size, err), err, kind, OP_STAT, number);
}

static int
fault_list(struct store *s, const char *prefix, store_list_fn *each, void *arg, struct error *err)
{
	struct fault *f = fault_of(s);
	uint64_t number;
	enum store_fault kind = next_fault(f, OP_LIST, &number);

	if (kind == STORE_FAULT_ERROR)
		return raise_fault(err, kind, OP_LIST, number);
	return reply(store_list(f->inner, prefix, each, arg, err), err, kind, OP_LIST, number);
}

static int
fault_begin(struct store *s, const char *name, struct store_upload **ret, struct error *err)
{
	struct fault *f = fault_of(s);
	uint64_t number;
	enum store_fault kind = next_fault(f, OP_BEGIN, &number);

	if (kind == STORE_FAULT_ERROR)
		return raise_fault(err, kind, OP_BEGIN, number);
	CLEAN(upload_freep) struct upload *u = calloc(1, sizeof(*u));
	if (u == NULL)
		return error_no_memory(err);
	u->base.ops = s->ops;
	u->fault = f;
	int rc = store_begin(f->inner, name, &u->inner, err);
	rc = reply(rc, err, kind, OP_BEGIN, number);
	if (rc < 0)
		return rc;
	*ret = &STEAL_PTR(u)->base;
	return OK;
}

static int
fault_write(struct store_upload *base, const void *p, size_t n, struct error *err)
{
	struct upload *u = upload_of(base);
	uint64_t number;
	enum store_fault kind = next_fault(u->fault, OP_WRITE, &number);
	int rc = OK;

	if (kind == STORE_FAULT_SHORT)
		n /= 2;
	if (kind != STORE_FAULT_ERROR && kind != STORE_FAULT_FULL)
		rc = store_write(u->inner, p, n, err);
	if (rc == OK && kind != STORE_FAULT_NONE)
		rc = raise_fault(err, kind, OP_WRITE, number);
	if (rc < 0)
		u->failed = true;
	return rc;
}

static int
fault_commit(struct store_upload *base, struct error *err)
{
	CLEAN(upload_freep) struct upload *u = upload_of(base);
	uint64_t number;
	enum store_fault kind = next_fault(u->fault, OP_COMMIT, &number);

	if (u->failed)
		return error_set(err, ERR_BAD_STATE, "store an object after a failed write");
	if (kind == STORE_FAULT_ERROR || kind == STORE_FAULT_FULL)
		return raise_fault(err, kind, OP_COMMIT, number);
	int rc = store_commit(STEAL_PTR(u->inner), err);
	return reply(rc, err, kind, OP_COMMIT, number);
}

static void
fault_abort(struct store_upload *base)
{
	upload_free(upload_of(base));
}

static int
fault_remove(struct store *s, const char *name, struct error *err)
{
	struct fault *f = fault_of(s);
	uint64_t number;
	enum store_fault kind = next_fault(f, OP_REMOVE, &number);

	if (kind == STORE_FAULT_ERROR)
		return raise_fault(err, kind, OP_REMOVE, number);
	return reply(store_remove(f->inner, name, err), err, kind, OP_REMOVE, number);
}

static int
fault_tidy(struct store *s, uint64_t age_s, struct error *err)
{
	struct fault *f = fault_of(s);
	uint64_t number;
	enum store_fault kind = next_fault(f, OP_TIDY, &number);

	if (kind == STORE_FAULT_ERROR)
		return raise_fault(err, kind, OP_TIDY, number);
	return reply(store_tidy(f->inner, age_s, err), err, kind, OP_TIDY, number);
}

static void
fault_close(struct store *s)
{
	struct fault *f = fault_of(s);

	store_close(f->inner);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct store_ops fault_ops = {
	.name = "fault",
	.read = fault_read,
	.stat = fault_stat,
	.list = fault_list,
	.begin = fault_begin,
	.write = fault_write,
	.commit = fault_commit,
	.abort = fault_abort,
	.remove = fault_remove,
	.tidy = fault_tidy,
	.close = fault_close,
};

int
store_fault_open(struct store *inner, struct store **ret, struct error *err)
{
	CLEAN(free_ptr) struct fault *f = calloc(1, sizeof(*f));

	if (f == NULL || pthread_mutex_init(&f->lock, NULL) != 0)
		return error_no_memory(err);
	f->base.ops = &fault_ops;
	f->inner = inner;
	*ret = &STEAL_PTR(f)->base;
	return OK;
}

void
store_fault_arm(struct store *s, enum store_fault kind, uint64_t n, bool persistent)
{
	struct fault *f = fault_of(s);

	(void)pthread_mutex_lock(&f->lock);
	f->count = 0;
	f->fired = 0;
	f->kind = n > 0 ? kind : STORE_FAULT_NONE;
	f->first = n;
	f->persistent = persistent;
	(void)pthread_mutex_unlock(&f->lock);
}

uint64_t
store_fault_count(const struct store *s)
{
	const struct fault *f = (const void *)s; /* base is its first member */

	return atomic_load(&f->count);
}

uint64_t
store_fault_fired(const struct store *s)
{
	const struct fault *f = (const void *)s;

	return atomic_load(&f->fired);
}
