/* SPDX-License-Identifier: Apache-2.0 */

/* A name stands for exactly one id, and whatever else lies in the store is nobody's. */
#include "repo/names.h"

#include "rig.h"

static void
packs(void **state)
{
	struct pack_id id, back;
	char name[NAME_SIZE];

	(void)state;
	rig_fill(&id, sizeof(id), 1);
	id.b[0] = 0xab;
	id.b[15] = 0x01;
	name_pack(&id, name);
	assert_true(store_name_valid(name));
	assert_memory_equal(name, "packs/ab/ab", 11);
	assert_true(name_parse_pack(name, &back));
	assert_memory_equal(&id, &back, sizeof(id));

	static const char *const foreign[] = {
		"",
		"packs/",
		"packs/ab/",
		"packs/ab/abababababababababababababababa",
		"packs/ab/ababababababababababababababababab",
		"packs/ac/abababababababababababababababab",
		"packs/ab/abABababababababababababababababab",
		"packs/ab-abababababababababababababababab",
		"packs/ab/abababababababababababababababag",
		"index/ab/abababababababababababababababab",
	};
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		assert_false(name_parse_pack(foreign[i], &back));
	assert_memory_equal(&id, &back, sizeof(id));
}

static void
objects(void **state)
{
	struct object_id id, back = {{0}};
	char name[NAME_SIZE];

	(void)state;
	rig_fill(&id, sizeof(id), 2);
	name_object(NAME_POINTS, &id, name);
	assert_true(store_name_valid(name));
	assert_true(name_parse_object(NAME_POINTS, name, &back));
	assert_memory_equal(&id, &back, sizeof(id));
	assert_false(name_parse_object(NAME_INDEX, name, &back));
	assert_false(name_parse_object(NAME_POINTS, "points/", &back));
	assert_false(name_parse_object(NAME_POINTS, "points/00", &back));
	assert_false(name_parse_object(NAME_POINTS, "points/readme.txt", &back));
	assert_false(name_parse_object(NAME_POINTS, "point", &back));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packs),
		cmocka_unit_test(objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
