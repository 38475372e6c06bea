/* SPDX-License-Identifier: Apache-2.0 */

/* Against the simplest thing that could be right: an array. */
#include "repo/idset.h"

#include <string.h>

#include "base/le.h"
#include "rig.h"

enum { IDS = 600, STEPS = 60000 };

/* All of them want one of `homes` slots. */
static struct blob_id
id_of(uint64_t number, uint64_t homes)
{
	struct blob_id id = {{0}};

	le64_put(id.b, number % homes);
	le64_put(id.b + 8, number + 1);
	return id;
}

static void
check_all(const struct idset *s, const bool *model, uint64_t homes)
{
	size_t n = 0;

	for (uint64_t i = 0; i < IDS; i++) {
		struct blob_id id = id_of(i, homes);

		assert_int_equal(idset_has(s, &id), model[i]);
		n += model[i];
	}
	assert_int_equal(s->n, n);
}

static void
run_model(uint64_t homes, uint64_t base)
{
	struct idset s = {0};
	bool model[IDS] = {false};
	struct error err;
	uint64_t seed = homes + base;

	for (size_t step = 0; step < STEPS; step++) {
		uint64_t dice = rig_random(&seed), i = dice % IDS;
		struct blob_id id = id_of(i, homes);

		if (dice >> 40 & 1) {
			assert_int_equal(idset_add(&s, &id, &err), model[i] ? 0 : 1);
			model[i] = true;
		} else {
			idset_remove(&s, &id);
			model[i] = false;
		}
		assert_int_equal(idset_has(&s, &id), model[i]);
		if (step % 977 == 0)
			check_all(&s, model, homes);
	}
	check_all(&s, model, homes);
	idset_done(&s);
}

static void
spread(void **state)
{
	(void)state;
	run_model(UINT64_MAX, 0);
}

static void
colliding(void **state)
{
	(void)state;
	run_model(1, 1);
	run_model(2, 2);
	run_model(17, 3);
}

/* Runs that go round the table's end: homes are its last slots. */
static void
around_the_end(void **state)
{
	struct idset s = {0};
	struct blob_id ids[100];
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		ids[i] = id_of(i, UINT64_MAX);
		le64_put(ids[i].b, 1024 - 1 - i % 3); /* 1024: the first capacity */
		assert_int_equal(idset_add(&s, &ids[i], &err), 1);
	}
	assert_int_equal(s.cap, 1024);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		size_t gone = i * 37 % ARRAY_SIZE(ids);

		idset_remove(&s, &ids[gone]);
		for (size_t k = 0; k < ARRAY_SIZE(ids); k++) {
			bool removed = false;

			for (size_t j = 0; j <= i; j++)
				removed = removed || j * 37 % ARRAY_SIZE(ids) == k;
			assert_int_equal(idset_has(&s, &ids[k]), !removed);
		}
	}
	assert_int_equal(s.n, 0);
	idset_done(&s);
}

static void
growth(void **state)
{
	struct idset s = {0};
	struct error err;
	uint64_t seed = 5;

	(void)state;
	for (size_t i = 0; i < 50000; i++) {
		struct blob_id id;

		rig_fill(&id, sizeof(id), seed + i);
		assert_int_equal(idset_add(&s, &id, &err), 1);
		assert_true(2 * s.n <= s.cap);
	}
	for (size_t i = 0; i < 50000; i++) {
		struct blob_id id;

		rig_fill(&id, sizeof(id), seed + i);
		assert_true(idset_has(&s, &id));
		rig_fill(&id, sizeof(id), seed + 100000 + i);
		assert_false(idset_has(&s, &id));
	}
	idset_done(&s);
}

static void
empty(void **state)
{
	struct idset s = {0};
	struct blob_id id = id_of(1, 7);

	(void)state;
	assert_false(idset_has(&s, &id));
	idset_remove(&s, &id);
	assert_int_equal(s.n, 0);
	idset_done(&s);
	idset_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spread),         cmocka_unit_test(colliding),
		cmocka_unit_test(around_the_end), cmocka_unit_test(growth),
		cmocka_unit_test(empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
