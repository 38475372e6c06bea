/* SPDX-License-Identifier: Apache-2.0 */

/* From live paths to where they are read; and the names of snapshots. */
#include "provider/snapshot_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct error err;

static void
add(struct snapshot_map *m, const char *live, const char *at)
{
	assert_int_equal(snapshot_map_add(m, live, at, &err), OK);
}

static void
expect(const struct snapshot_map *m, const char *path, const char *read)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(4096);

	assert_int_equal(snapshot_map_translate(m, path, &b, &err), OK);
	assert_string_equal((char *)b.p, read);
	assert_int_equal(b.n, strlen(read));
}

static void
test_longest_entry_counts(void **state)
{
	CLEAN(snapshot_map_done) struct snapshot_map m = SNAPSHOT_MAP_INIT;

	(void)state;
	expect(&m, "/srv", "/srv");
	assert_null(snapshot_map_find(&m, "/srv"));
	add(&m, "/srv/mnt", "/srv/mnt");
	add(&m, "/srv", "/srv/.holdfast/a-0");
	add(&m, "/srv/nested/", "/srv/nested/.holdfast/a-1/");
	expect(&m, "/srv", "/srv/.holdfast/a-0");
	expect(&m, "/srv/x/y", "/srv/.holdfast/a-0/x/y");
	expect(&m, "/srv/mnt/z", "/srv/mnt/z");
	expect(&m, "/srv/mnt2", "/srv/.holdfast/a-0/mnt2");
	expect(&m, "/srv/nested", "/srv/nested/.holdfast/a-1");
	expect(&m, "/srv/nested/f", "/srv/nested/.holdfast/a-1/f");
	expect(&m, "/srv2/f", "/srv2/f");
	expect(&m, "/", "/");
	add(&m, "/srv", "/elsewhere");
	assert_int_equal(m.n, 3);
	expect(&m, "/srv/x", "/elsewhere/x");
}

static void
test_root(void **state)
{
	CLEAN(snapshot_map_done) struct snapshot_map m = SNAPSHOT_MAP_INIT;

	(void)state;
	add(&m, "/", "/.holdfast/a-0");
	add(&m, "/boot", "/boot");
	expect(&m, "/", "/.holdfast/a-0");
	expect(&m, "/etc", "/.holdfast/a-0/etc");
	expect(&m, "/boot/x", "/boot/x");
	add(&m, "/", "/");
	expect(&m, "/etc", "/etc");
}

static void
test_below(void **state)
{
	CLEAN(snapshot_map_done) struct snapshot_map m = SNAPSHOT_MAP_INIT;

	(void)state;
	add(&m, "/a b", "/1");
	add(&m, "/a", "/2");
	add(&m, "/a/z", "/3");
	add(&m, "/a/b/c", "/4");
	assert_string_equal(snapshot_map_below(&m, "/a", 0)->live, "/a/b/c");
	assert_string_equal(snapshot_map_below(&m, "/a/", 1)->live, "/a/z");
	assert_null(snapshot_map_below(&m, "/a", 2));
	assert_non_null(snapshot_map_below(&m, "/", 3));
	assert_null(snapshot_map_below(&m, "/", 4));
	assert_true(snapshot_map_covers("/", "/x") && snapshot_map_covers("/x", "/x/"));
	assert_false(snapshot_map_covers("/x", "/xy"));
}

static void
test_relative_paths_are_refused(void **state)
{
	CLEAN(snapshot_map_done) struct snapshot_map m = SNAPSHOT_MAP_INIT;

	(void)state;
	assert_int_equal(snapshot_map_add(&m, "srv", "/x", &err), ERR_INTERNAL);
	assert_int_equal(snapshot_map_add(&m, "/srv", "", &err), ERR_INTERNAL);
	assert_int_equal(m.n, 0);
}

static void
test_names(void **state)
{
	static const char *const bad[] = {"",
					  "-0",
					  "000102030405060708090a0b0c0d0e0f",
					  "000102030405060708090a0b0c0d0e0f-",
					  "000102030405060708090a0b0c0d0e0f-01",
					  "000102030405060708090a0b0c0d0e0F-1",
					  "000102030405060708090a0b0c0d0e0f-1x",
					  "000102030405060708090a0b0c0d0e0f--1",
					  "000102030405060708090a0b0c0d0e0f-99999999999999"};
	struct snapshot s = {.index = 4294967295U}, back = {0};
	char text[SNAPSHOT_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(s.set); i++)
		s.set[i] = (uint8_t)i;
	assert_string_equal(snapshot_name(&s, text), "000102030405060708090a0b0c0d0e0f-4294967295");
	assert_true(snapshot_name_parse(text, &back));
	assert_memory_equal(back.set, s.set, sizeof(s.set));
	assert_int_equal(back.index, s.index);
	back.index = 5;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(snapshot_name_parse(bad[i], &back));
	assert_int_equal(back.index, 5);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_entry_counts),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_relative_paths_are_refused),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("snapshot map", tests, NULL, NULL);
}
