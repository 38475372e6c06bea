/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restoring what nobody should have stored, into places somebody else plays with, from a repository
 * that is damaged: nothing outside of the target changes, no wrong byte is left, and every loss is
 * told.
 */
#include "restore_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "repo/map.h"
#include "store/mem.h"

enum { MIB = 1 << 20 };

/* A file beside the target that nothing may touch. */
static void
guard_outside(struct scene *s)
{
	scene_put(s, "../outside/precious", "precious");
}

static void
expect_outside_untouched(struct scene *s)
{
	char text[4096];

	scene_expect_text(s, "../outside/precious", "precious");
	assert_int_equal(rename(scene_path(s, "../outside/precious", text), s->base), -1);
	struct stat st = scene_stat(s, "../outside");
	assert_int_equal(st.st_nlink, 2);
	/* The only entry of it. */
	char moved[4096];
	assert_int_equal(rename(scene_path(s, "../outside/precious", text),
				scene_path(s, "../precious", moved)),
			 0);
	assert_int_equal(rmdir(scene_path(s, "../outside", text)), 0);
}

/* ---- names and entries ---- */

/* One encoded folder with one file of a name no honest writer would store. */
static struct blob_id
raw_tree(struct scene *s, const char *name, size_t n, uint8_t type)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(4096);
	struct error *e = &s->err;

	int rc = buf_u8(&b, 'T', e) | buf_u8(&b, FORMAT_VERSION, e) | buf_varint(&b, 1, e) |
		 buf_bytes(&b, name, n, e) | buf_u8(&b, type, e) | buf_u8(&b, 0, e) |
		 buf_varint(&b, 0644, e) | buf_varint(&b, 0, e) | buf_varint(&b, 0, e) |
		 buf_le64(&b, 0, e) | buf_le64(&b, 0, e) | buf_varint(&b, 0, e) |
		 buf_varint(&b, 0, e) | buf_varint(&b, 1, e) | buf_bytes(&b, "", 0, e) |
		 buf_varint(&b, 0, e);
	assert_int_equal(rc, OK);
	return scene_raw_tree(s, &b);
}

static void
impossible_names_restore_nothing(void **state)
{
	struct scene *s = *state;
	static const struct {
		const char *name;
		size_t n;
	} names[] = {{"..", 2}, {".", 1}, {"a/b", 3}, {"/x", 2}, {"../x", 4}, {"a\0b", 3}, {"", 0}};
	struct node nodes[ARRAY_SIZE(names) + 1];
	char text[ARRAY_SIZE(names)][8];

	guard_outside(s);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(text[i], sizeof(text[i]), "d%zu", i);
		nodes[i] = scene_dir(s, text[i], NULL, 0);
		nodes[i].tree = raw_tree(s, names[i].name, names[i].n, NODE_FILE);
	}
	nodes[ARRAY_SIZE(names)] = scene_text(s, "good", "good");
	struct blob_id tree = scene_tree(s, nodes, ARRAY_SIZE(nodes));

	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, ARRAY_SIZE(names));
	assert_true(scene_warned(s, "target/d0: entries of this folder are missing"));
	scene_expect_text(s, "good", "good");
	assert_int_equal(s->stats.files, 1);

	/* And where no parser stands before it. */
	s->options.mode = RESTORE_OVERWRITE;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct node node = scene_plain("x", NODE_FIFO);

		node.name = SLICE(names[i].name, names[i].n);
		s->serious = 0;
		assert_int_equal(restore_node(s->rig->repo, s->rig->index, &node, s->target,
					      &s->options, &s->stats, &s->err),
				 OK);
		assert_int_equal(s->serious, 1);
	}
	expect_outside_untouched(s);
}

static void
links_in_the_target_are_not_followed(void **state)
{
	struct scene *s = *state;
	struct node in[] = {scene_text(s, "precious", "overwritten"), scene_text(s, "new", "new")};
	struct node nodes[] = {scene_dir(s, "dir", in, 2), scene_text(s, "file", "overwritten")};
	struct blob_id tree = scene_tree(s, nodes, 2);
	static const enum restore_mode modes[] = {RESTORE_OVERWRITE, RESTORE_DELTA};
	char text[4096], dir[128], file[128];

	(void)snprintf(dir, sizeof(dir), "%s/outside", s->base);
	(void)snprintf(file, sizeof(file), "%s/outside/precious", s->base);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		guard_outside(s);
		(void)mkdir(s->target, 0755);
		assert_int_equal(symlink(dir, scene_path(s, "dir", text)), 0);
		assert_int_equal(symlink(file, scene_path(s, "file", text)), 0);
		scene_restore_clean(s, &tree, modes[i]);
		scene_expect_text(s, "file", "overwritten");
		scene_expect_text(s, "dir/precious", "overwritten");
		expect_outside_untouched(s);
		assert_int_equal(unlink(scene_path(s, "file", text)), 0);
		assert_int_equal(unlink(scene_path(s, "dir/new", text)), 0);
		assert_int_equal(unlink(scene_path(s, "dir/precious", text)), 0);
		assert_int_equal(rmdir(scene_path(s, "dir", text)), 0);
	}
}

static void
restored_links_are_not_followed_either(void **state)
{
	struct scene *s = *state;
	char dir[128];

	guard_outside(s);
	(void)snprintf(dir, sizeof(dir), "%s/outside", s->base);
	/* A link to outside, of several names; a "name" of the same inode that is a file. */
	struct node links[] = {scene_symlink(s, "a", dir), scene_symlink(s, "b", dir),
			       scene_text(s, "c", "not a link")};
	for (size_t i = 0; i < 3; i++) {
		links[i].nlink = 3;
		links[i].ino = 1;
		links[i].mode = 04777;
	}
	struct blob_id tree = scene_tree(s, links, 3);

	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 0);
	assert_int_equal(s->notes, 1);
	scene_expect_text(s, "c", "not a link");
	assert_true(S_ISLNK(scene_stat(s, "a").st_mode));
	assert_int_equal(scene_stat(s, "../outside").st_mode & 07777, 0755);
	expect_outside_untouched(s);
}

static void
sizes_that_lie_are_found_out(void **state)
{
	struct scene *s = *state;
	struct node nodes[] = {scene_text(s, "longer", "content"), scene_text(s, "ok", "content"),
			       scene_text(s, "shorter", "content")};

	nodes[0].size = 100;
	nodes[2].size = 3;
	struct blob_id tree = scene_tree(s, nodes, 3);

	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 2);
	scene_expect_text(s, "ok", "content");
	scene_expect_absent(s, "longer");
	scene_expect_absent(s, "shorter");
}

static void
a_chunk_that_is_another_blob_is_found_out(void **state)
{
	struct scene *s = *state;
	struct node nodes[] = {scene_text(s, "a", "what was meant"),
			       scene_text(s, "b", "what came!")};
	/* The map of `b` with the content of `a`: lengths differ; then with equal lengths. */
	nodes[1].content = nodes[0].content;
	struct blob_id tree = scene_tree(s, nodes, 2);

	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 1);
	scene_expect_text(s, "a", "what was meant");
	scene_expect_absent(s, "b");
}

/* A paged file of one page, whose fingerprint is as given. */
static struct node
one_page(struct scene *s, const char *name, const uint8_t *page, const uint8_t fingerprint[16])
{
	CLEAN(free_ptr) struct region *g = calloc(1, sizeof(*g));
	struct node node = scene_plain(name, NODE_FILE);
	struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	struct blob_id region, id;
	struct map_segment segment = {
		.length = 8192, .paged = true, .n_regions = 1, .regions = &region};

	assert_non_null(g);
	g->length = 8192;
	g->page_shift = 13;
	g->n_pages = g->n_blobs = 1;
	g->blobs[0] = rig_put(s->rig, BLOB_PAGES, page, 8192);
	memcpy(g->fingerprints[0], fingerprint, 16);
	rig_ok(s->rig, map_put_region(s->rig->sink, g, &region, &s->rig->err));
	rig_ok(s->rig, map_put_segment(s->rig->sink, &segment, &id, &s->rig->err));
	rig_ok(s->rig, map_encode_segments(s->rig->sink, &id, 1, &content, &s->rig->err));
	node.size = 8192;
	node.content = buf_slice(&content);
	(void)scene_hold(s, content.p);
	return node;
}

static void
pages_that_are_not_the_ones_meant_are_found_out(void **state)
{
	struct scene *s = *state;
	uint8_t page[8192], other[8192], right[16], wrong[16], none[16] = {0};

	rig_fill(page, sizeof(page), 1);
	rig_fill(other, sizeof(other), 2);
	rig_ok(s->rig, repo_sink_fingerprint(s->rig->sink, SLICE(page, 8192), right, &s->rig->err));
	rig_ok(s->rig,
	       repo_sink_fingerprint(s->rig->sink, SLICE(other, 8192), wrong, &s->rig->err));
	struct node nodes[] = {
		one_page(s, "none", page, none),
		one_page(s, "right", page, right),
		one_page(s, "wrong", page, wrong),
	};
	struct blob_id tree = scene_tree(s, nodes, ARRAY_SIZE(nodes));

	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 2);
	scene_expect(s, "right", page, sizeof(page));
	scene_expect_absent(s, "none");
	scene_expect_absent(s, "wrong");
	assert_true(scene_warned(s, "wrong: the page at 0 does not match its fingerprint"));

	/* Over existing content, too: it stays, and the loss is told. */
	scene_put(s, "wrong", "something else");
	scene_put(s, "none", "something else");
	s->options.mode = RESTORE_DELTA;
	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 2);
}

static void
foreign_attributes_are_refused(void **state)
{
	struct scene *s = *state;
	struct node node = scene_text(s, "f", "content");
	char text[4096], value[16];

	scene_xattr(s, &node, "security.evm", "x", 1);
	scene_xattr(s, &node, "user.ok", "1", 1);
	struct blob_id tree = scene_tree(s, &node, 1);

	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 1);
	assert_true(scene_warned(s, "security.evm"));
	(void)scene_path(s, "f", text);
	assert_int_equal(getxattr(text, "user.ok", value, sizeof(value)), 1);
	assert_int_equal(getxattr(text, "security.evm", value, sizeof(value)), -1);
}

/* ---- somebody else at work ---- */

struct racer {
	struct scene *s;
	_Atomic bool stop;
	char dir[4096], link[4096], aside[4096];
};

/* Swap a folder for a link to outside and back, for as long as it takes. */
static void *
race(void *arg)
{
	struct racer *r = arg;

	while (!atomic_load(&r->stop)) {
		if (rename(r->dir, r->aside) == 0) {
			(void)rename(r->link, r->dir);
			(void)rename(r->dir, r->link);
			(void)rename(r->aside, r->dir);
		}
	}
	return NULL;
}

static void
a_folder_swapped_for_a_link_leads_nowhere(void **state)
{
	struct scene *s = *state;
	enum { FILES = 400 };
	struct node files[FILES];
	static char names[FILES][16];
	struct racer racer = {.s = s};
	pthread_t thread;
	char outside[128];

	for (size_t i = 0; i < FILES; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "f%zu", i);
		files[i] = scene_text(s, names[i], names[i]);
	}
	struct node inner = scene_dir(s, "inner", files, FILES);
	struct node dir = scene_dir(s, "dir", &inner, 1);
	struct blob_id tree = scene_tree(s, &dir, 1);

	guard_outside(s);
	(void)mkdir(s->target, 0755);
	(void)snprintf(outside, sizeof(outside), "%s/outside", s->base);
	(void)scene_path(s, "dir", racer.dir);
	(void)scene_path(s, "../link", racer.link);
	(void)scene_path(s, "../aside", racer.aside);
	assert_int_equal(symlink(outside, racer.link), 0);
	assert_int_equal(pthread_create(&thread, NULL, race, &racer), 0);
	s->options.workers = 2;
	for (int round = 0; round < 10; round++) {
		s->options.mode = round % 2 == 0 ? RESTORE_OVERWRITE : RESTORE_DELTA;
		assert_int_equal(scene_restore(s, &tree), OK);
	}
	atomic_store(&racer.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	expect_outside_untouched(s);
	/* When nobody interferes any more, it is mended. */
	(void)unlink(racer.dir);
	scene_restore_clean(s, &tree, RESTORE_DELTA);
	scene_expect_text(s, "dir/inner/f399", "f399");
}

/* ---- damage ---- */

/* Change one byte in the middle of every pack of the given kind of content. */
static void
damage_packs(struct scene *s, size_t first, size_t count)
{
	char name[STORE_NAME_MAX + 1];

	for (size_t i = first; i < first + count; i++) {
		size_t size = 0;

		rig_name(s->rig, "packs/", i, name);
		uint8_t *p = store_mem_bytes(s->rig->mem, name, &size);
		assert_non_null(p);
		p[size / 3] ^= 0x40;
	}
}

static void
damaged_packs_cost_only_their_files(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_hold(s, malloc(MIB));
	char name[2][8] = {"first", "second"};
	struct node nodes[2];

	for (size_t i = 0; i < 2; i++) {
		rig_fill(p, MIB, i + 1);
		nodes[i] = scene_file(s, name[i], p, MIB, false);
		rig_end(s->rig);
		if (i == 0)
			damage_packs(s, 0, 1);
		scene_write(s);
	}
	struct blob_id tree = scene_tree(s, nodes, 2);

	assert_int_equal(scene_restore(s, &tree), OK);
	assert_int_equal(s->serious, 1);
	scene_expect_absent(s, "first");
	scene_expect(s, "second", p, MIB);
	assert_int_equal(s->stats.files, 1);

	/* With nobody to hear of it, it is a failure. */
	s->options.warn = NULL;
	s->options.mode = RESTORE_DELTA;
	assert_int_equal(scene_restore(s, &tree), ERR_CORRUPT);
	assert_non_null(strstr(s->err.msg, "is not complete"));
	assert_non_null(strstr(s->err.msg, "target/first"));
}

static void
damaged_folders_remove_nothing(void **state)
{
	struct scene *s = *state;
	struct node in = scene_text(s, "in", "inner");
	struct node dir = scene_dir(s, "dir", &in, 1);
	CLEAN(buf_done) struct buf page = BUF_INIT(64);

	assert_int_equal(buf_append(&page, "Txyz", 4, NULL), OK);
	dir.tree = scene_raw_tree(s, &page);
	struct blob_id tree = scene_tree(s, &dir, 1);

	scene_put(s, "dir/in", "what there is");
	scene_put(s, "dir/more", "and more");
	s->options.mode = RESTORE_DELTA;
	assert_int_equal(scene_restore(s, &tree), OK);
	assert_true(s->serious >= 1);
	scene_expect_text(s, "dir/in", "what there is");
	scene_expect_text(s, "dir/more", "and more");
}

static void
missing_packs_and_links_to_them(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_hold(s, malloc(MIB));
	char name[STORE_NAME_MAX + 1];

	rig_fill(p, MIB, 3);
	struct node nodes[] = {scene_file(s, "a", p, MIB, false),
			       scene_file(s, "b", p, MIB, false)};
	nodes[0].nlink = nodes[1].nlink = 2;
	nodes[0].ino = nodes[1].ino = 5;
	nodes[1].content = nodes[0].content;
	rig_end(s->rig);
	size_t before = rig_count(s->rig, "packs/");
	for (size_t i = before; i-- > 0;) {
		rig_name(s->rig, "packs/", i, name);
		assert_int_equal(store_remove(s->rig->mem, name, &s->err), 1);
	}
	scene_write(s);
	struct blob_id tree = scene_tree(s, nodes, 2);

	/* A file of this size has a map of its own, which is gone, too. */
	assert_int_equal(scene_restore(s, &tree), OK);
	assert_true(s->serious >= 1);
	assert_int_equal(s->stats.bytes_written, 0);
	scene_expect_absent(s, "a");
}

/* ---- programs that run from a restored file ---- */

static void
running_programs_are_only_compared(void **state)
{
	struct scene *s = *state;
	CLEAN(buf_done) struct buf program = BUF_INIT(16 * MIB);
	char text[4096], *argv[] = {text, (char *)(uintptr_t) "60", NULL};
	int ready[2];

	rig_ok(s->rig, fs_read_file(AT_FDCWD, "/bin/sleep", &program, &s->rig->err));
	struct node same = scene_file(s, "sleep", program.p, program.n, false), other = same;
	same.mode = other.mode = 0755;
	program.p[program.n - 1] ^= 1;
	other.content = scene_file(s, "sleep", program.p, program.n, false).content;
	struct blob_id same_tree = scene_tree(s, &same, 1), other_tree = scene_tree(s, &other, 1);

	scene_restore_clean(s, &same_tree, RESTORE_EMPTY);
	(void)scene_path(s, "sleep", text);
	/* Closed by exec: then the program runs. */
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)execv(text, argv);
		_exit(1);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], text, 1), 0);
	(void)close(ready[0]);

	scene_restore_clean(s, &same_tree, RESTORE_DELTA);
	assert_int_equal(scene_restore(s, &other_tree), OK);
	assert_int_equal(s->serious, 1);
	assert_true(scene_warned(s, "Text file busy"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	scene_restore_clean(s, &other_tree, RESTORE_DELTA);
	scene_expect(s, "sleep", program.p, program.n);
}

/* ---- limits ---- */

static void
a_full_disk_stops_it_and_says_so(void **state)
{
	struct scene *s = *state;
	uint8_t *p = scene_hold(s, malloc(4 * MIB));

	assert_int_equal(mkdir(s->target, 0700), 0);
	if (mount("tmpfs", s->target, "tmpfs", 0, "size=1m") < 0) {
		print_message("# not root: no small file system to fill\n");
		return;
	}
	rig_fill(p, 4 * MIB, 1);
	struct node nodes[] = {scene_file(s, "a", p, 4 * MIB, false), scene_text(s, "b", "small")};
	struct blob_id tree = scene_tree(s, nodes, 2);
	int rc = scene_restore(s, &tree);
	assert_int_equal(umount(s->target), 0);
	assert_int_equal(rc, ERR_TARGET);
	assert_int_equal(s->err.sys, ENOSPC);
	assert_non_null(strstr(s->err.msg, "not complete"));
	assert_non_null(strstr(s->err.msg, "No space left"));
	assert_non_null(strstr(s->err.hint, "free space"));
}

static void
stops_on_request(void **state)
{
	struct scene *s = *state;
	struct node node = scene_text(s, "f", "content");
	struct blob_id tree = scene_tree(s, &node, 1);

	scene_read(s);
	atomic_store(&s->progress.cancelled, true);
	assert_int_equal(restore_tree(s->rig->repo, s->rig->index, &tree, s->target, &s->options,
				      &s->stats, &s->err),
			 ERR_CANCELLED);
	scene_expect_absent(s, "f");
}

/* Many files of many pieces, with few descriptors. In a process of its own, as a limit once lowered may
 * stay; and with a scene of its own, as keys do not pass through fork. 0 or the number of the check
 * that failed. */
static int
with_few_descriptors(void)
{
	enum { FILES = 120, SIZE = 3 * (64 << 10) };
	struct rlimit few = {.rlim_cur = 40, .rlim_max = 40};
	static char names[FILES][16];
	struct node files[FILES];
	void *state = NULL;

	if (scene_setup(&state) != 0)
		return 1;
	struct scene *s = state;
	uint8_t *p = scene_hold(s, malloc((size_t)FILES * SIZE));
	rig_fill(p, (size_t)FILES * SIZE, 9);
	for (size_t i = 0; i < FILES; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "f%zu", i);
		files[i] = scene_file(s, names[i], p + i * SIZE, SIZE, false);
	}
	struct blob_id tree = scene_tree(s, files, FILES);
	scene_read(s);
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		return 2;
	if (scene_restore(s, &tree) != OK)
		return 3;
	if (s->serious != 0 || s->stats.files != FILES)
		return 4;
	for (size_t i = 0; i < FILES; i++)
		scene_expect(s, names[i], p + i * SIZE, SIZE);
	return scene_teardown(&state) == 0 ? 0 : 5;
}

static void
few_descriptors_are_enough(void **state)
{
	int status = -1;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(with_few_descriptors());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- not root ---- */

/* Become nobody for the time of the call. */
static int
restore_as_user(struct scene *s, const struct blob_id *tree)
{
	bool root = geteuid() == 0;

	scene_read(s);

	if (root)
		assert_true(setegid(65534) == 0 && seteuid(65534) == 0);
	int rc = scene_restore(s, tree);
	if (root)
		assert_true(seteuid(0) == 0 && setegid(0) == 0);
	return rc;
}

static void
users_get_what_they_may_have(void **state)
{
	struct scene *s = *state;
	struct node in = scene_text(s, "in", "inner");
	char text[4096];

	in.mode = 0400;
	scene_xattr(s, &in, "user.colour", "blue", 4);
	struct node nodes[] = {scene_plain("device", NODE_CHAR), scene_dir(s, "locked", &in, 1),
			       scene_text(s, "setuid", "content")};
	nodes[1].mode = 0;
	nodes[2].mode = 06755;
	nodes[2].uid = nodes[2].gid = 1;
	struct blob_id tree = scene_tree(s, nodes, 3);
	assert_int_equal(mkdir(s->target, 0700), 0);
	assert_int_equal(chmod(s->base, 0755), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(s->target, 65534, 65534), 0);

	for (int round = 0; round < 3; round++) {
		/* Over it again, through modes that forbid it; then also over changed content. */
		s->options.mode = round == 0 ? RESTORE_EMPTY : RESTORE_DELTA;
		if (round == 2)
			assert_int_equal(truncate(scene_path(s, "setuid", text), 3), 0);
		if (round == 2 && geteuid() == 0)
			assert_int_equal(truncate(scene_path(s, "locked/in", text), 3), 0);
		assert_int_equal(restore_as_user(s, &tree), OK);
		/* The device; nothing is said of owners, which nobody asked for. */
		assert_int_equal(s->serious, 1);
		assert_true(scene_warned(s, "only root can create"));
		assert_int_equal(scene_stat(s, "setuid").st_mode & 07777, 0755);
		assert_int_equal(scene_stat(s, "locked").st_mode & 07777, 0);
		if (geteuid() != 0)
			continue;
		assert_int_equal(scene_stat(s, "locked/in").st_mode & 07777, 0400);
		scene_expect_text(s, "locked/in", "inner");
		scene_expect_text(s, "setuid", "content");
	}
	if (geteuid() != 0)
		assert_int_equal(chmod(scene_path(s, "locked", text), 0700), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		/* The one that forks, while there are no threads. */
		cmocka_unit_test(few_descriptors_are_enough),
		TEST(impossible_names_restore_nothing),
		TEST(links_in_the_target_are_not_followed),
		TEST(restored_links_are_not_followed_either),
		TEST(sizes_that_lie_are_found_out),
		TEST(a_chunk_that_is_another_blob_is_found_out),
		TEST(pages_that_are_not_the_ones_meant_are_found_out),
		TEST(foreign_attributes_are_refused),
		TEST(a_folder_swapped_for_a_link_leads_nowhere),
		TEST(damaged_packs_cost_only_their_files),
		TEST(damaged_folders_remove_nothing),
		TEST(missing_packs_and_links_to_them),
		TEST(running_programs_are_only_compared),
		TEST(a_full_disk_stops_it_and_says_so),
		TEST(stops_on_request),
		TEST(users_get_what_they_may_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
