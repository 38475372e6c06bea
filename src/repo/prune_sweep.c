/* SPDX-License-Identifier: Apache-2.0 */

/* The steps of prune that move and remove: copying in order, rewriting the index, deleting packs. */
#include <string.h>

#include "base/clock.h"
#include "repo/names.h"
#include "repo/object.h"
#include "repo/prune_internal.h"

/* ---- copying in order ------------------------------------------------------------------------- */

struct wish {
	struct blob_id id;
	struct blob_loc loc;
};

struct wishes {
	struct prune *p;
	struct wish *list;
	size_t n, cap;
};

static int
compare_wishes(const void *a, const void *b)
{
	return blob_loc_order(&((const struct wish *)a)->loc, &((const struct wish *)b)->loc);
}

static int
collect(void *arg, const struct blob_id *id, const struct blob_loc *loc, bool reached,
	struct error *err)
{
	struct wishes *w = arg;
	const struct pack_usage *u = reached ? prune_find(w->p, &loc->pack) : NULL;

	if (u == NULL || !u->repack)
		return OK;
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 1024;
		struct wish *list = reallocarray(w->list, cap, sizeof(*list));

		if (list == NULL)
			return error_no_memory(err);
		w->list = list;
		w->cap = cap;
	}
	w->list[w->n++] = (struct wish){.id = *id, .loc = *loc};
	return OK;
}

int
prune_copy(struct prune *p, reach_record_fn *each, struct error *err)
{
	struct wishes w = {.p = p};
	int r = reach_each(p->reach, collect, &w, err);

	/* The writer adds segments to the index while it copies; the reach was taken before, so its
	 * records are collected first and the index is not walked meanwhile. */
	if (w.n > 0)
		qsort(w.list, w.n, sizeof(*w.list), compare_wishes);
	for (size_t i = 0; i < w.n && r == OK; i++)
		r = each(p, &w.list[i].id, &w.list[i].loc, true, err);
	free(w.list);
	return r;
}

/* ---- the index without some packs ------------------------------------------------------------ */

enum { PAYLOAD_FULL = 16 << 20 };

struct rewrite {
	struct prune *p;
	const struct mark *mark;
	struct buf payload;
	size_t packs; /* in the payload */
	size_t dropped; /* by the object at hand */
};

static int
compare_packs(const void *a, const void *b)
{
	return memcmp(a, b, PACK_ID_SIZE);
}

static bool
is_swept(const struct mark *m, const struct pack_id *id)
{
	return m->n > 0 && bsearch(id, m->packs, m->n, sizeof(*id), compare_packs) != NULL;
}

static int
count_dropped(void *arg, const struct pack_id *id, uint8_t class, uint64_t size, struct slice table,
	      struct error *err)
{
	struct rewrite *w = arg;

	(void)class;
	(void)size;
	(void)table;
	(void)err;
	w->dropped += is_swept(w->mark, id);
	return OK;
}

static int
put_payload(struct rewrite *w, struct error *err)
{
	struct object_id id;

	if (w->packs > 0 &&
	    object_put(w->p->repo, OBJECT_INDEX, buf_slice(&w->payload), &id, NULL, err) < 0)
		return err->code;
	buf_reset(&w->payload);
	w->packs = 0;
	return index_payload_begin(&w->payload, err);
}

static int
keep_pack(void *arg, const struct pack_id *id, uint8_t class, uint64_t size, struct slice table,
	  struct error *err)
{
	struct rewrite *w = arg;

	if (is_swept(w->mark, id))
		return OK;
	if (w->payload.n > 2 && w->payload.n + table.n > PAYLOAD_FULL && put_payload(w, err) < 0)
		return err->code;
	if (index_payload_add(&w->payload, id, class, size, table, err) < 0)
		return err->code;
	w->packs++;
	return OK;
}

/* Objects that list a swept pack are replaced; their other packs gather in few new objects. */
static int
rewrite_index(struct rewrite *w, struct error *err)
{
	CLEAN(free_ptr) struct object_id *ids = NULL;
	size_t n, replaced = 0;

	if (object_list(w->p->repo, OBJECT_INDEX, &ids, &n, err) < 0 ||
	    index_payload_begin(&w->payload, err) < 0)
		return err->code;
	for (size_t i = 0; i < n; i++) {
		CLEAN(buf_done) struct buf payload = BUF_INIT(OBJECT_PAYLOAD_MAX);

		if (object_get(w->p->repo, OBJECT_INDEX, &ids[i], &payload, err) < 0) {
			if (err->code == ERR_NOT_FOUND)
				continue; /* another prune replaced it */
			return err->code;
		}
		w->dropped = 0;
		if (index_payload_tables(buf_slice(&payload), count_dropped, w, err) < 0)
			return err->code;
		if (w->dropped == 0)
			continue;
		if (index_payload_tables(buf_slice(&payload), keep_pack, w, err) < 0)
			return err->code;
		ids[replaced++] = ids[i];
	}
	/* The successors are durable before any predecessor goes. */
	if (put_payload(w, err) < 0)
		return err->code;
	for (size_t i = 0; i < replaced; i++)
		if (object_remove(w->p->repo, OBJECT_INDEX, &ids[i], err) < 0)
			return err->code;
	return OK;
}

int
prune_sweep(struct prune *p, const struct mark *mark, struct error *err)
{
	struct rewrite w = {.p = p, .mark = mark, .payload = BUF_INIT(INDEX_PAYLOAD_MAX)};
	struct mark tombstone = *mark;
	struct object_id id;
	int r = rewrite_index(&w, err);

	buf_done(&w.payload);
	tombstone.swept_ns = MAX(clock_wall_ns(), (uint64_t)1);
	if (r < 0 || mark_write(p->repo, &tombstone, &id, err) < 0)
		return error_prefix(err, "sweep");
	for (size_t i = 0; i < mark->n; i++) {
		const struct pack_usage *u = prune_find(p, &mark->packs[i]);
		char name[NAME_SIZE];

		r = store_remove(p->repo->store, name_pack(&mark->packs[i], name), err);
		if (r < 0)
			return error_prefix(err, "sweep");
		p->stats->removed += (uint64_t)r;
		p->stats->removed_bytes += r == 1 && u != NULL ? u->size : 0;
	}
	return mark_remove(p->repo, &mark->id, err);
}
