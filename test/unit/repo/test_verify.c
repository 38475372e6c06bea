/* SPDX-License-Identifier: Apache-2.0 */

/* Verification finds every kind of damage, says where it is, and finds none where there is none. */
#include "repo/verify.h"

#include <dirent.h>
#include <string.h>

#include "repo/names.h"
#include "rig.h"
#include "scenario.h"
#include "store/fault.h"
#include "store/mem.h"

/* What the last run reported. */
struct report {
	size_t n;
	char first[256];
	const char *named; /* look for this object ... */
	bool found; /* ... among those reported */
};

static void
problem(void *arg, const char *object, const char *message)
{
	struct report *p = arg;

	assert_true(strlen(message) > 0);
	if (p->n++ == 0)
		memcpy(p->first, object, MIN(strlen(object) + 1, sizeof(p->first)));
	p->found = p->found || (p->named != NULL && strcmp(p->named, object) == 0);
}

static int
verify(struct rig *r, enum verify_level level, struct verify_stats *stats, struct report *report)
{
	const struct verify_options options = {
		.level = level, .workers = 1, .problem = problem, .problem_arg = report};

	*stats = (struct verify_stats){0};
	report->n = 0;
	report->found = false;
	int rc = verify_repository(r->repo, &options, stats, &r->err);
	assert_int_equal(report->n, stats->problems);
	assert_true((rc == ERR_CORRUPT) == (report->n > 0));
	return rc;
}

static void
whole(void **state)
{
	struct rig *r = *state;
	struct report report = {0};
	struct verify_stats stats;
	struct object_id id;

	/* An empty repository is whole. */
	rig_ok(r, verify(r, VERIFY_DATA, &stats, &report));
	assert_int_equal(stats.keys, 1);
	for (uint64_t i = 0; i < 3; i++)
		rig_ok(r, scenario_backup(r->repo, i, &id, &r->err));
	rig_look(r);
	for (int level = VERIFY_STRUCTURE; level <= VERIFY_DATA; level++) {
		rig_ok(r, verify(r, (enum verify_level)level, &stats, &report));
		assert_int_equal(stats.points, 3);
		assert_int_equal(stats.index_objects, rig_count(r, NAME_INDEX));
		assert_int_equal(stats.unlisted_packs, 0);
		assert_int_equal(stats.packs_done,
				 level == VERIFY_STRUCTURE ? 0 : rig_count(r, NAME_PACKS));
		assert_int_equal(stats.packs_done, stats.packs_total);
		assert_true((stats.blobs_checked > 0) == (level == VERIFY_DATA));
	}
}

static void
several_workers(void **state)
{
	struct rig *r = *state;
	struct verify_stats stats = {0};
	struct object_id id;
	const struct verify_options options = {.level = VERIFY_DATA, .workers = 4};

	for (uint64_t i = 0; i < 3; i++)
		rig_ok(r, scenario_backup(r->repo, i, &id, &r->err));
	rig_ok(r, verify_repository(r->repo, &options, &stats, &r->err));
	assert_int_equal(stats.packs_done, rig_count(r, NAME_PACKS));
}

/* Flip bytes of each object of the repository in turn: every byte of the first and last kilobyte, and
 * some between. */
static void
every_object_damaged(void **state)
{
	struct rig *r = *state;
	struct report report = {0};
	struct verify_stats stats;
	struct object_id id;
	size_t runs = 0;

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	for (size_t i = 0; i < rig_count(r, ""); i++) {
		char name[STORE_NAME_MAX + 1];
		size_t n;

		rig_name(r, "", i, name);
		if (strcmp(name, NAME_CONFIG) == 0)
			continue; /* without it nothing opens: test_repo.c */
		uint8_t *p = store_mem_bytes(r->mem, name, &n);
		report.named = name;
		size_t rare = strncmp(name, NAME_PACKS, 6) == 0 ? 7 : 3;
		for (size_t at = 0; at < n;
		     at += at < 64 || at + 64 > n ? 1
						  : (at < 1024 || at + 1024 > n ? rare : n / 20)) {
			p[at] ^= (uint8_t)(1u << at % 8);
			rig_fails(r, verify(r, VERIFY_DATA, &stats, &report), ERR_CORRUPT);
			if (!report.found)
				print_error("byte %zu of '%s' was blamed on '%s'\n", at, name,
					    report.first);
			assert_true(report.found);
			p[at] ^= (uint8_t)(1u << at % 8);
			runs++;
		}
	}
	assert_true(runs > 1000);
	rig_ok(r, verify(r, VERIFY_DATA, &stats, &report));
}

static void
every_object_cut_short_or_missing(void **state)
{
	struct rig *r = *state;
	struct report report = {0};
	struct verify_stats stats;
	struct object_id id;

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	for (size_t i = 0; i < rig_count(r, ""); i++) {
		char name[STORE_NAME_MAX + 1];
		size_t n;

		rig_name(r, "", i, name);
		if (strcmp(name, NAME_CONFIG) == 0)
			continue;
		CLEAN(free_ptr) uint8_t *copy = rig_copy(r, name, &n);
		report.named = name;
		for (size_t cut = 0; cut < 3; cut++) {
			store_mem_truncate(r->mem, name, cut == 0 ? n - 1 : cut == 1 ? n / 2 : 0);
			/* Even without reading any data. */
			rig_fails(r, verify(r, VERIFY_STRUCTURE, &stats, &report), ERR_CORRUPT);
			assert_true(report.found);
		}
		assert_int_equal(store_remove(r->mem, name, &r->err), 1);
		int rc = verify(r, VERIFY_STRUCTURE, &stats, &report);
		if (strncmp(name, NAME_PACKS, strlen(NAME_PACKS)) == 0)
			assert_true(rc == ERR_CORRUPT && report.found);
		else if (strncmp(name, NAME_INDEX, strlen(NAME_INDEX)) == 0)
			assert_true(rc == ERR_CORRUPT &&
				    strncmp(report.first, NAME_POINTS, 7) == 0);
		else
			rig_ok(r,
			       rc); /* a point or a key that is gone was removed, for all one can tell */
		rig_ok(r, store_put(r->mem, name, SLICE(copy, n), &r->err));
	}
	rig_ok(r, verify(r, VERIFY_DATA, &stats, &report));
}

/* All problems are told, not just the first. */
static void
several_problems(void **state)
{
	struct rig *r = *state;
	struct report report = {0};
	struct verify_stats stats;
	struct object_id id;
	char name[STORE_NAME_MAX + 1];
	size_t n, damaged = 0;

	for (uint64_t i = 0; i < 3; i++)
		rig_ok(r, scenario_backup(r->repo, i, &id, &r->err));
	for (size_t i = 0; i < rig_count(r, NAME_PACKS); i++) {
		rig_name(r, NAME_PACKS, i, name);
		store_mem_bytes(r->mem, name, &n)[PACK_ID_SIZE + 40] ^= 1;
		damaged++;
	}
	for (size_t i = 0; i < 2; i++) {
		rig_name(r, NAME_POINTS, i, name);
		store_mem_bytes(r->mem, name, &n)[40] ^= 1;
		damaged++;
	}
	rig_fails(r, verify(r, VERIFY_STORED, &stats, &report), ERR_CORRUPT);
	assert_true(report.n >= damaged);
	/* Each point that needs damaged metadata says so: what one failed walk saw is not believed. */
	assert_int_equal(stats.points, 1);
}

static void
one_point_only(void **state)
{
	struct rig *r = *state;
	CLEAN(point_freep) struct point *p = NULL;
	struct verify_stats stats = {0};
	struct object_id ids[2];
	struct verify_options options = {.level = VERIFY_DATA, .workers = 1};

	for (uint64_t i = 0; i < 2; i++)
		rig_ok(r, scenario_backup(r->repo, i, &ids[i], &r->err));
	rig_ok(r, point_read(r->repo, &ids[1], &p, &r->err));
	options.only = p;
	rig_ok(r, verify_repository(r->repo, &options, &stats, &r->err));
	assert_int_equal(stats.points, 1);
	assert_in_range(stats.packs_done, 1, rig_count(r, NAME_PACKS) - 1);
	/* Damage it cannot be touched by. */
	size_t refused = 0;
	for (size_t i = 0; i < rig_count(r, NAME_PACKS); i++) {
		char name[STORE_NAME_MAX + 1];
		size_t n;

		rig_name(r, NAME_PACKS, i, name);
		store_mem_bytes(r->mem, name, &n)[60] ^= 1;
		stats = (struct verify_stats){0};
		int rc = verify_repository(r->repo, &options, &stats, &r->err);
		bool lost = scenario_check(r->repo, &ids[1], 1, &r->err) < 0;
		assert_true(rc == OK ? !lost : rc == ERR_CORRUPT);
		refused += rc < 0;
		store_mem_bytes(r->mem, name, &n)[60] ^= 1;
	}
	assert_in_range(refused, 1, rig_count(r, NAME_PACKS) - 1);
}

/* A pack that is gone concerns the points that need it, and no others. */
static void
one_point_and_a_missing_pack(void **state)
{
	struct rig *r = *state;
	CLEAN(point_freep) struct point *p = NULL;
	struct object_id ids[2];
	struct verify_options options = {.level = VERIFY_STRUCTURE, .workers = 1};
	size_t refused = 0, packs;

	for (uint64_t i = 0; i < 2; i++)
		rig_ok(r, scenario_backup(r->repo, i, &ids[i], &r->err));
	rig_ok(r, point_read(r->repo, &ids[1], &p, &r->err));
	options.only = p;
	packs = rig_count(r, NAME_PACKS);
	for (size_t i = 0; i < packs; i++) {
		CLEAN(buf_done) struct buf kept = BUF_INIT(64 << 20);
		struct verify_stats stats = {0};
		char name[STORE_NAME_MAX + 1];

		rig_name(r, NAME_PACKS, i, name);
		rig_ok(r, store_get(r->store, name, &kept, &r->err));
		assert_int_equal(store_remove(r->store, name, &r->err), 1);
		int rc = verify_repository(r->repo, &options, &stats, &r->err);
		bool lost = scenario_check(r->repo, &ids[1], 1, &r->err) < 0;
		assert_int_equal(rc, lost ? ERR_CORRUPT : OK);
		refused += rc < 0;
		rig_ok(r, store_put(r->store, name, buf_slice(&kept), &r->err));
	}
	assert_in_range(refused, 1, packs - 1);
}

static void
left_by_an_interrupted_backup(void **state)
{
	struct rig *r = *state;
	struct report report = {0};
	struct verify_stats stats;
	struct object_id id;
	char name[STORE_NAME_MAX + 1];

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	rig_name(r, NAME_INDEX, 0, name);
	assert_int_equal(store_remove(r->mem, name, &r->err), 1);
	size_t packs = rig_count(r, NAME_PACKS);
	rig_name(r, NAME_POINTS, 0, name);
	assert_int_equal(store_remove(r->mem, name, &r->err), 1);
	rig_ok(r, verify(r, VERIFY_DATA, &stats, &report));
	assert_int_equal(stats.unlisted_packs, packs);
}

static void
stopped(void **state)
{
	struct rig *r = *state;
	_Atomic bool cancelled = true;
	struct verify_stats stats = {0};
	struct object_id id;
	const struct verify_options options = {.level = VERIFY_DATA, .cancelled = &cancelled};

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	rig_fails(r, verify_repository(r->repo, &options, &stats, &r->err), ERR_CANCELLED);
}

static size_t
entries(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* A store that fails is a problem or an error, and never a good repository. */
static void
store_faults(void **state)
{
	struct rig *r = *state;
	struct report report = {0};
	struct verify_stats stats;
	struct object_id id;

	rig_ok(r, scenario_backup(r->repo, 0, &id, &r->err));
	size_t before = entries(r->repo->cache_path);
	for (uint64_t n = 1;; n++) {
		store_fault_arm(r->store, n % 2 ? STORE_FAULT_ERROR : STORE_FAULT_FLIP, n / 2 + 1,
				false);
		const struct verify_options options = {.level = VERIFY_DATA,
						       .workers = 1,
						       .problem = problem,
						       .problem_arg = &report};
		stats = (struct verify_stats){0};
		int rc = verify_repository(r->repo, &options, &stats, &r->err);
		bool fired = store_fault_fired(r->store) > 0;
		store_fault_arm(r->store, STORE_FAULT_NONE, 0, false);
		assert_true(fired ? rc < 0 : rc == OK);
		assert_int_equal(entries(r->repo->cache_path), before);
		if (!fired)
			break;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(several_workers, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(every_object_damaged, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(every_object_cut_short_or_missing, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(several_problems, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(one_point_only, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(one_point_and_a_missing_pack, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(left_by_an_interrupted_backup, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(stopped, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(store_faults, rig_setup_faulty, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
