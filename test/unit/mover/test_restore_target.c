/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a tree is restored to: what may be there already, what the target itself gets, what overwriting
 * keeps.
 */
#include "restore_scene.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void
refuses_target_that_is_not_empty(void **state)
{
	struct scene *s = *state;
	struct node node = scene_text(s, "new", "new");
	struct blob_id tree = scene_tree(s, &node, 1);

	scene_put(s, "old", "old");
	s->options.mode = RESTORE_EMPTY;
	assert_int_equal(scene_restore(s, &tree), ERR_TARGET);
	assert_non_null(strstr(s->err.msg, "not empty"));
	assert_non_null(strstr(s->err.hint, "--overwrite"));
	scene_expect_absent(s, "new");
	scene_expect_text(s, "old", "old");
}

static void
target_may_be_reached_through_links(void **state)
{
	struct scene *s = *state;
	struct node node = scene_text(s, "f", "content");
	struct blob_id tree = scene_tree(s, &node, 1);
	char link[128];

	(void)snprintf(link, sizeof(link), "%s/link", s->base);
	assert_int_equal(symlink(s->base, link), 0);
	(void)snprintf(s->target, sizeof(s->target), "%s/link/x/y//", s->base);
	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	scene_expect_text(s, "f", "content");
	struct stat st = scene_stat(s, ".");
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void
a_fresh_file_system_counts_as_empty(void **state)
{
	struct scene *s = *state;
	struct node nodes[] = {scene_text(s, "f", "content"), scene_dir(s, "lost+found", NULL, 0)};
	struct blob_id tree = scene_tree(s, nodes, 2), without = scene_tree(s, nodes, 1);
	char text[4096];

	assert_int_equal(mkdir(s->target, 0755), 0);
	assert_int_equal(mkdir(scene_path(s, "lost+found", text), 0700), 0);
	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	scene_expect_text(s, "f", "content");
	scene_restore_clean(s, &without, RESTORE_DELTA);
	(void)scene_stat(s, "lost+found");
}

static void
the_target_itself_gets_what_top_says(void **state)
{
	struct scene *s = *state;
	struct node node = scene_text(s, "f", "content");
	struct node top = scene_dir(s, "data", &node, 1);

	top.mode = 0750;
	if (geteuid() == 0)
		top.uid = 1234;
	s->options.top = &top;
	scene_restore_clean(s, &top.tree, RESTORE_EMPTY);
	scene_expect_like(s, ".", &top);
}

/* ---- over what is there ---- */

static void
overwrite_keeps_what_is_not_in_the_point(void **state)
{
	struct scene *s = *state;
	struct node inner = scene_text(s, "in", "new");
	struct node nodes[] = {
		scene_text(s, "file", "new"),         scene_symlink(s, "link", "new"),
		scene_dir(s, "dir", &inner, 1),       scene_dir(s, "was-link", &inner, 1),
		scene_text(s, "was-dir", "file now"), scene_text(s, "was-full", "file now"),
	};
	struct blob_id tree = scene_tree(s, nodes, ARRAY_SIZE(nodes));
	char text[4096], outside[4096];

	scene_put(s, "file", "old and longer");
	scene_put(s, "extra", "extra");
	scene_put(s, "dir/extra", "extra");
	scene_put(s, "was-full/keep", "keep");
	assert_int_equal(symlink("old", scene_path(s, "link", text)), 0);
	(void)snprintf(outside, sizeof(outside), "%s/outside", s->base);
	assert_int_equal(mkdir(outside, 0755), 0);
	assert_int_equal(symlink(outside, scene_path(s, "was-link", text)), 0);
	assert_int_equal(mkdir(scene_path(s, "was-dir", text), 0755), 0);
	/* A second name outside of the target must not change along. */
	(void)snprintf(outside, sizeof(outside), "%s/outside/name", s->base);
	assert_int_equal(link(scene_path(s, "file", text), outside), 0);

	s->options.mode = RESTORE_OVERWRITE;
	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 1);
	assert_true(scene_warned(s, "was-full: a folder with content is in its place"));
	scene_expect_text(s, "was-full/keep", "keep");
	scene_expect_text(s, "file", "new");
	scene_expect_text(s, "extra", "extra");
	scene_expect_text(s, "dir/extra", "extra");
	scene_expect_text(s, "dir/in", "new");
	scene_expect_text(s, "was-dir", "file now");
	scene_expect_text(s, "was-link/in", "new");
	assert_true(S_ISDIR(scene_stat(s, "was-link").st_mode));
	scene_expect_text(s, "../outside/name", "old and longer");
	scene_expect_absent(s, "../outside/in");
	assert_int_equal(readlink(scene_path(s, "link", text), outside, 10), 3);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(refuses_target_that_is_not_empty),
		TEST(target_may_be_reached_through_links),
		TEST(a_fresh_file_system_counts_as_empty),
		TEST(the_target_itself_gets_what_top_says),
		TEST(overwrite_keeps_what_is_not_in_the_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
