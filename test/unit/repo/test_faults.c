/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every operation of the store fails once, in every way it can, once or from then on, during a backup
 * into a repository that already holds one. Then: what was reported as written reads back; the
 * repository opens; the next backup works, and so does all that was there before.
 */
#include <stdio.h>
#include <string.h>

#include "repo/point.h"
#include "rig.h"
#include "scenario.h"
#include "store/fault.h"
#include "store/mem.h"

/* The repository again, as somebody else would: with an empty cache. */
static void
check_from_scratch(struct rig *r, const struct object_id *id, uint64_t seed)
{
	rig_lose_cache(r);
	rig_ok(r, scenario_check(r->repo, id, seed, &r->err));
}

static void
points_are_all_good(struct rig *r)
{
	struct point_list l;

	rig_ok(r, point_list_read(r->repo, &l, &r->err));
	for (size_t i = 0; i < l.n; i++)
		rig_ok(r, scenario_check(r->repo, &l.points[i]->id, l.points[i]->start_ns - 1,
					 &r->err));
	point_list_done(&l);
}

/* One run with the n-th operation failing; true if the fault was reached. */
static bool
one_run(enum store_fault kind, bool persistent, uint64_t n)
{
	struct rig *r = rig_new(true);
	struct object_id first, second = {{0}}, third;

	rig_ok(r, scenario_backup(r->repo, 1, &first, &r->err));
	store_fault_arm(r->store, kind, n, persistent);
	int rc = scenario_backup(r->repo, 2, &second, &r->err);
	bool fired = store_fault_fired(r->store) > 0;
	store_fault_arm(r->store, STORE_FAULT_NONE, 0, false);

	if (rc < 0) {
		assert_true(fired);
		assert_non_null(strstr(r->err.msg, "injected"));
	} else {
		rig_ok(r, scenario_check(r->repo, &second, 2, &r->err));
	}
	rig_reopen(r);
	rig_ok(r, scenario_check(r->repo, &first, 1, &r->err));
	/* The same backup again: now it works, whatever was left lying about. */
	rig_ok(r, scenario_backup(r->repo, 2, &third, &r->err));
	rig_ok(r, scenario_check(r->repo, &third, 2, &r->err));
	points_are_all_good(r);
	check_from_scratch(r, &first, 1);
	rig_free(r);
	return fired;
}

static void
sweep(enum store_fault kind, bool persistent)
{
	uint64_t n = 1;

	while (one_run(kind, persistent, n))
		n++;
	/* Fewer would mean that the backup does next to nothing. */
	assert_true(n > 8);
}

#define SWEEP(name, kind, persistent)                                                              \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		sweep(kind, persistent);                                                           \
	}

SWEEP(error_once, STORE_FAULT_ERROR, false)
SWEEP(error_from_then_on, STORE_FAULT_ERROR, true)
SWEEP(full_once, STORE_FAULT_FULL, false)
SWEEP(full_from_then_on, STORE_FAULT_FULL, true)
SWEEP(lost_reply_once, STORE_FAULT_LOST_REPLY, false)
SWEEP(lost_reply_from_then_on, STORE_FAULT_LOST_REPLY, true)
SWEEP(short_write_once, STORE_FAULT_SHORT, false)
SWEEP(short_write_from_then_on, STORE_FAULT_SHORT, true)

/* A bit flipped by the store while reading: an error, or (where it hit what was not needed) nothing;
 * never other content. */
static void
flipped_while_read(void **state)
{
	(void)state;
	for (uint64_t n = 1;; n++) {
		struct rig *r = rig_new(true);
		struct object_id id;

		rig_ok(r, scenario_backup(r->repo, 1, &id, &r->err));
		rig_lose_cache(r);
		store_fault_arm(r->store, STORE_FAULT_FLIP, n, false);
		int rc = scenario_check(r->repo, &id, 1, &r->err);
		bool fired = store_fault_fired(r->store) > 0;
		store_fault_arm(r->store, STORE_FAULT_NONE, 0, false);
		assert_true(rc == OK || rc == ERR_CORRUPT || rc == ERR_VERSION);
		assert_true(rc == OK || fired);
		assert_true(rc != OK || !fired);
		rig_ok(r, scenario_check(r->repo, &id, 1, &r->err));
		rig_free(r);
		if (!fired) {
			assert_true(n > 8);
			break;
		}
	}
}

/* What a failed backup stored is there for the next one. */
static void
stored_data_is_used_again(void **state)
{
	struct rig *r = *state;
	struct object_id id;
	size_t packs;

	/* The restore point itself cannot be written. */
	store_fault_arm(r->store, STORE_FAULT_NONE, 0, false);
	rig_ok(r, scenario_backup(r->repo, 1, &id, &r->err));
	uint64_t operations = store_fault_count(r->store);
	packs = rig_count(r, "packs/");
	store_fault_arm(r->store, STORE_FAULT_ERROR, operations, false);
	/* A third of the content is known, so there are fewer operations: try from the far end. */
	for (uint64_t n = operations; r->err.code == OK && n > 0; n--) {
		store_fault_arm(r->store, STORE_FAULT_ERROR, n, true);
		r->err = ERROR_INIT;
		(void)!scenario_backup(r->repo, 100 + n, &id, &r->err);
		if (r->err.code == OK)
			continue;
		store_fault_arm(r->store, STORE_FAULT_NONE, 0, false);
		packs = rig_count(r, "packs/");
		rig_ok(r, scenario_backup(r->repo, 100 + n, &id, &r->err));
		assert_int_equal(rig_count(r, "packs/"), packs);
		rig_ok(r, scenario_check(r->repo, &id, 100 + n, &r->err));
		return;
	}
	fail();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_once),
		cmocka_unit_test(error_from_then_on),
		cmocka_unit_test(full_once),
		cmocka_unit_test(full_from_then_on),
		cmocka_unit_test(lost_reply_once),
		cmocka_unit_test(lost_reply_from_then_on),
		cmocka_unit_test(short_write_once),
		cmocka_unit_test(short_write_from_then_on),
		cmocka_unit_test(flipped_while_read),
		cmocka_unit_test_setup_teardown(stored_data_is_used_again, rig_setup_faulty,
						rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
