/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Verification, step by step. Every step reports what it finds and goes on; what stops the run is only
 * what makes going on pointless (no memory, a store that cannot be listed).
 */
#include "repo/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/hex.h"
#include "repo/index.h"
#include "repo/mark.h"
#include "repo/names.h"
#include "repo/object.h"
#include "repo/reach.h"
#include "repo/verify_internal.h"

void
verify_problem(struct verify *v, const char *object, const char *message)
{
	pthread_mutex_lock(&v->lock);
	atomic_fetch_add(&v->stats->problems, 1);
	if (v->options->problem != NULL)
		v->options->problem(v->options->problem_arg, object, message);
	pthread_mutex_unlock(&v->lock);
}

bool
verify_cancelled(const struct verify *v)
{
	return v->options->cancelled != NULL && atomic_load(v->options->cancelled);
}

/* ---- keys ------------------------------------------------------------------------------------ */

struct key_names {
	char (*names)[STORE_NAME_MAX + 1];
	size_t n;
};

static int
collect_key(void *arg, const struct store_entry *entry, struct error *err)
{
	struct key_names *k = arg;
	void *grown = reallocarray(k->names, k->n + 1, sizeof(*k->names));

	if (grown == NULL)
		return error_no_memory(err);
	k->names = grown;
	(void)snprintf(k->names[k->n++], sizeof(*k->names), "%s", entry->name);
	return OK;
}

static int
check_keys(struct verify *v, struct error *err)
{
	struct key_names k = {0};
	int r = store_list(v->repo->store, NAME_KEYS, collect_key, &k, err);

	for (size_t i = 0; r == OK && i < k.n; i++) {
		CLEAN(buf_done) struct buf file = BUF_INIT(64 << 10);
		struct key_slot_info info;
		struct error e = ERROR_INIT;

		if (store_get(v->repo->store, k.names[i], &file, &e) < 0 ||
		    keys_slot_check(v->repo->store, buf_slice(&file), k.names[i], &info, &e) < 0)
			verify_problem(v, k.names[i], e.msg);
		else
			v->stats->keys++;
	}
	free(k.names);
	return r;
}

/* ---- the index ------------------------------------------------------------------------------- */

static int
add_listed(struct verify *v, const struct pack_id *id, uint8_t class, uint64_t size,
	   struct slice table, struct error *err)
{
	if (v->n_packs == v->cap_packs) {
		size_t cap = v->cap_packs ? 2 * v->cap_packs : 256;
		struct listed_pack *packs = reallocarray(v->packs, cap, sizeof(*packs));

		if (packs == NULL)
			return error_no_memory(err);
		v->packs = packs;
		v->cap_packs = cap;
	}
	struct listed_pack *p = &v->packs[v->n_packs];
	*p = (struct listed_pack){.id = *id, .class = class, .size = size, .wanted = true};
	if (crypto_sha256(table, p->table_hash, err) < 0)
		return err->code;
	v->n_packs++;
	return OK;
}

static int
take_pack(void *arg, const struct pack_id *id, uint8_t class, uint64_t size, struct slice table,
	  struct error *err)
{
	uint64_t frames_end;

	if (pack_table_walk(table, id, class, NULL, NULL, &frames_end, err) < 0)
		return err->code;
	if (frames_end + table.n + CRYPTO_TAG_SIZE + PACK_TRAILER_SIZE != size)
		return error_set(err, ERR_CORRUPT,
				 "the index contradicts itself about a pack's size");
	return add_listed(arg, id, class, size, table, err);
}

static int
compare_listed(const void *a, const void *b)
{
	return memcmp(a, b, PACK_ID_SIZE);
}

static int
check_index(struct verify *v, struct error *err)
{
	CLEAN(free_ptr) struct object_id *ids = NULL;
	size_t n, kept = 0;

	if (object_list(v->repo, OBJECT_INDEX, &ids, &n, err) < 0)
		return err->code;
	for (size_t i = 0; i < n; i++) {
		CLEAN(buf_done) struct buf payload = BUF_INIT(OBJECT_PAYLOAD_MAX);
		struct error e = ERROR_INIT;
		char name[NAME_SIZE];
		size_t before = v->n_packs;

		if (object_get(v->repo, OBJECT_INDEX, &ids[i], &payload, &e) < 0 ||
		    index_payload_tables(buf_slice(&payload), take_pack, v, &e) < 0) {
			if (e.code == ERR_NO_MEMORY)
				return error_no_memory(err);
			v->n_packs = before;
			if (e.code == ERR_NOT_FOUND)
				continue; /* a prune has replaced it since it was listed */
			verify_problem(v, name_object(NAME_INDEX, &ids[i], name), e.msg);
			continue;
		}
		v->stats->index_objects++;
	}
	if (v->n_packs > 0)
		qsort(v->packs, v->n_packs, sizeof(*v->packs), compare_listed);
	for (size_t i = 0; i < v->n_packs; i++)
		if (kept == 0 || compare_listed(&v->packs[kept - 1], &v->packs[i]) != 0)
			v->packs[kept++] = v->packs[i];
	v->n_packs = kept;
	return OK;
}

/* ---- packs in the store ----------------------------------------------------------------------- */

static struct listed_pack *
find_listed(struct verify *v, const struct pack_id *id)
{
	return v->n_packs == 0
		       ? NULL
		       : bsearch(id, v->packs, v->n_packs, sizeof(*v->packs), compare_listed);
}

static int
see_pack(void *arg, const struct store_entry *entry, struct error *err)
{
	struct verify *v = arg;
	struct listed_pack *listed;
	struct pack_id id;

	(void)err;
	if (!name_parse_pack(entry->name, &id))
		return OK;
	listed = find_listed(v, &id);
	if (listed == NULL) {
		v->stats->unlisted_packs++;
		return OK;
	}
	listed->seen = true;
	listed->size_found = entry->size_bytes;
	return OK;
}

/* A pack that a prune has just removed may still be listed by an index that a second prune wrote
 * meanwhile; its tombstone tells. */
static bool
was_swept(const struct mark_list *marks, const struct pack_id *id)
{
	for (size_t i = 0; i < marks->n; i++)
		for (size_t k = 0; marks->marks[i].swept_ns != 0 && k < marks->marks[i].n; k++)
			if (memcmp(&marks->marks[i].packs[k], id, sizeof(*id)) == 0)
				return true;
	return false;
}

/* Of the packs that are wanted: those that are not there as listed need not be read. A restore point
 * needs its packs, whoever swept them. */
static void
report_presence(struct verify *v, const struct mark_list *marks)
{
	char name[NAME_SIZE], message[128];

	for (size_t i = 0; i < v->n_packs; i++) {
		struct listed_pack *p = &v->packs[i];

		if (!p->wanted || (p->seen && p->size_found == p->size))
			continue;
		p->wanted = false;
		if (!p->seen && marks != NULL && was_swept(marks, &p->id))
			continue;
		(void)snprintf(message, sizeof(message), "has %llu bytes, should have %llu",
			       (unsigned long long)p->size_found, (unsigned long long)p->size);
		verify_problem(v, name_pack(&p->id, name), p->seen ? message : "is missing");
	}
}

static int
check_presence(struct verify *v, struct error *err)
{
	struct mark_list marks = {0};
	struct error e = ERROR_INIT;
	int r;

	if (mark_list_read(v->repo, &marks, &e) < 0)
		verify_problem(v, NAME_MARKS, e.msg);
	r = store_list(v->repo->store, NAME_PACKS, see_pack, v, err);
	/* Of a single restore point it is not known yet which packs it needs. */
	if (r == OK && v->options->only == NULL)
		report_presence(v, &marks);
	mark_list_done(&marks);
	return r;
}

/* ---- restore points ---------------------------------------------------------------------------- */

static int
check_tree(struct verify *v, struct reach **reach, struct repo_index *index, const struct point *p,
	   struct error *err)
{
	char name[NAME_SIZE], message[sizeof(err->msg) + 300];

	for (size_t i = 0; i < p->n_roots; i++) {
		struct error e = ERROR_INIT;

		if (reach_add_tree(*reach, &p->roots[i].tree, v->options->cancelled, &e) == OK)
			continue;
		if (e.code == ERR_CANCELLED || e.code == ERR_NO_MEMORY) {
			*err = e;
			return err->code;
		}
		(void)snprintf(message, sizeof(message), "%s%s%s", p->roots[i].name,
			       p->roots[i].name[0] != 0 ? ": " : "", e.msg);
		verify_problem(v, name_object(NAME_POINTS, &p->id, name), message);
		/* What the failed walk reached looks checked, and is not: begin anew, so that every
		 * point that needs the damaged part says so. */
		reach_freep(reach);
		*reach = NULL;
		if (reach_new(v->repo, index, reach, err) < 0)
			return err->code;
	}
	return OK;
}

static int
want_pack(void *arg, const struct blob_id *id, const struct blob_loc *loc, bool reached,
	  struct error *err)
{
	struct listed_pack *p = find_listed(arg, &loc->pack);

	(void)id;
	(void)err;
	if (reached && p != NULL)
		p->wanted = true;
	return OK;
}

static int
check_only(struct verify *v, struct reach **reach, struct repo_index *index, struct error *err)
{
	v->stats->points = 1;
	if (check_tree(v, reach, index, v->options->only, err) < 0)
		return err->code;
	for (size_t i = 0; i < v->n_packs; i++)
		v->packs[i].wanted = false;
	if (reach_each(*reach, want_pack, v, err) < 0)
		return err->code;
	report_presence(v, NULL);
	return OK;
}

static int
check_points(struct verify *v, struct error *err)
{
	CLEAN(repo_index_closep) struct repo_index *index = NULL;
	CLEAN(reach_freep) struct reach *reach = NULL;
	CLEAN(free_ptr) struct object_id *ids = NULL;
	size_t n;

	/* The list before the index: what a point that is listed needs is then surely indexed. */
	if (object_list(v->repo, OBJECT_POINT, &ids, &n, err) < 0)
		return err->code;
	if (repo_index_open_lenient(v->repo, &index, err) < 0 ||
	    reach_new(v->repo, index, &reach, err) < 0)
		return err->code;
	if (v->options->only != NULL)
		return check_only(v, &reach, index, err);
	for (size_t i = 0; i < n; i++) {
		CLEAN(point_freep) struct point *point = NULL;
		struct error e = ERROR_INIT;
		char name[NAME_SIZE];

		if (point_read(v->repo, &ids[i], &point, &e) < 0) {
			if (e.code != ERR_NOT_FOUND)
				verify_problem(v, name_object(NAME_POINTS, &ids[i], name), e.msg);
			continue;
		}
		v->stats->points++;
		if (check_tree(v, &reach, index, point, err) < 0)
			return err->code;
	}
	return OK;
}

/* ---- the recipe --------------------------------------------------------------------------------- */

static int
run(struct verify *v, struct error *err)
{
	if (check_keys(v, err) < 0 || check_index(v, err) < 0 || check_presence(v, err) < 0 ||
	    check_points(v, err) < 0)
		return err->code;
	if (v->options->level >= VERIFY_STORED && verify_packs(v, err) < 0)
		return err->code;
	uint64_t problems = atomic_load(&v->stats->problems);
	if (problems > 0)
		return error_set(err, ERR_CORRUPT, "%llu problem%s found",
				 (unsigned long long)problems, problems == 1 ? "" : "s");
	return OK;
}

int
verify_repository(struct repo *repo, const struct verify_options *options,
		  struct verify_stats *stats, struct error *err)
{
	struct repo own = *repo;
	struct verify v = {.repo = &own, .options = options, .stats = stats};
	struct error ignored = ERROR_INIT;
	CLEAN(free_ptr) char *cache = NULL;
	int r;

	if (asprintf(&cache, "%s/verify-XXXXXX", repo->cache_path) < 0) {
		cache = NULL;
		return error_no_memory(err);
	}
	if (mkdtemp(cache) == NULL)
		return error_sys(err, ERR_IO, "make a folder in '%s'", repo->cache_path);
	own.cache_path = cache;
	pthread_mutex_init(&v.lock, NULL);
	r = run(&v, err);
	pthread_mutex_destroy(&v.lock);
	free(v.packs);
	if (fs_remove_tree(AT_FDCWD, cache, &ignored) < 0) {
		/* Only a cache; the next run makes its own. */
	}
	return r;
}
