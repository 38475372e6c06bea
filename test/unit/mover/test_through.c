/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading through a map of snapshots. A "snapshot" here is a folder beside the source: what the mover reads
 * there must stand in the tree, in the order of names and under the paths of the live one.
 */
#include "mover/through.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "mover/bed.h"
#include "provider/snapshot_map.h"

struct scene {
	struct bed *bed;
	char snapshot[96], nested[96], island[96];
	struct snapshot_map map;
};

static void
put(const char *folder, const char *name, const char *text)
{
	struct error err = ERROR_INIT;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(fs_write_file(AT_FDCWD, path, SLICE(text, strlen(text)), 0640, &err), OK);
}

/* SRC is read at BASE/snapshot; SRC/a/nested at BASE/nested; SRC/mnt where it is. */
static int
setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct error err = ERROR_INIT;
	char live[160];

	if (s == NULL)
		return -1;
	s->bed = bed_new();
	(void)snprintf(s->snapshot, sizeof(s->snapshot), "%s/snapshot", s->bed->base);
	(void)snprintf(s->nested, sizeof(s->nested), "%s/nested", s->bed->base);
	(void)snprintf(s->island, sizeof(s->island), "%s/mnt", s->bed->src);
	if (mkdir(s->snapshot, 0755) < 0 || mkdir(s->nested, 0750) < 0)
		return -1;
	if (snapshot_map_add(&s->map, s->bed->src, s->snapshot, &err) < 0)
		return -1;
	(void)snprintf(live, sizeof(live), "%s/a/nested", s->bed->src);
	if (snapshot_map_add(&s->map, live, s->nested, &err) < 0 ||
	    snapshot_map_add(&s->map, s->island, s->island, &err) < 0)
		return -1;
	s->bed->options.map = &s->map;
	s->bed->options.moment_ns = clock_wall_ns();
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *s = *state;

	snapshot_map_done(&s->map);
	bed_free(s->bed);
	free(s);
	return 0;
}

static void
expect(struct scene *s, const struct blob_id *tree, const char *name, const char *text)
{
	struct buf hold = BUF_INIT(1 << 20);
	struct node node;

	if (!bed_find(s->bed, tree, name, &hold, &node))
		fail_msg("'%s' is not in the tree", name);
	bed_content(s->bed, &node, text, strlen(text));
	buf_done(&hold);
}

static bool
is_there(struct scene *s, const struct blob_id *tree, const char *name)
{
	struct buf hold = BUF_INIT(1 << 20);
	struct node node;
	bool found = bed_find(s->bed, tree, name, &hold, &node);

	buf_done(&hold);
	return found;
}

/* The live folder has changed since the moment; what lies nested is found in its own place. */
static void
fill(struct scene *s)
{
	char path[160];

	bed_text(s->bed, "file", "after");
	bed_text(s->bed, "later", "came after the moment");
	bed_dir(s->bed, "a");
	bed_dir(s->bed, "a/nested");
	bed_text(s->bed, "a/nested/deep", "live and deep");
	bed_dir(s->bed, "mnt");
	bed_text(s->bed, "mnt/on", "what is mounted");
	put(s->snapshot, "file", "before");
	put(s->snapshot, "gone", "removed since");
	(void)snprintf(path, sizeof(path), "%s/a", s->snapshot);
	assert_int_equal(mkdir(path, 0755), 0);
	put(path, "by", "its side");
	(void)snprintf(path, sizeof(path), "%s/a/nested", s->snapshot);
	assert_int_equal(mkdir(path, 0700), 0); /* the stub of a nested subvolume */
	(void)snprintf(path, sizeof(path), "%s/mnt", s->snapshot);
	assert_int_equal(mkdir(path, 0700), 0);
	put(s->nested, "deep", "deep, then");
}

static void
test_what_was_is_read(void **state)
{
	struct scene *s = *state;
	struct buf hold = BUF_INIT(1 << 20);
	struct blob_id tree;
	struct node node;

	fill(s);
	bed_backup(s->bed, NULL, &tree);
	assert_int_equal(s->bed->n_warnings, 0);
	expect(s, &tree, "file", "before");
	expect(s, &tree, "gone", "removed since");
	assert_false(is_there(s, &tree, "later"));
	expect(s, &tree, "a/by", "its side");
	expect(s, &tree, "a/nested/deep", "deep, then");
	expect(s, &tree, "mnt/on", "what is mounted");
	/* Attributes are those of what is read, not of the stub. */
	assert_true(bed_find(s->bed, &tree, "a/nested", &hold, &node));
	assert_int_equal(node.mode, 0750);
	buf_done(&hold);
}

/* The next snapshot lies elsewhere: what did not change is not read again. */
static void
test_unchanged_stays_unchanged(void **state)
{
	struct scene *s = *state;
	struct blob_id first, second;
	char moved[160];
	struct error err = ERROR_INIT;

	fill(s);
	/* Long after the last change, so that times can be trusted. */
	bed_later();
	s->bed->options.moment_ns = clock_wall_ns();
	bed_backup(s->bed, NULL, &first);
	(void)snprintf(moved, sizeof(moved), "%s/elsewhere", s->bed->base);
	assert_int_equal(rename(s->snapshot, moved), 0);
	assert_int_equal(snapshot_map_add(&s->map, s->bed->src, moved, &err), OK);
	bed_backup(s->bed, &first, &second);
	assert_int_equal(atomic_load(&s->bed->progress.files_unchanged), 5);
	assert_int_equal(atomic_load(&s->bed->progress.files_changed), 0);
	clock_fake_off();
}

/* Changed just before the moment: a change just after it may look the same, however late it is read. */
static void
test_fresh_at_the_moment_is_read_again(void **state)
{
	struct scene *s = *state;
	struct blob_id first, second;
	struct stat st;

	fill(s);
	/* Of the oldest one, so that all are fresh however long the others took: it was written first. */
	assert_int_equal(stat(bed_path(s->bed, "mnt/on"), &st), 0);
	s->bed->options.moment_ns = (uint64_t)st.st_ctim.tv_sec * NS_PER_S +
				    (uint64_t)st.st_ctim.tv_nsec + 50 * NS_PER_MS;
	bed_later();
	bed_backup(s->bed, NULL, &first);
	bed_backup(s->bed, &first, &second);
	assert_int_equal(atomic_load(&s->bed->progress.files_unchanged), 0);
	clock_fake_off();
}

/* Warnings name live paths. */
static void
test_warnings_are_of_live_paths(void **state)
{
	struct scene *s = *state;
	struct blob_id tree;
	char live[160];

	fill(s);
	(void)snprintf(live, sizeof(live), "%s/a/nested", s->bed->src);
	assert_int_equal(fs_remove_tree(AT_FDCWD, s->nested, &s->bed->err), OK);
	bed_backup(s->bed, NULL, &tree);
	assert_int_equal(s->bed->n_warnings, 1);
	assert_string_equal(s->bed->warnings[0].path, live);
	assert_true(s->bed->warnings[0].serious);
}

/* A path asked for by way of a symbolic link is read in the snapshot all the same. */
static void
test_links_on_the_way(void **state)
{
	struct scene *s = *state;
	struct buf place = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	char link[96], path[160], want[160];

	fill(s);
	(void)snprintf(link, sizeof(link), "%s/link", s->bed->base);
	assert_int_equal(symlink(s->bed->src, link), 0);
	(void)snprintf(path, sizeof(path), "%s/a/by", link);
	(void)snprintf(want, sizeof(want), "%s/a/by", s->snapshot);
	assert_int_equal(through_path(&s->map, path, false, &place, &err), OK);
	assert_string_equal((const char *)place.p, want);
	/* The link itself is no part of what the map covers. */
	assert_int_equal(through_path(&s->map, link, false, &place, &err), OK);
	assert_string_equal((const char *)place.p, link);
	assert_int_equal(through_path(&s->map, link, true, &place, &err), OK);
	assert_string_equal((const char *)place.p, s->snapshot);
	buf_done(&place);
}

/* A component's folders are read as of the moment, its tail as it is. */
static void
test_component_and_tail(void **state)
{
	struct scene *s = *state;
	struct component_path path = {.source = s->bed->src, .at = (char[]){""}};
	struct component c = {.name = (char[]){"main"}, .n_paths = 1, .paths = &path};
	char log[160];
	struct component_path tail_path = {.source = log, .at = (char[]){"log"}};
	struct component_tail tail = {.n_paths = 1, .paths = &tail_path};
	struct buf hold = BUF_INIT(1 << 20);
	struct bed_run run;
	struct blob_id tree;
	struct node node;

	fill(s);
	(void)snprintf(log, sizeof(log), "%s/later", s->bed->src);
	bed_begin(s->bed, &run);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &s->bed->err), OK);
	assert_int_equal(mover_component_end(run.mover, &tail, &tree, &s->bed->err), OK);
	bed_end(s->bed, &run);
	assert_true(bed_find_at(s->bed, &tree, "file", &hold, &node));
	bed_content(s->bed, &node, "before", 6);
	assert_true(bed_find_at(s->bed, &tree, "log", &hold, &node));
	bed_content(s->bed, &node, "came after the moment", 21);
	buf_done(&hold);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_was_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unchanged_stays_unchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fresh_at_the_moment_is_read_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_warnings_are_of_live_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_on_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_component_and_tail, setup, teardown),
	};

	return cmocka_run_group_tests_name("through", tests, NULL, NULL);
}
