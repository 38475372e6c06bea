/* SPDX-License-Identifier: Apache-2.0 */

/* Prune frees what nobody needs, after the grace, and never anything else: whatever is damaged,
 * whatever fails, whoever backs up meanwhile. */
#include "repo/prune.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "repo/index.h"
#include "repo/mark.h"
#include "repo/names.h"
#include "repo/point.h"
#include "repo/tree.h"
#include "repo/verify.h"
#include "rig.h"
#include "scenario.h"
#include "store/fault.h"
#include "store/mem.h"

#define HOUR (3600 * NS_PER_S)
#define START (500000 * HOUR)

static int
prune(struct rig *r, uint64_t grace, struct prune_stats *s)
{
	const struct prune_options options = {.grace_ns = grace};

	rig_shut(r);
	*s = (struct prune_stats){0};
	return prune_run(r->repo, &options, s, &r->err);
}

static int
verify(struct rig *r)
{
	const struct verify_options options = {.level = VERIFY_DATA, .workers = 1};
	struct verify_stats stats = {0};

	return verify_repository(r->repo, &options, &stats, &r->err);
}

/* Two backups, of which the first is forgotten. */
static void
two_and_forget_one(struct rig *r, struct object_id ids[2])
{
	clock_fake_set(START, START);
	for (uint64_t i = 0; i < 2; i++)
		rig_ok(r, scenario_backup(r->repo, i, &ids[i], &r->err));
	assert_int_equal(point_remove(r->repo, &ids[0], &r->err), 1);
	clock_fake_advance(HOUR);
}

static int
teardown(void **state)
{
	clock_fake_off();
	return rig_teardown(state);
}

static void
nothing_to_do(void **state)
{
	struct rig *r = *state;
	struct prune_stats s;
	struct object_id id;

	rig_ok(r, prune(r, HOUR, &s)); /* an empty repository */
	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	size_t objects = rig_count(r, "");
	rig_ok(r, prune(r, HOUR, &s));
	assert_int_equal(s.points, 1);
	assert_int_equal(s.packs, rig_count(r, NAME_PACKS));
	assert_int_equal(s.needed_bytes, s.bytes);
	assert_int_equal(s.marked + s.repacked + s.removed + s.waiting + s.unmarked, 0);
	assert_int_equal(s.next_sweep_ns, 0);
	assert_int_equal(rig_count(r, ""), objects);
}

static void
mark_wait_sweep(void **state)
{
	struct rig *r = *state;
	struct object_id ids[2];
	struct prune_stats s;

	two_and_forget_one(r, ids);
	size_t packs = rig_count(r, NAME_PACKS);
	rig_ok(r, prune(r, 24 * HOUR, &s));
	assert_true(s.marked > 0 && s.marked_bytes > 0);
	assert_int_equal(s.next_sweep_ns, START + 25 * HOUR);
	uint64_t marked = s.marked;
	assert_in_range(rig_count(r, NAME_PACKS), packs, packs + 2); /* copies of what is needed */
	assert_int_equal(rig_count(r, NAME_MARKS), 1);
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));

	clock_fake_advance(23 * HOUR);
	rig_ok(r, prune(r, 24 * HOUR, &s));
	assert_int_equal(s.waiting, marked);
	assert_int_equal(s.marked + s.removed, 0);

	packs = rig_count(r, NAME_PACKS);
	clock_fake_advance(2 * HOUR);
	rig_ok(r, prune(r, 24 * HOUR, &s));
	assert_int_equal(s.removed, marked);
	assert_int_equal(rig_count(r, NAME_PACKS), packs - marked);
	assert_int_equal(rig_count(r, NAME_MARKS), 1); /* the tombstone */
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
	rig_ok(r, verify(r));
	rig_lose_cache(r);
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));

	clock_fake_advance(31 * 24 * HOUR);
	rig_ok(r, prune(r, 24 * HOUR, &s));
	assert_int_equal(rig_count(r, NAME_MARKS), 0);
	assert_int_equal(s.marked + s.removed + s.waiting, 0);
	/* What was forgotten can be stored anew. */
	rig_ok(r, scenario_backup(r->repo, 0, &ids[0], &r->err));
	rig_ok(r, scenario_check(r->repo, &ids[0], 0, &r->err));
}

/* While packs wait, backups do not count on them; so forgetting is not undone by accident. */
static void
marked_packs_are_not_used(void **state)
{
	struct rig *r = *state;
	struct object_id ids[2], again;
	struct prune_stats s;

	two_and_forget_one(r, ids);
	rig_ok(r, prune(r, 24 * HOUR, &s));
	rig_ok(r, scenario_backup(r->repo, 0, &again, &r->err));
	clock_fake_advance(25 * HOUR);
	rig_ok(r, prune(r, 24 * HOUR, &s));
	assert_true(s.removed > 0);
	assert_int_equal(s.unmarked, 0);
	rig_ok(r, scenario_check(r->repo, &again, 0, &r->err));
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
	rig_ok(r, verify(r));
}

/* A backup that began before the mark counts on the packs, and is done before the sweep. */
static void
needed_again(void **state)
{
	struct rig *r = *state;
	struct object_id ids[2], late;
	struct prune_stats s;
	CLEAN(point_freep) struct point *p = NULL;

	clock_fake_set(START, START);
	for (uint64_t i = 0; i < 2; i++)
		rig_ok(r, scenario_backup(r->repo, i, &ids[i], &r->err));
	rig_ok(r, point_read(r->repo, &ids[0], &p, &r->err));
	assert_int_equal(point_remove(r->repo, &ids[0], &r->err), 1);
	clock_fake_advance(HOUR);
	rig_ok(r, prune(r, 24 * HOUR, &s));
	uint64_t marked = s.marked, repacked = s.repacked;
	assert_true(marked > repacked);
	clock_fake_advance(HOUR);
	rig_ok(r, mark_check_session(r->repo, START, &r->err));
	rig_ok(r, point_write(r->repo, p->json, &late, &r->err));
	clock_fake_advance(24 * HOUR);
	rig_ok(r, prune(r, 24 * HOUR, &s));
	assert_true(s.unmarked > 0);
	rig_ok(r, scenario_check(r->repo, &late, 0, &r->err));
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
	rig_ok(r, verify(r));
	/* And prunes after it agree. */
	for (int i = 0; i < 3; i++) {
		clock_fake_advance(25 * HOUR);
		rig_ok(r, prune(r, 24 * HOUR, &s));
		rig_ok(r, scenario_check(r->repo, &late, 0, &r->err));
		rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
	}
}

static void
without_grace(void **state)
{
	struct rig *r = *state;
	struct object_id ids[2];
	struct prune_stats s;

	two_and_forget_one(r, ids);
	rig_ok(r, prune(r, 0, &s));
	assert_true(s.removed > 0);
	assert_int_equal(s.removed, s.marked);
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
	rig_ok(r, verify(r));
	rig_ok(r, prune(r, 0, &s));
	assert_int_equal(s.marked + s.removed + s.repacked, 0);
}

/* A running backup had found its blobs in a pack; then somebody prunes without grace. */
static void
backup_under_a_prune_without_grace(void **state)
{
	struct rig *r = *state;
	struct repo_index *index = NULL;
	struct repo_writer *w = NULL;
	struct object_id ids[2];
	struct prune_stats s;

	two_and_forget_one(r, ids);
	rig_ok(r, repo_index_open(r->repo, &index, &r->err));
	rig_ok(r, repo_writer_open(r->repo, index, NULL, &w, &r->err));
	clock_fake_advance(HOUR);
	rig_ok(r, prune(r, 0, &s));
	clock_fake_advance(HOUR);
	rig_fails(r, repo_writer_flush(w, &r->err), ERR_BUSY);
	repo_writer_close(w);
	repo_index_close(index);
}

static void
no_points(void **state)
{
	struct rig *r = *state;
	struct object_id id;
	struct prune_stats s;
	const struct prune_options empty = {.allow_empty = true};

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	assert_int_equal(point_remove(r->repo, &id, &r->err), 1);
	size_t objects = rig_count(r, "");
	rig_fails(r, prune(r, 0, &s), ERR_PRUNE_UNSAFE);
	assert_int_equal(rig_count(r, ""), objects);
	assert_non_null(strstr(r->err.hint, "--allow-empty"));
	rig_ok(r, prune_run(r->repo, &empty, &s, &r->err));
	assert_int_equal(rig_count(r, NAME_PACKS), 0);
	assert_int_equal(rig_count(r, NAME_INDEX), 0);
	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	rig_ok(r, scenario_check(r->repo, &id, 0, &r->err));
}

static void
dry_run(void **state)
{
	struct rig *r = *state;
	struct object_id ids[2];
	struct prune_stats dry, s;
	const struct prune_options options = {.dry_run = true, .grace_ns = HOUR};

	two_and_forget_one(r, ids);
	size_t objects = rig_count(r, "");
	rig_ok(r, prune_run(r->repo, &options, &dry, &r->err));
	assert_true(dry.marked > 0);
	assert_int_equal(rig_count(r, ""), objects);
	rig_ok(r, prune(r, HOUR, &s));
	assert_int_equal(s.repacked, dry.repacked);
	assert_int_equal(s.marked, dry.marked + dry.repacked);
	clock_fake_advance(2 * HOUR);
	objects = rig_count(r, "");
	rig_ok(r, prune_run(r->repo, &options, &dry, &r->err));
	assert_int_equal(dry.removed, s.marked);
	assert_int_equal(rig_count(r, ""), objects);
}

/* ---- copying --------------------------------------------------------------------------------- */

/* A restore point whose only content are these blobs: a folder of symlinks would do, but files are what
 * is walked. */
static void
point_of(struct rig *r, const struct blob_id *tree)
{
	char hex[2 * BLOB_ID_SIZE + 1];
	struct object_id id;
	json_t *j = json_pack("{s:I, s:I, s:s, s:s, s:[{s:s, s:s}]}", "start", (json_int_t)1, "end",
			      (json_int_t)2, "host", "h", "consistency", "none", "roots", "name",
			      "", "tree", hex_encode(tree->b, BLOB_ID_SIZE, hex));

	rig_ok(r, point_write(r->repo, j, &id, &r->err));
	json_decref(j);
}

static struct blob_id
put_folder(struct rig *r, const char *name)
{
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	struct node node = {.name = SLICE(name, strlen(name)), .type = NODE_FIFO};
	struct blob_id id;

	rig_ok(r, tree_builder_new(r->sink, &b, &r->err));
	rig_ok(r, tree_builder_add(b, &node, &r->err));
	rig_ok(r, tree_builder_finish(b, &id, &r->err));
	return id;
}

static void
put_junk(struct rig *r, uint64_t seed)
{
	uint8_t junk[5000];

	rig_fill(junk, sizeof(junk), seed);
	(void)rig_put(r, BLOB_META, junk, sizeof(junk));
}

static void
expect_folder(struct rig *r, const struct blob_id *tree, const char *name)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1000);
	struct node node;

	rig_look(r);
	rig_check(&r->err, tree_find(r->reader, tree, name, &hold, &node, &r->err), 1, name,
		  __FILE__, __LINE__);
	rig_shut(r);
}

static void
wasteful_packs_are_copied(void **state)
{
	struct rig *r = *state;
	struct prune_stats s;

	rig_begin(r, NULL);
	struct blob_id tree = put_folder(r, "needed");
	put_junk(r, 1);
	rig_end(r);
	point_of(r, &tree);
	rig_ok(r, prune(r, 0, &s));
	assert_int_equal(s.repacked, 1);
	assert_int_equal(s.removed, 1);
	assert_int_equal(rig_count(r, NAME_PACKS), 1);
	rig_lose_cache(r);
	expect_folder(r, &tree, "needed");
	rig_ok(r, verify(r));
	rig_ok(r, prune(r, 0, &s));
	assert_int_equal(s.repacked, 0);
}

/*
 * Two backups at once have stored the same blob, each with a lot that is no longer needed. The copy
 * that is not the reached one must not make the prune believe that the blob is elsewhere.
 */
static void
copies_in_two_wasteful_packs(void **state)
{
	struct rig *r = *state;
	struct repo_index *index = NULL;
	struct repo_writer *other = NULL;
	struct repo_sink *sink = NULL;
	struct prune_stats s;

	rig_begin(r, NULL);
	rig_ok(r, repo_index_open(r->repo, &index, &r->err));
	rig_ok(r, repo_writer_open(r->repo, index, NULL, &other, &r->err));
	rig_ok(r, repo_sink_open(other, &sink, &r->err));
	struct blob_id tree = put_folder(r, "needed");
	put_junk(r, 1);
	rig_end(r);
	r->sink = sink;
	struct blob_id again = put_folder(r, "needed");
	assert_memory_equal(&tree, &again, sizeof(tree));
	put_junk(r, 2);
	rig_ok(r, repo_sink_close(STEAL_PTR(r->sink), &r->err));
	rig_ok(r, repo_writer_flush(other, &r->err));
	repo_writer_close(other);
	repo_index_close(index);
	assert_int_equal(rig_count(r, NAME_PACKS), 2);
	point_of(r, &tree);
	rig_ok(r, prune(r, 0, &s));
	assert_int_equal(s.repacked, 1);
	assert_int_equal(s.removed, 2);
	assert_int_equal(rig_count(r, NAME_PACKS), 1);
	expect_folder(r, &tree, "needed");
	rig_ok(r, verify(r));
}

/* The writer that copies first takes over what a killed backup left, which adds to the index. */
static void
copying_after_a_killed_backup(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) char *marker = NULL;
	char name[STORE_NAME_MAX + 1];
	struct prune_stats s;

	rig_begin(r, NULL);
	put_junk(r, 7);
	rig_end(r);
	rig_name(r, NAME_INDEX, 0, name);
	assert_int_equal(store_remove(r->mem, name, &r->err), 1);
	assert_true(asprintf(&marker, "%s/unfinished-00", r->repo->cache_path) > 0);
	rig_begin(r, NULL);
	struct blob_id tree = put_folder(r, "needed");
	put_junk(r, 1);
	rig_end(r);
	point_of(r, &tree);
	rig_ok(r, fs_write_file(AT_FDCWD, marker, SLICE(NULL, 0), 0600, &r->err));
	rig_ok(r, prune(r, HOUR, &s));
	assert_int_equal(s.repacked, 1);
	expect_folder(r, &tree, "needed");
	rig_ok(r, verify(r));
}

/* ---- damage and failure ---------------------------------------------------------------------- */

static void
damage_stops_it(void **state)
{
	static const char *const kinds[] = {NAME_POINTS, NAME_INDEX, NAME_PACKS, NAME_MARKS};
	struct rig *r = *state;
	struct object_id ids[2];
	struct prune_stats s;
	size_t refused = 0;

	two_and_forget_one(r, ids);
	rig_ok(r, prune(r, HOUR, &s));
	clock_fake_advance(2 * HOUR);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (size_t i = 0; i < rig_count(r, kinds[k]); i++) {
			char name[STORE_NAME_MAX + 1];
			size_t n, before = rig_count(r, NAME_PACKS);

			rig_name(r, kinds[k], i, name);
			store_mem_bytes(r->mem, name, &n)[60] ^= 1;
			rig_lose_cache(r);
			int rc = prune(r, 24 * HOUR, &s);
			if (rc < 0) {
				refused++;
				assert_int_equal(rig_count(r, NAME_PACKS), before);
			}
			/* Only packs of data, which a prune need not read, may go unnoticed. */
			assert_true(rc < 0 || strcmp(kinds[k], NAME_PACKS) == 0);
			uint8_t *p = store_mem_bytes(r->mem, name, &n);
			if (p != NULL)
				p[60] ^= 1;
			rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
		}
	}
	assert_true(refused >= 4);
	rig_ok(r, verify(r));
}

/* Points that are lost without a trace are the worst that can happen: their data must wait. */
static void
one_of_the_points_cannot_be_read(void **state)
{
	struct rig *r = *state;
	struct object_id ids[2];
	struct prune_stats s;
	char name[NAME_SIZE];
	size_t n;

	for (uint64_t i = 0; i < 2; i++)
		rig_ok(r, scenario_backup(r->repo, i, &ids[i], &r->err));
	store_mem_bytes(r->mem, name_object(NAME_POINTS, &ids[0], name), &n)[n - 1] ^= 1;
	size_t objects = rig_count(r, "");
	rig_fails(r, prune(r, 0, &s), ERR_PRUNE_UNSAFE);
	assert_non_null(strstr(r->err.msg, "nothing was removed"));
	assert_int_equal(rig_count(r, ""), objects);
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
}

static bool
prune_with_fault(enum store_fault kind, bool persistent, uint64_t n, bool due)
{
	struct rig *r = rig_new(true);
	struct object_id ids[2];
	struct prune_stats s;

	two_and_forget_one(r, ids);
	if (due) {
		rig_ok(r, prune(r, HOUR, &s));
		clock_fake_advance(2 * HOUR);
	}
	store_fault_arm(r->store, kind, n, persistent);
	int rc = prune(r, 0, &s);
	bool fired = store_fault_fired(r->store) > 0;
	store_fault_arm(r->store, STORE_FAULT_NONE, 0, false);
	assert_true(rc == OK || fired);
	rig_reopen(r);
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
	rig_ok(r, verify(r));
	/* The next one goes on where this one stopped. */
	rig_ok(r, prune(r, 0, &s));
	rig_lose_cache(r);
	rig_ok(r, scenario_check(r->repo, &ids[1], 1, &r->err));
	rig_ok(r, verify(r));
	clock_fake_advance(HOUR);
	rig_ok(r, scenario_backup(r->repo, 0, &ids[0], &r->err));
	rig_ok(r, scenario_check(r->repo, &ids[0], 0, &r->err));
	rig_free(r);
	return fired;
}

static void
store_faults(void **state)
{
	static const struct {
		enum store_fault kind;
		bool persistent,
			due; /* due: what was marked before is swept; else all is marked now */
	} cases[] = {
		{STORE_FAULT_ERROR, false, true},      {STORE_FAULT_ERROR, false, false},
		{STORE_FAULT_ERROR, true, true},       {STORE_FAULT_LOST_REPLY, false, true},
		{STORE_FAULT_LOST_REPLY, true, false}, {STORE_FAULT_SHORT, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t n = 1;

		while (prune_with_fault(cases[i].kind, cases[i].persistent, n, cases[i].due))
			n++;
		assert_true(n > 3);
	}
	clock_fake_off();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_to_do, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(mark_wait_sweep, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(marked_packs_are_not_used, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(needed_again, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(without_grace, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(backup_under_a_prune_without_grace, rig_setup,
						teardown),
		cmocka_unit_test_setup_teardown(no_points, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(dry_run, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(wasteful_packs_are_copied, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(copies_in_two_wasteful_packs, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(copying_after_a_killed_backup, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(damage_stops_it, rig_setup, teardown),
		cmocka_unit_test_setup_teardown(one_of_the_points_cannot_be_read, rig_setup,
						teardown),
		cmocka_unit_test(store_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
