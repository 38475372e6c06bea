/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restoring trees, seen from outside: what is there afterwards, with each kind of entry. Where it goes and
 * what it meets there are in test_restore_target.c, _compare.c and _place.c, hostile and damaged restore
 * points in test_restore_hostile.c.
 */
#include "restore_scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { MIB = 1 << 20, PAGE = 8192 };

/* ---- one of each kind ---- */

static void
restores_files_of_every_size(void **state)
{
	struct scene *s = *state;
	uint8_t *big = scene_noise(s, 9 * MIB + 5, 1);

	memset(big + 2 * MIB, 0, 3 * MIB);
	struct node nodes[] = {
		scene_file(s, "empty", NULL, 0, false),
		scene_text(s, "one", "x"),
		scene_file(s, "inline", big, 300000, false),
		scene_file(s, "big", big, 9 * MIB + 5, true),
		scene_paged(s, "paged", big, 9 * MIB + 5, 13),
		scene_paged(s, "pages4k", big, 70001, 12),
	};
	struct blob_id tree = scene_tree(s, nodes, ARRAY_SIZE(nodes));

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	scene_expect(s, "empty", NULL, 0);
	scene_expect_text(s, "one", "x");
	scene_expect(s, "inline", big, 300000);
	scene_expect(s, "big", big, 9 * MIB + 5);
	scene_expect(s, "paged", big, 9 * MIB + 5);
	scene_expect(s, "pages4k", big, 70001);
	/* Holes came back as holes. */
	assert_true(scene_stat(s, "big").st_blocks * 512 < 7 * MIB);
	assert_true(scene_stat(s, "paged").st_blocks * 512 < 7 * MIB);
	assert_int_equal(s->stats.files, 6);
	assert_int_equal(s->stats.bytes, 300000 + 1 + 2 * (9 * MIB + 5) + 70001);
	assert_int_equal(atomic_load(&s->progress.files_done), 6);
	assert_int_equal(atomic_load(&s->progress.bytes_done), s->stats.bytes);
	assert_int_equal(atomic_load(&s->progress.bytes_total), s->stats.bytes);
}

static void
restores_sparse_files(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_hold(s, calloc(1, 4 * MIB));

	p[2 * MIB] = 1;
	struct node nodes[] = {
		scene_file(s, "all-hole", p, 2 * MIB, true),
		scene_file(s, "end-hole", p, 4 * MIB, true),
	};
	struct blob_id tree = scene_tree(s, nodes, ARRAY_SIZE(nodes));

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	scene_expect(s, "all-hole", p, 2 * MIB);
	scene_expect(s, "end-hole", p, 4 * MIB);
	assert_int_equal(scene_stat(s, "all-hole").st_blocks, 0);
	assert_true(scene_stat(s, "end-hole").st_blocks * 512 <= 128 << 10);
}

static void
restores_metadata_of_every_kind(void **state)
{
	struct scene *s = *state;
	bool root = geteuid() == 0;
	struct node inner[] = {scene_text(s, "in", "inner")};
	struct node nodes[] = {
		scene_text(s, "file", "content"),     scene_dir(s, "dir", inner, 1),
		scene_symlink(s, "link", "/nowhere"), scene_plain("pipe", NODE_FIFO),
		scene_plain("device", NODE_CHAR),
	};
	size_t n = root ? 5 : 4;

	nodes[0].mode = root ? 06711 : 0400;
	nodes[1].mode = 02750;
	nodes[1].mtime_ns = -1500000001; /* before 1970 */
	nodes[3].mode = 0620;
	nodes[4].rdev = (uint64_t)1 << 32 | 3;
	for (size_t i = 0; i < n && root; i++) {
		nodes[i].uid = (uint32_t)(1000 + i);
		nodes[i].gid = (uint32_t)(2000 + i);
	}
	struct blob_id tree = scene_tree(s, nodes, n);

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	scene_expect_like(s, "file", &nodes[0]);
	scene_expect_like(s, "dir", &nodes[1]);
	scene_expect_like(s, "dir/in", &inner[0]);
	scene_expect_like(s, "link", &nodes[2]);
	scene_expect_like(s, "pipe", &nodes[3]);
	assert_true(S_ISFIFO(scene_stat(s, "pipe").st_mode));
	char text[4096], target[64] = "";
	assert_int_equal(readlink(scene_path(s, "link", text), target, sizeof(target)), 8);
	assert_memory_equal(target, "/nowhere", 8);
	if (root) {
		struct stat st = scene_stat(s, "device");
		assert_true(S_ISCHR(st.st_mode));
		assert_true(st.st_rdev == makedev(1, 3));
	}
	assert_int_equal(s->stats.others, n - 2);
	assert_int_equal(s->stats.dirs, 1);
	/* Like new for a second look: nothing differs, nothing is touched. */
	struct stat before = scene_stat(s, "file");
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	struct stat after = scene_stat(s, "file");
	assert_true(before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
		    before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

static void
restores_names_of_any_bytes(void **state)
{
	struct scene *s = *state;
	char longest[256], every[256];

	memset(longest, 'n', 255);
	longest[255] = '\0';
	size_t n = 0;
	for (int c = 1; c < 256; c++)
		if (c != '/')
			every[n++] = (char)c;
	every[n] = '\0';
	struct node nodes[] = {
		scene_text(s, longest, "longest"), scene_text(s, every, "every"),
		scene_text(s, "...", "dots"),      scene_text(s, "..x", "dots too"),
		scene_text(s, " \n", "blank"),     scene_text(s, "-rf", "dash"),
	};
	struct blob_id tree = scene_tree(s, nodes, ARRAY_SIZE(nodes));

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	scene_expect_text(s, longest, "longest");
	scene_expect_text(s, every, "every");
	scene_expect_text(s, "...", "dots");
	scene_expect_text(s, "..x", "dots too");
	scene_expect_text(s, " \n", "blank");
	scene_expect_text(s, "-rf", "dash");
}

static void
restores_attributes_and_acls(void **state)
{
	struct scene *s = *state;
	/* version 2; user::rw-, group::r--, group 7:rw-, mask::rw-, other::--- */
	static const uint8_t acl[] = {2,   0,   0,   0,  1, 0,   6,   0,   255, 255, 255,
				      255, 4,   0,   4,  0, 255, 255, 255, 255, 8,   0,
				      6,   0,   7,   0,  0, 0,   16,  0,   6,   0,   255,
				      255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};
	struct node file = scene_text(s, "file", "content");
	char text[4096], value[256];

	file.mode = 0660;
	scene_xattr(s, &file, "system.posix_acl_access", acl, sizeof(acl));
	scene_xattr(s, &file, "user.colour", "blue", 4);
	scene_xattr(s, &file, "user.empty", "", 0);
	struct node dir = scene_dir(s, "dir", &file, 1);
	scene_xattr(s, &dir, "system.posix_acl_default", acl, sizeof(acl));
	struct node nodes[] = {file, dir};
	struct blob_id tree = scene_tree(s, nodes, 2);

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	(void)scene_path(s, "file", text);
	assert_int_equal(getxattr(text, "user.colour", value, sizeof(value)), 4);
	assert_memory_equal(value, "blue", 4);
	assert_int_equal(getxattr(text, "user.empty", value, sizeof(value)), 0);
	assert_int_equal(getxattr(text, "system.posix_acl_access", value, sizeof(value)),
			 sizeof(acl));
	assert_memory_equal(value, acl, sizeof(acl));
	(void)scene_path(s, "dir", text);
	assert_int_equal(getxattr(text, "system.posix_acl_default", value, sizeof(value)),
			 sizeof(acl));
	/* What a file has too much is taken away again. */
	(void)scene_path(s, "dir/file", text);
	assert_int_equal(setxattr(text, "user.extra", "1", 1, 0), 0);
	assert_int_equal(setxattr(text, "user.colour", "red", 3, 0), 0);
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	assert_int_equal(getxattr(text, "user.extra", value, sizeof(value)), -1);
	assert_int_equal(getxattr(text, "user.colour", value, sizeof(value)), 4);
}

static void
long_attribute_lists_of_folders_are_applied(void **state)
{
	struct scene *s = *state;
	struct node inner = scene_text(s, "in", "inner");
	struct node dir = scene_dir(s, "dir", &inner, 1);
	char value[2000], text[4096];

	memset(value, 'v', sizeof(value));
	dir.mode = 0751;
	scene_xattr(s, &dir, "user.a", value, 1700);
	scene_xattr(s, &dir, "user.b", value, 900);
	struct blob_id tree = scene_tree(s, &dir, 1);

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	(void)scene_path(s, "dir", text);
	assert_int_equal(getxattr(text, "user.a", value, sizeof(value)), 1700);
	assert_int_equal(getxattr(text, "user.b", value, sizeof(value)), 900);
	scene_expect_like(s, "dir", &dir);
}

/* ---- hard links ---- */

static void
restores_hard_links(void **state)
{
	struct scene *s = *state;
	struct node a = scene_text(s, "a", "shared"), b = a, c = a, other = a;
	struct node l1 = scene_symlink(s, "l1", "to"), l2 = l1;

	a.nlink = b.nlink = c.nlink = other.nlink = 3;
	a.dev = b.dev = c.dev = other.dev = 5;
	a.ino = b.ino = c.ino = 77;
	other.ino = 78;
	b.name = SLICE("b", 1);
	other.name = SLICE("other", 5);
	l1.nlink = l2.nlink = 2;
	l1.ino = l2.ino = 99;
	l2.name = SLICE("l2", 2);
	struct node dir = scene_dir(s, "dir", &c, 1);
	struct node nodes[] = {a, b, dir, other, l1, l2};
	struct blob_id tree = scene_tree(s, nodes, ARRAY_SIZE(nodes));

	for (int round = 0; round < 2; round++) {
		scene_restore_clean(s, &tree, round == 0 ? RESTORE_EMPTY : RESTORE_DELTA);
		struct stat st = scene_stat(s, "a");
		assert_int_equal(st.st_nlink, 3);
		assert_true(st.st_ino == scene_stat(s, "b").st_ino);
		assert_true(st.st_ino == scene_stat(s, "dir/a").st_ino);
		/* Its other names are not in this restore point. */
		assert_int_equal(scene_stat(s, "other").st_nlink, 1);
		assert_true(scene_stat(s, "l1").st_ino == scene_stat(s, "l2").st_ino);
		scene_expect_text(s, "dir/a", "shared");
		scene_expect_text(s, "other", "shared");
		scene_expect_like(s, "dir", &dir);
		assert_int_equal(s->stats.files, 4);
		assert_int_equal(s->stats.others, 2);
	}
}

static void
names_of_changed_inode_are_not_linked(void **state)
{
	struct scene *s = *state;
	struct node nodes[] = {scene_text(s, "a", "before"), scene_text(s, "b", "after!")};

	nodes[0].nlink = nodes[1].nlink = 2;
	nodes[0].ino = nodes[1].ino = 7;
	struct blob_id tree = scene_tree(s, nodes, 2);

	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 0);
	assert_int_equal(s->notes, 1);
	scene_expect_text(s, "a", "before");
	scene_expect_text(s, "b", "after!");
}

/* ---- single nodes, long paths, many files ---- */

static int
restore_one(struct scene *s, const struct node *node)
{
	scene_read(s);
	memset(&s->progress, 0, sizeof(s->progress));
	return restore_node(s->rig->repo, s->rig->index, node, s->target, &s->options, &s->stats,
			    &s->err);
}

static void
restores_one_node(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_noise(s, 2 * MIB, 8);
	struct node file = scene_paged(s, "file", p, 2 * MIB, 13);
	struct node link = scene_symlink(s, "link", "x");
	struct node dir = scene_dir(s, "dir", NULL, 0);

	assert_int_equal(restore_one(s, &file), OK);
	scene_expect(s, "file", p, 2 * MIB);
	scene_expect_like(s, "file", &file);
	assert_int_equal(restore_one(s, &link), ERR_TARGET); /* no longer empty */
	s->options.mode = RESTORE_DELTA;
	assert_int_equal(restore_one(s, &link), OK);
	scene_expect(s, "file", p, 2 * MIB); /* not removed */
	scene_expect_like(s, "link", &link);
	scene_change_byte(s, "file", 9000);
	assert_int_equal(restore_one(s, &file), OK);
	assert_int_equal(s->stats.bytes_written, PAGE);
	assert_int_equal(restore_one(s, &dir), ERR_USAGE);
}

/* ---- depth and breadth ---- */

static void
restores_paths_longer_than_any_call_takes(void **state)
{
	struct scene *s = *state;
	enum { DEPTH = 700, LENGTH = 200 };
	char name[LENGTH + 1];
	struct node node = scene_text(s, "bottom", "deep down");

	memset(name, 'd', LENGTH);
	name[LENGTH] = '\0';
	for (int i = 0; i < DEPTH; i++) {
		struct node both[] = {node, scene_text(s, "z", "beside")};
		both[0].mode = both[0].type == NODE_DIR ? 0750 : 0640;
		node = scene_dir(s, name, both, 2);
	}
	struct blob_id tree = scene_tree(s, &node, 1);

	scene_restore_clean(s, &tree, RESTORE_EMPTY);
	assert_int_equal(s->stats.files, DEPTH + 1);
	int fd = open(s->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < DEPTH; i++) {
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct stat st;

		assert_true(next >= 0);
		assert_int_equal(fstat(next, &st), 0);
		assert_int_equal(st.st_mode & 07777, i == 0 ? 0755 : 0750);
		assert_true(st.st_mtim.tv_nsec == node.mtime_ns % 1000000000);
		(void)close(fd);
		fd = next;
	}
	int file = openat(fd, "bottom", O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	assert_int_equal(read(file, text, sizeof(text)), 9);
	assert_string_equal(text, "deep down");
	(void)close(file);
	(void)close(fd);
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	assert_int_equal(s->stats.bytes_written, 0);
}

static void
restores_many_files(void **state)
{
	struct scene *s = *state;
	enum { DIRS = 60, FILES = 200 };
	struct node dirs[DIRS], files[FILES];
	static char names[FILES][16], dir_names[DIRS][16];
	uint8_t content[4096];

	for (size_t d = 0; d < DIRS; d++) {
		(void)snprintf(dir_names[d], sizeof(dir_names[d]), "d%03zu", d);
		for (size_t f = 0; f < FILES; f++) {
			(void)snprintf(names[f], sizeof(names[f]), "f%03zu", f);
			size_t n = rig_sample(d * FILES + f, content);
			files[f] = scene_file(s, names[f], content, n, false);
		}
		dirs[d] = scene_dir(s, dir_names[d], files, FILES);
		dirs[d].mode = 0555;
	}
	struct blob_id tree = scene_tree(s, dirs, DIRS);

	for (int round = 0; round < 2; round++) {
		scene_restore_clean(s, &tree, round == 0 ? RESTORE_EMPTY : RESTORE_DELTA);
		assert_int_equal(s->stats.files, DIRS * FILES);
		for (size_t d = 0; d < DIRS; d += 7)
			for (size_t f = 0; f < FILES; f += 13) {
				char path[64];
				size_t n = rig_sample(d * FILES + f, content);
				(void)snprintf(path, sizeof(path), "d%03zu/f%03zu", d, f);
				scene_expect(s, path, content, n);
			}
	}
	assert_int_equal(s->stats.bytes_written, 0);
	scene_expect_like(s, "d000", &dirs[0]);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(restores_files_of_every_size),
		TEST(restores_sparse_files),
		TEST(restores_metadata_of_every_kind),
		TEST(restores_names_of_any_bytes),
		TEST(restores_attributes_and_acls),
		TEST(long_attribute_lists_of_folders_are_applied),
		TEST(restores_hard_links),
		TEST(names_of_changed_inode_are_not_linked),
		TEST(restores_one_node),
		TEST(restores_paths_longer_than_any_call_takes),
		TEST(restores_many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
