/* SPDX-License-Identifier: Apache-2.0 */

/* Parts of a tree that are left out, or go elsewhere. */
#include "restore_scene.h"

#include <stdio.h>
#include <string.h>

static void
skipped_paths_are_left_alone(void **state)
{
	struct scene *s = *state;
	struct node deep[] = {scene_text(s, "no", "no"), scene_text(s, "yes", "yes")};
	struct node mid[] = {scene_dir(s, "deep", deep, 2)};
	struct node nodes[] = {scene_dir(s, "mid", mid, 1), scene_dir(s, "off", deep, 2),
			       scene_text(s, "no", "other")};
	struct blob_id tree = scene_tree(s, nodes, 3);
	const char *skip[] = {"/mid/deep//no", "off/"};

	scene_put(s, "off/mine", "mine");
	s->options.skip = skip;
	s->options.n_skip = 2;
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	scene_expect_text(s, "mid/deep/yes", "yes");
	scene_expect_absent(s, "mid/deep/no");
	scene_expect_text(s, "no", "other");
	scene_expect_text(s, "off/mine", "mine");
	scene_expect_absent(s, "off/yes");
}

static void
relocated_folders_go_elsewhere(void **state)
{
	struct scene *s = *state;
	struct node in[] = {scene_text(s, "in", "inner"), scene_text(s, "skipped", "x")};
	struct node space = scene_dir(s, "16384", in, 2);
	struct node spaces = scene_dir(s, "pg_tblspc", &space, 1);
	struct node nodes[] = {spaces, scene_text(s, "base", "base")};
	struct blob_id tree = scene_tree(s, nodes, 2);
	char to[128], text[4096], link[256] = "";

	(void)snprintf(to, sizeof(to), "%s/space/one", s->base);
	struct restore_relocation relocate = {.at = "pg_tblspc/16384", .to = to};
	const char *skip = "pg_tblspc/16384/skipped";
	s->options.relocate = &relocate;
	s->options.n_relocate = 1;
	s->options.skip = &skip;
	s->options.n_skip = 1;
	for (int round = 0; round < 2; round++) {
		scene_restore_clean(s, &tree, round == 0 ? RESTORE_EMPTY : RESTORE_DELTA);
		ssize_t n = readlink(scene_path(s, "pg_tblspc/16384", text), link,
				     sizeof(link) - 1);
		assert_int_equal(n, strlen(to));
		assert_memory_equal(link, to, (size_t)n);
		scene_expect_text(s, "../space/one/in", "inner");
		scene_expect_absent(s, "../space/one/skipped");
		scene_expect_like(s, "../space/one", &space);
		scene_expect_like(s, "pg_tblspc", &spaces);
	}
}

static void
impossible_relocations_are_refused(void **state)
{
	struct scene *s = *state;
	struct node in = scene_text(s, "in", "inner");
	struct node nodes[] = {scene_dir(s, "dir", &in, 1), scene_text(s, "file", "x")};
	struct blob_id tree = scene_tree(s, nodes, 2);
	char below[128], full[128];

	(void)snprintf(below, sizeof(below), "%s/below", s->target);
	(void)snprintf(full, sizeof(full), "%s", s->base);
	const struct {
		struct restore_relocation r;
		int rc;
	} cases[] = {
		{{.at = "nothing", .to = "/tmp/x"}, ERR_USAGE},
		{{.at = "file", .to = "/tmp/x"}, ERR_USAGE},
		{{.at = "../dir", .to = "/tmp/x"}, ERR_USAGE},
		{{.at = "", .to = "/tmp/x"}, ERR_USAGE},
		{{.at = "dir", .to = "relative"}, ERR_USAGE},
		{{.at = "dir", .to = below}, ERR_USAGE}, /* in the target */
	};

	s->options.n_relocate = 1;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		s->options.relocate = &cases[i].r;
		assert_int_equal(scene_restore(s, &tree), cases[i].rc);
		(void)rmdir(below);
		(void)rmdir(s->target);
	}
	/* Not empty, as the target is in it: refused for that, with nothing restored. */
	struct restore_relocation above = {.at = "dir", .to = full};
	s->options.relocate = &above;
	assert_int_equal(scene_restore(s, &tree), ERR_TARGET);
	s->options.mode = RESTORE_OVERWRITE;
	assert_int_equal(scene_restore(s, &tree), ERR_USAGE);
	scene_expect_absent(s, "file");
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(skipped_paths_are_left_alone),
		TEST(relocated_folders_go_elsewhere),
		TEST(impossible_relocations_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
