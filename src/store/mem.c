/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Objects in memory: an array sorted by name behind a readers' lock. A listing works on a copy of
 * the names, so that its callback may use the store, as it may with every other.
 */
#include "store/mem.h"

#include <pthread.h>
#include <string.h>

/* An object's bytes have an address even if there are none: p is never NULL. */
struct object {
	char *name;
	uint8_t *p;
	size_t n;
};

struct mem {
	struct store base;
	pthread_rwlock_t lock;
	struct object *objects; /* sorted by name, names unique */
	size_t n;
	size_t cap;
};

struct upload {
	struct store_upload base;
	struct mem *mem;
	bool failed;
	struct buf data;
	char name[STORE_NAME_MAX + 1];
};

static const uint64_t object_max_bytes = UINT64_C(1) << 40;

static struct mem *
mem_of(struct store *s)
{
	return CONTAINER_OF(s, struct mem, base);
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
	buf_done(&u->data);
	free(u);
}

static void
upload_freep(struct upload **u)
{
	upload_free(*u);
}

static void
object_done(struct object *o)
{
	free(o->name);
	free(o->p);
}

/* The first object whose name is not below `name`; *ret_found whether it has that name. */
static size_t
position(const struct mem *m, const char *name, bool *ret_found)
{
	size_t low = 0, high = m->n;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(m->objects[middle].name, name);
		if (order == 0)
			*ret_found = true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct object *
find(const struct mem *m, const char *name)
{
	bool found;
	size_t i = position(m, name, &found);

	return found ? &m->objects[i] : NULL;
}

static int
raise_absent(const char *name, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "there is no object '%s'", name);
}

static int
mem_read(struct store *s, const char *name, uint64_t offset, void *p, size_t n, struct error *err)
{
	struct mem *m = mem_of(s);
	int rc = OK;

	(void)pthread_rwlock_rdlock(&m->lock);
	const struct object *o = find(m, name);
	if (o == NULL)
		rc = raise_absent(name, err);
	else if (offset > o->n || n > o->n - offset)
		rc = error_set(err, ERR_CORRUPT,
			       "'%s' has %zu bytes, %zu more are needed from byte %llu on", name,
			       o->n, n, (unsigned long long)offset);
	else if (n > 0)
		memcpy(p, o->p + offset, n);
	(void)pthread_rwlock_unlock(&m->lock);
	return rc;
}

static int
mem_stat(struct store *s, const char *name, uint64_t *ret_size, struct error *err)
{
	struct mem *m = mem_of(s);

	(void)err;
	(void)pthread_rwlock_rdlock(&m->lock);
	const struct object *o = find(m, name);
	if (o != NULL)
		*ret_size = o->n;
	(void)pthread_rwlock_unlock(&m->lock);
	return o != NULL;
}

/* A copy of the entries that begin with a prefix: an array, and one block with the names. */
struct snapshot {
	struct store_entry *entries;
	size_t n;
	char *names;
};

static void
snapshot_done(struct snapshot *shot)
{
	free(shot->entries);
	free(shot->names);
}

/* Under the lock. */
static int
snapshot_take(const struct mem *m, const char *prefix, struct snapshot *ret, struct error *err)
{
	CLEAN(snapshot_done) struct snapshot shot = {0};
	bool found;
	size_t first = position(m, prefix, &found), end = first, bytes = 0;

	for (; end < m->n && strncmp(m->objects[end].name, prefix, strlen(prefix)) == 0; end++)
		bytes += strlen(m->objects[end].name) + 1;
	if (first == end)
		return OK;
	shot.entries = calloc(end - first, sizeof(*shot.entries));
	shot.names = malloc(bytes);
	if (shot.entries == NULL || shot.names == NULL)
		return error_no_memory(err);
	char *to = shot.names;
	for (size_t i = first; i < end; i++) {
		size_t size = strlen(m->objects[i].name) + 1;
		memcpy(to, m->objects[i].name, size);
		shot.entries[shot.n++] = (struct store_entry){.name = to,
							      .size_bytes = m->objects[i].n};
		to += size;
	}
	*ret = shot;
	shot = (struct snapshot){0};
	return OK;
}

static int
mem_list(struct store *s, const char *prefix, store_list_fn *each, void *arg, struct error *err)
{
	struct mem *m = mem_of(s);
	CLEAN(snapshot_done) struct snapshot shot = {0};

	(void)pthread_rwlock_rdlock(&m->lock);
	int rc = snapshot_take(m, prefix, &shot, err);
	(void)pthread_rwlock_unlock(&m->lock);
	for (size_t i = 0; rc >= 0 && i < shot.n; i++)
		rc = each(arg, &shot.entries[i], err);
	return rc < 0 ? rc : OK;
}

static int
mem_begin(struct store *s, const char *name, struct store_upload **ret, struct error *err)
{
	CLEAN(upload_freep) struct upload *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return error_no_memory(err);
	u->base.ops = s->ops;
	u->mem = mem_of(s);
	u->data = BUF_INIT((size_t)MIN(object_max_bytes, (uint64_t)SIZE_MAX - 1));
	memcpy(u->name, name, strlen(name) + 1);
	int rc = buf_reserve(&u->data, 1, err);
	if (rc < 0)
		return rc;
	*ret = &STEAL_PTR(u)->base;
	return OK;
}

static int
mem_write(struct store_upload *base, const void *p, size_t n, struct error *err)
{
	struct upload *u = upload_of(base);
	int rc = buf_append(&u->data, p, n, err);

	if (rc < 0) {
		u->failed = true;
		(void)error_prefix(err, "write '%s'", u->name);
	}
	return rc;
}

/* Under the lock, for writing. */
static int
make_room(struct mem *m, struct error *err)
{
	if (m->n < m->cap)
		return OK;
	size_t cap = MAX(m->cap * 2, (size_t)16);
	struct object *more = reallocarray(m->objects, cap, sizeof(*more));
	if (more == NULL)
		return error_no_memory(err);
	m->objects = more;
	m->cap = cap;
	return OK;
}

/* Under the lock, for writing. */
static int
insert(struct mem *m, struct upload *u, struct error *err)
{
	CLEAN(free_ptr) char *name = strdup(u->name);
	bool found;
	size_t i = position(m, u->name, &found);

	if (found)
		return error_set(err, ERR_EXISTS, "there is an object '%s' already", u->name);
	if (name == NULL)
		return error_no_memory(err);
	int rc = make_room(m, err);
	if (rc < 0)
		return rc;
	memmove(m->objects + i + 1, m->objects + i, (m->n - i) * sizeof(m->objects[0]));
	m->objects[i] = (struct object){
		.name = STEAL_PTR(name),
		.p = STEAL_PTR(u->data.p),
		.n = u->data.n,
	};
	m->n++;
	return OK;
}

static int
mem_commit(struct store_upload *base, struct error *err)
{
	CLEAN(upload_freep) struct upload *u = upload_of(base);
	struct mem *m = u->mem;

	if (u->failed)
		return error_set(err, ERR_BAD_STATE, "store '%s' after a failed write", u->name);
	(void)pthread_rwlock_wrlock(&m->lock);
	int rc = insert(m, u, err);
	(void)pthread_rwlock_unlock(&m->lock);
	return rc;
}

static void
mem_abort(struct store_upload *base)
{
	upload_free(upload_of(base));
}

static int
mem_remove(struct store *s, const char *name, struct error *err)
{
	struct mem *m = mem_of(s);
	bool found;

	(void)err;
	(void)pthread_rwlock_wrlock(&m->lock);
	size_t i = position(m, name, &found);
	if (found) {
		object_done(&m->objects[i]);
		m->n--;
		memmove(m->objects + i, m->objects + i + 1, (m->n - i) * sizeof(m->objects[0]));
	}
	(void)pthread_rwlock_unlock(&m->lock);
	return found;
}

/* Uploads that were not committed belong to those who began them; a crash takes them along. */
static int
mem_tidy(struct store *s, uint64_t age_s, struct error *err)
{
	(void)s;
	(void)age_s;
	(void)err;
	return OK;
}

static void
mem_close(struct store *s)
{
	struct mem *m = mem_of(s);

	for (size_t i = 0; i < m->n; i++)
		object_done(&m->objects[i]);
	free(m->objects);
	(void)pthread_rwlock_destroy(&m->lock);
	free(m);
}

static const struct store_ops mem_ops = {
	.name = "mem",
	.read = mem_read,
	.stat = mem_stat,
	.list = mem_list,
	.begin = mem_begin,
	.write = mem_write,
	.commit = mem_commit,
	.abort = mem_abort,
	.remove = mem_remove,
	.tidy = mem_tidy,
	.close = mem_close,
};

int
store_mem_open(struct store **ret, struct error *err)
{
	CLEAN(free_ptr) struct mem *m = calloc(1, sizeof(*m));

	if (m == NULL || pthread_rwlock_init(&m->lock, NULL) != 0)
		return error_no_memory(err);
	m->base.ops = &mem_ops;
	*ret = &STEAL_PTR(m)->base;
	return OK;
}

uint8_t *
store_mem_bytes(struct store *s, const char *name, size_t *ret_size)
{
	struct mem *m = mem_of(s);

	(void)pthread_rwlock_rdlock(&m->lock);
	const struct object *o = find(m, name);
	uint8_t *p = o != NULL ? o->p : NULL;
	if (o != NULL)
		*ret_size = o->n;
	(void)pthread_rwlock_unlock(&m->lock);
	return p;
}

void
store_mem_truncate(struct store *s, const char *name, size_t size)
{
	struct mem *m = mem_of(s);

	(void)pthread_rwlock_wrlock(&m->lock);
	struct object *o = find(m, name);
	if (o != NULL && size < o->n)
		o->n = size;
	(void)pthread_rwlock_unlock(&m->lock);
}
