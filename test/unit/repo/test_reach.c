/* SPDX-License-Identifier: Apache-2.0 */

/* What a restore point needs: all of it, nothing else, and never a guess. */
#include "repo/reach.h"

#include <string.h>

#include "repo/index.h"
#include "repo/map.h"
#include "repo/names.h"
#include "repo/point.h"
#include "repo/tree.h"
#include "rig.h"
#include "scenario.h"

enum { SCENARIO_FILES = 11 };

static struct blob_id
tree_of(struct rig *r, const struct object_id *id)
{
	CLEAN(point_freep) struct point *p = NULL;

	rig_ok(r, point_read(r->repo, id, &p, &r->err));
	return p->roots[0].tree;
}

struct count {
	uint64_t records, reached;
};

static int
count_record(void *arg, const struct blob_id *id, const struct blob_loc *loc, bool reached,
	     struct error *err)
{
	struct count *c = arg;

	(void)id;
	(void)loc;
	(void)err;
	c->records++;
	c->reached += reached;
	return OK;
}

static struct count
count(struct rig *r, struct reach *reach)
{
	struct count c = {0};

	rig_ok(r, reach_each(reach, count_record, &c, &r->err));
	return c;
}

static void
all_and_nothing_else(void **state)
{
	struct rig *r = *state;
	struct object_id ids[2];
	struct reach *reach = NULL;

	for (uint64_t i = 0; i < 2; i++)
		rig_ok(r, scenario_backup(r->repo, i, &ids[i], &r->err));
	rig_look(r);
	rig_ok(r, reach_new(r->repo, r->index, &reach, &r->err));
	assert_int_equal(count(r, reach).reached, 0);
	struct blob_id tree = tree_of(r, &ids[0]);
	rig_ok(r, reach_add_tree(reach, &tree, NULL, &r->err));
	struct count one = count(r, reach);
	assert_int_equal(one.records, repo_index_records(r->index));
	assert_in_range(one.reached, 1, one.records - 1);
	assert_int_equal(reach_files(reach), SCENARIO_FILES);
	uint64_t bytes = reach_logical_bytes(reach);
	/* Once more changes nothing; the other completes it: every record is needed by one of them. */
	rig_ok(r, reach_add_tree(reach, &tree, NULL, &r->err));
	assert_int_equal(count(r, reach).reached, one.reached);
	assert_int_equal(reach_files(reach), SCENARIO_FILES);
	assert_int_equal(reach_logical_bytes(reach), bytes);
	tree = tree_of(r, &ids[1]);
	rig_ok(r, reach_add_tree(reach, &tree, NULL, &r->err));
	assert_int_equal(count(r, reach).reached, one.records);
	assert_int_equal(reach_files(reach), 2 * SCENARIO_FILES);
	reach_free(reach);
	reach_free(NULL);
}

struct keep {
	struct rig *r;
	struct pack_id packs[64];
	size_t n;
};

static int
remember_pack(void *arg, const struct blob_id *id, const struct blob_loc *loc, bool reached,
	      struct error *err)
{
	struct keep *k = arg;

	(void)id;
	(void)err;
	for (size_t i = 0; i < k->n; i++)
		if (memcmp(&k->packs[i], &loc->pack, sizeof(loc->pack)) == 0)
			reached = false;
	if (reached) {
		assert_in_range(k->n, 0, 63);
		k->packs[k->n++] = loc->pack;
	}
	return OK;
}

/* The proof of "all": with nothing but the packs that are reached, every byte can be read. */
static void
the_rest_can_go(void **state)
{
	struct rig *r = *state;
	struct keep keep = {.r = r};
	struct object_id ids[3];
	struct reach *reach = NULL;
	size_t removed = 0;

	for (uint64_t i = 0; i < 3; i++)
		rig_ok(r, scenario_backup(r->repo, i, &ids[i], &r->err));
	rig_look(r);
	rig_ok(r, reach_new(r->repo, r->index, &reach, &r->err));
	struct blob_id tree = tree_of(r, &ids[2]);
	rig_ok(r, reach_add_tree(reach, &tree, NULL, &r->err));
	rig_ok(r, reach_each(reach, remember_pack, &keep, &r->err));
	for (size_t i = rig_count(r, NAME_PACKS); i-- > 0;) {
		char name[STORE_NAME_MAX + 1];
		struct pack_id id;
		bool kept = false;

		rig_name(r, NAME_PACKS, i, name);
		assert_true(name_parse_pack(name, &id));
		for (size_t k = 0; k < keep.n; k++)
			kept = kept || memcmp(&keep.packs[k], &id, sizeof(id)) == 0;
		if (!kept)
			removed += (size_t)store_remove(r->mem, name, &r->err);
	}
	assert_in_range(removed, 2, 20);
	rig_ok(r, scenario_check(r->repo, &ids[2], 2, &r->err));
	rig_fails(r, scenario_check(r->repo, &ids[0], 0, &r->err), ERR_CORRUPT);
	reach_free(reach);
}

static void
what_is_missing_is_an_error(void **state)
{
	struct rig *r = *state;
	struct object_id id;
	struct reach *reach = NULL;
	const struct blob_id absent = {{1}};
	size_t failures = 0;

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	struct blob_id tree = tree_of(r, &id);
	/* Metadata lies in packs that the walk must read; data it only has to find. */
	for (size_t i = 0; i < rig_count(r, NAME_PACKS); i++) {
		char name[STORE_NAME_MAX + 1];
		size_t n;

		rig_name(r, NAME_PACKS, i, name);
		CLEAN(free_ptr) uint8_t *copy = rig_copy(r, name, &n);
		assert_int_equal(store_remove(r->mem, name, &r->err), 1);
		rig_look(r);
		rig_ok(r, reach_new(r->repo, r->index, &reach, &r->err));
		int rc = reach_add_tree(reach, &tree, NULL, &r->err);
		assert_true(rc == OK || rc == ERR_CORRUPT);
		failures += rc == ERR_CORRUPT;
		reach_freep(&reach);
		rig_ok(r, store_put(r->mem, name, SLICE(copy, n), &r->err));
	}
	assert_true(failures > 0);
	rig_look(r);
	rig_ok(r, reach_new(r->repo, r->index, &reach, &r->err));
	rig_fails(r, reach_add_tree(reach, &absent, NULL, &r->err), ERR_CORRUPT);
	reach_freep(&reach);

	/* A file whose data is in no index. */
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	CLEAN(buf_done) struct buf content = BUF_INIT(1000);
	struct map_chunk chunk = {.length = 10, .id = absent};
	struct map_segment s = {.length = 10, .n_chunks = 1, .chunks = &chunk};
	rig_begin(r, NULL);
	rig_ok(r, tree_builder_new(r->sink, &b, &r->err));
	rig_ok(r, map_encode_inline(&s, &content, &r->err));
	struct node node = {.name = SLICE("lost", 4), .type = NODE_FILE, .size = 10};
	node.content = buf_slice(&content);
	rig_ok(r, tree_builder_add(b, &node, &r->err));
	rig_ok(r, tree_builder_finish(b, &tree, &r->err));
	rig_end(r);
	rig_look(r);
	rig_ok(r, reach_new(r->repo, r->index, &reach, &r->err));
	rig_fails(r, reach_add_tree(reach, &tree, NULL, &r->err), ERR_CORRUPT);
	assert_non_null(strstr(r->err.msg, "lost"));
	reach_free(reach);
}

static void
stopped(void **state)
{
	struct rig *r = *state;
	struct object_id id;
	struct reach *reach = NULL;
	_Atomic bool cancelled = true;

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	rig_look(r);
	rig_ok(r, reach_new(r->repo, r->index, &reach, &r->err));
	struct blob_id tree = tree_of(r, &id);
	rig_fails(r, reach_add_tree(reach, &tree, &cancelled, &r->err), ERR_CANCELLED);
	reach_free(reach);
}

struct hits {
	struct blob_id id;
	struct pack_id pack;
	size_t copies, reached;
};

static int
find_copies(void *arg, const struct blob_id *id, const struct blob_loc *loc, bool reached,
	    struct error *err)
{
	struct hits *h = arg;

	(void)err;
	if (!blob_id_equal(id, &h->id))
		return OK;
	h->copies++;
	h->reached += reached;
	if (reached)
		h->pack = loc->pack;
	return OK;
}

/* One blob in two packs: reached in one of them, and in the one that is to stay. */
static void
one_copy_is_enough(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) struct pack_id *packs = NULL;
	size_t n;

	for (int i = 0; i < 2; i++) {
		struct pack_id *hidden;
		size_t n_hidden;

		rig_begin(r, NULL);
		rig_ok(r, repo_index_packs(r->index, &hidden, &n_hidden, &r->err));
		repo_index_hide(r->index, hidden, n_hidden); /* so that it is stored again */
		CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
		struct blob_id id;
		rig_ok(r, tree_builder_new(r->sink, &b, &r->err));
		rig_ok(r, tree_builder_finish(b, &id, &r->err));
		rig_end(r);
	}
	rig_look(r);
	rig_ok(r, repo_index_packs(r->index, &packs, &n, &r->err));
	assert_int_equal(n, 2);
	for (size_t i = 0; i < 2; i++) {
		struct pack_id *hidden = malloc(sizeof(*hidden));
		struct reach *reach = NULL;
		struct hits hits = {0};
		struct hasher *h = NULL;

		assert_non_null(hidden);
		*hidden = packs[i];
		repo_index_hide(r->index, hidden, 1);
		rig_ok(r, hasher_new(r->repo->keys.blob_id, &h, &r->err));
		rig_ok(r, hasher_hash(h, SLICE("T\1\0", 3), hits.id.b, &r->err));
		hasher_free(h);
		rig_ok(r, reach_new(r->repo, r->index, &reach, &r->err));
		rig_ok(r, reach_add_tree(reach, &hits.id, NULL, &r->err));
		rig_ok(r, reach_each(reach, find_copies, &hits, &r->err));
		assert_int_equal(hits.copies, 2);
		assert_int_equal(hits.reached, 1);
		assert_memory_equal(&hits.pack, &packs[1 - i], sizeof(hits.pack));
		reach_free(reach);
	}
}

/* A writer may add to the index while a reach is in use: what is new is none of its business. */
static void
index_grows_meanwhile(void **state)
{
	struct rig *r = *state;
	struct object_id id;
	struct reach *reach = NULL;

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	struct blob_id tree = tree_of(r, &id);
	rig_begin(r, NULL);
	uint64_t records = repo_index_records(r->index);
	rig_ok(r, reach_new(r->repo, r->index, &reach, &r->err));
	rig_ok(r, reach_add_tree(reach, &tree, NULL, &r->err));
	struct blob_id fresh = rig_put(r, BLOB_META, "fresh", 5);
	rig_end(r);
	assert_true(repo_index_records(r->index) > records);
	assert_int_equal(count(r, reach).records, records);
	rig_fails(r, reach_add_tree(reach, &fresh, NULL, &r->err), ERR_CORRUPT);
	reach_free(reach);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_and_nothing_else, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(the_rest_can_go, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(what_is_missing_is_an_error, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(stopped, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(one_copy_is_enough, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(index_grows_meanwhile, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
