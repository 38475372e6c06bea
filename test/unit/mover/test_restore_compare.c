/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Delta restores: what is equal is left alone, what differs is made equal, and nothing else is touched.
 */
#include "restore_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MIB = 1 << 20, PAGE = 8192 };

static void
delta_leaves_equal_files_alone(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_noise(s, 3 * MIB, 4);
	struct node nodes[] = {scene_file(s, "chunks", p, 3 * MIB, false),
			       scene_paged(s, "pages", p, 3 * MIB, 13)};
	struct blob_id tree = scene_tree(s, nodes, 2);

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	assert_int_equal(s->stats.bytes_written, 6 * MIB);
	struct stat before = scene_stat(s, "pages");
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	struct stat after = scene_stat(s, "pages");
	assert_int_equal(s->stats.bytes_written, 0);
	assert_int_equal(s->stats.bytes, 6 * MIB);
	assert_int_equal(atomic_load(&s->progress.files_unchanged), 2);
	assert_true(before.st_ino == after.st_ino);
	assert_true(before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

static void
delta_writes_only_what_differs(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_noise(s, 3 * MIB + 100, 5);
	struct node nodes[] = {scene_file(s, "chunks", p, 3 * MIB + 100, false),
			       scene_paged(s, "pages", p, 3 * MIB + 100, 13)};
	struct blob_id tree = scene_tree(s, nodes, 2);

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	scene_change_byte(s, "pages", 2 * MIB + 5 * PAGE + 17);
	scene_change_byte(s, "pages", 3 * MIB + 50);
	scene_change_byte(s, "chunks", 70000);
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	scene_expect(s, "pages", p, 3 * MIB + 100);
	scene_expect(s, "chunks", p, 3 * MIB + 100);
	assert_int_equal(s->stats.bytes_written, PAGE + 100 + (64 << 10));
	assert_int_equal(atomic_load(&s->progress.files_changed), 2);
	scene_expect_like(s, "pages", &nodes[1]);
}

static void
delta_makes_sizes_types_and_entries_equal(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_noise(s, MIB, 6);
	struct node inner = scene_text(s, "in", "inner");
	struct node nodes[] = {
		scene_file(s, "longer", p, MIB, false), scene_file(s, "shorter", p, MIB, false),
		scene_file(s, "gone", p, 1000, false),  scene_text(s, "type", "a file"),
		scene_dir(s, "dir", &inner, 1),         scene_dir(s, "made", &inner, 1),
	};
	struct blob_id tree = scene_tree(s, nodes, ARRAY_SIZE(nodes));
	char text[4096];

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	assert_int_equal(truncate(scene_path(s, "longer", text), 2 * MIB), 0);
	assert_int_equal(truncate(scene_path(s, "shorter", text), 12345), 0);
	assert_int_equal(unlink(scene_path(s, "gone", text)), 0);
	assert_int_equal(unlink(scene_path(s, "type", text)), 0);
	scene_put(s, "type/deep/er/file", "in the way");
	scene_put(s, "extra/a", "1");
	scene_put(s, "extra/b/c", "2");
	scene_put(s, "dir/x", "3");
	assert_int_equal(unlink(scene_path(s, "made/in", text)), 0);
	assert_int_equal(rmdir(scene_path(s, "made", text)), 0);
	assert_int_equal(symlink(s->base, scene_path(s, "made", text)), 0);
	assert_int_equal(symlink(s->base, scene_path(s, "extra-link", text)), 0);
	assert_int_equal(chmod(scene_path(s, "dir", text), 0700), 0);

	scene_restore_clean(s, &tree, RESTORE_DELTA);
	scene_expect(s, "longer", p, MIB);
	scene_expect(s, "shorter", p, MIB);
	scene_expect(s, "gone", p, 1000);
	scene_expect_text(s, "type", "a file");
	scene_expect_absent(s, "extra");
	scene_expect_absent(s, "extra-link");
	scene_expect_absent(s, "dir/x");
	scene_expect_text(s, "made/in", "inner");
	scene_expect_like(s, "dir", &nodes[4]);
	assert_int_equal(s->stats.files_removed, 4);
	(void)scene_stat(s, "../target"); /* the folder the links led to */
}

static void
delta_punches_holes(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_noise(s, 4 * MIB, 7);

	memset(p + MIB, 0, 2 * MIB);
	struct node nodes[] = {scene_file(s, "chunks", p, 4 * MIB, true),
			       scene_paged(s, "pages", p, 4 * MIB, 13)};
	struct blob_id tree = scene_tree(s, nodes, 2);

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	scene_change_byte(s, "chunks", MIB + 70000);
	scene_change_byte(s, "pages", 2 * MIB);
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	scene_expect(s, "chunks", p, 4 * MIB);
	scene_expect(s, "pages", p, 4 * MIB);
	assert_true(scene_stat(s, "chunks").st_blocks * 512 <= 2 * MIB + 8192);
	assert_true(scene_stat(s, "pages").st_blocks * 512 <= 2 * MIB + 8192);
	assert_int_equal(s->stats.bytes_written, 0);
}

static void
delta_does_not_reach_through_other_names(void **state)
{
	struct scene *s = *state;
	struct node nodes[] = {scene_text(s, "f", "from the point"), scene_text(s, "g", "second")};
	struct blob_id tree = scene_tree(s, nodes, 2);
	char text[4096], outside[128];

	scene_put(s, "f", "live content!!");
	(void)snprintf(outside, sizeof(outside), "%s/outside", s->base);
	assert_int_equal(link(scene_path(s, "f", text), outside), 0);
	/* In the target, two names of one file that are two files in the point. */
	assert_int_equal(link(outside, scene_path(s, "g", text)), 0);
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	scene_expect_text(s, "f", "from the point");
	scene_expect_text(s, "g", "second");
	scene_expect_text(s, "../outside", "live content!!");
}

static void
delta_removes_very_many_extras(void **state)
{
	struct scene *s = *state;
	struct node keep = scene_text(s, "keep", "kept");
	struct blob_id tree = scene_tree(s, &keep, 1);
	char text[4096], name[256];

	/* More names than fit into one pass. */
	enum { EXTRAS = 20000, LENGTH = 240 };
	assert_int_equal(mkdir(s->target, 0755), 0);
	int dir = open(s->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(name, 'x', sizeof(name));
	scene_put(s, "origin", "x");
	(void)scene_path(s, "origin", text);
	for (int i = 0; i < EXTRAS; i++) {
		(void)snprintf(name + LENGTH, sizeof(name) - LENGTH, "%d", i);
		int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(close(fd), 0);
	}
	(void)close(dir);
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	scene_expect_text(s, "keep", "kept");
	assert_int_equal(s->stats.files_removed, EXTRAS + 1);
	assert_int_equal(rmdir(s->target), -1);
	assert_int_equal(unlink(scene_path(s, "keep", text)), 0);
	assert_int_equal(rmdir(s->target), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(delta_leaves_equal_files_alone),
		TEST(delta_writes_only_what_differs),
		TEST(delta_makes_sizes_types_and_entries_equal),
		TEST(delta_punches_holes),
		TEST(delta_does_not_reach_through_other_names),
		TEST(delta_removes_very_many_extras),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
