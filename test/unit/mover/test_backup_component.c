/* SPDX-License-Identifier: Apache-2.0 */

/* Backing up a component: relocated folders, what is left out, what comes last, the tail, pages. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "mover/bed.h"
#include "mover/page_postgresql.h"

enum { PAGE = 8192, SEGMENT_PAGES = 512 };

/* A component by hand; its lists are not const, as those of a parsed one. */
static char top[128], space[128], tail_source[160];
static char at_top[] = "", at_space[] = "spaces/77", at_tail[] = "wal/000002", at_label[] = "label",
	    at_deep[] = "new/folder/note", name_main[] = "main", format[] = "postgresql",
	    no_wal[] = "wal/*", no_pid[] = "*.pid", no_stat[] = "stat/*",
	    control[] = "global/control", in_base[] = "base/*/[0-9]*",
	    in_space[] = "spaces/*/[0-9]*";
static char *excludes[] = {no_wal, no_pid, no_stat};
static char *lasts[] = {control};
static char *paged[] = {in_base, in_space};
static struct component_path paths[2], tail_path;
static uint8_t label_data[] = "START", note_data[] = "note";
static struct component_file tail_files[] = {
	{.at = at_label, .data = label_data, .n = 5, .mode = 0600},
	{.at = at_deep, .data = note_data, .n = 4, .mode = 0640},
};

static struct component
make_component(struct bed *b)
{
	static const char *const dirs[] = {
		"data",     "data/base",       "data/base/5", "data/global", "data/stat",
		"data/wal", "data/wal/status", "data/spaces", "space"};

	(void)snprintf(top, sizeof(top), "%s/data", b->src);
	(void)snprintf(space, sizeof(space), "%s/space", b->src);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		bed_dir(b, dirs[i]);
	bed_text(b, "data/wal/000001", "left out");
	bed_text(b, "data/stat/x", "left out");
	bed_text(b, "data/server.pid", "left out");
	bed_text(b, "data/global/control", "control");
	bed_text(b, "data/version", "15");
	bed_file(b, "data/other", 300000, 1);
	bed_text(b, "space/text", "in the space");
	assert_int_equal(symlink(space, bed_path(b, "data/spaces/77")), 0);
	paths[0] = (struct component_path){.source = top, .at = at_top};
	paths[1] = (struct component_path){.source = space, .at = at_space, .relocatable = true};
	return (struct component){
		.name = name_main,
		.n_paths = 2,
		.paths = paths,
		.n_exclude = ARRAY_SIZE(excludes),
		.exclude = excludes,
		.n_last = 1,
		.last = lasts,
	};
}

static struct component_tail
make_tail(struct bed *b)
{
	bed_text(b, "log 2", "tail of the log");
	(void)snprintf(tail_source, sizeof(tail_source), "%s/log 2", b->src);
	tail_path = (struct component_path){
		.source = tail_source,
		.at = at_tail,
		.expect_size = 15,
	};
	return (struct component_tail){
		.n_paths = 1,
		.paths = &tail_path,
		.n_files = ARRAY_SIZE(tail_files),
		.files = tail_files,
	};
}

static void
backup(struct bed *b, const struct component *c, const struct component_tail *tail,
       const struct blob_id *previous, struct blob_id *ret)
{
	struct bed_run run;

	bed_begin(b, &run);
	if (mover_component_begin(run.mover, c, previous, &b->err) < 0 ||
	    mover_component_end(run.mover, tail, ret, &b->err) < 0)
		fail_msg("%s", b->err.msg);
	bed_end(b, &run);
}

static void
expect_text(struct bed *b, const struct blob_id *tree, const char *at, const char *text)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct node node;

	if (!bed_find_at(b, tree, at, &hold, &node))
		fail_msg("no '%s'", at);
	bed_content(b, &node, text, strlen(text));
}

static void
expect_none(struct bed *b, const struct blob_id *tree, const char *at)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct node node;

	if (bed_find_at(b, tree, at, &hold, &node))
		fail_msg("'%s' is there", at);
}

static void
everything_in_its_place(void **state)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct bed *b = *state;
	struct component c = make_component(b);
	struct component_tail tail = make_tail(b);
	struct blob_id first, second;
	struct node node;

	/* Not for a component: it would be none without its files. */
	const char *const user[] = {"*"};
	b->options.exclude = user;
	b->options.n_exclude = 1;
	bed_later();
	backup(b, &c, &tail, NULL, &first);
	assert_int_equal(b->n_warnings, 0);
	expect_text(b, &first, "version", "15");
	expect_text(b, &first, "global/control", "control");
	expect_text(b, &first, "spaces/77/text", "in the space");
	expect_text(b, &first, "wal/000002", "tail of the log");
	expect_text(b, &first, "label", "START");
	expect_text(b, &first, "new/folder/note", "note");
	expect_none(b, &first, "wal/000001");
	expect_none(b, &first, "wal/status");
	expect_none(b, &first, "stat/x");
	expect_none(b, &first, "server.pid");
	assert_true(bed_find_at(b, &first, "stat", &hold, &node));
	/* In place of the symbolic link that is there. */
	assert_true(bed_find_at(b, &first, "spaces/77", &hold, &node));
	assert_int_equal(node.type, NODE_DIR);
	bed_compare_at(b, &first, "spaces/77", space);
	assert_true(bed_find_at(b, &first, "label", &hold, &node));
	assert_int_equal(node.mode, 0600);
	assert_true(bed_find_at(b, &first, "new", &hold, &node));
	assert_int_equal(node.type, NODE_DIR);
	assert_int_equal(node.mode, 0700);

	uint64_t n = b->progress.files_total;
	backup(b, &c, &tail, &first, &second);
	assert_true(b->progress.files_unchanged == n - 2); /* all but those the writer made */
	expect_text(b, &second, "spaces/77/text", "in the space");
}

/* Two components and folders, one after the other. */
static void
several_roots(void **state)
{
	struct bed *b = *state;
	struct component c = make_component(b);
	struct component_tail tail = make_tail(b);
	struct blob_id first, second, third;
	const char *path = space;
	struct bed_run run;

	bed_begin(b, &run);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &b->err), OK);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &b->err), ERR_BAD_STATE);
	assert_int_equal(mover_backup_paths(run.mover, &path, 1, NULL, &second, &b->err),
			 ERR_BAD_STATE);
	assert_int_equal(mover_component_end(run.mover, &tail, &first, &b->err), OK);
	assert_int_equal(mover_backup_paths(run.mover, &path, 1, NULL, &second, &b->err), OK);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &b->err), OK);
	assert_int_equal(mover_component_end(run.mover, &tail, &third, &b->err), OK);
	bed_end(b, &run);
	expect_text(b, &first, "spaces/77/text", "in the space");
	expect_text(b, &third, "spaces/77/text", "in the space");
	bed_compare_at(b, &second, space + 1, space);
}

/* A relation file that vanishes or changes is nothing special; a tail that does is fatal. */
static void
vanish(struct bed *b)
{
	assert_int_equal(unlink(bed_path(b, "data/base/5/2")), 0);
	assert_int_equal(truncate(bed_path(b, "data/base/5/1"), 5 << 20), 0);
	bed_text(b, "data/base/5/3", "new");
}

static void
a_hot_copy(void **state)
{
	struct bed *b = *state;
	struct component c = make_component(b);
	struct component_tail tail = make_tail(b);
	struct blob_id tree;
	struct bed_run run;

	bed_file(b, "data/base/5/1", 9 << 20, 1);
	bed_file(b, "data/base/5/2", 300000, 2);
	b->options.workers = 1;
	b->hook = vanish;
	backup(b, &c, &tail, NULL, &tree);
	assert_int_equal(b->n_warnings, 0);
	expect_none(b, &tree, "base/5/2");

	tail_path.expect_size = 16;
	bed_begin(b, &run);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &b->err), OK);
	assert_int_equal(mover_component_end(run.mover, &tail, &tree, &b->err), ERR_SOURCE);
	bed_drop(&run);
	assert_int_equal(unlink(tail_source), 0);
	bed_begin(b, &run);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &b->err), OK);
	assert_int_equal(mover_component_end(run.mover, &tail, &tree, &b->err), ERR_SOURCE);
	bed_drop(&run);
	(void)snprintf(space, sizeof(space), "%s/nowhere", b->src);
	bed_begin(b, &run);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &b->err), ERR_SOURCE);
	bed_drop(&run);
}

static void
recycle(struct bed *b)
{
	char next[160];

	(void)snprintf(next, sizeof(next), "%s/log 7", b->src);
	assert_int_equal(rename(tail_source, next), 0);
}

/* A log that gets another name under our hands may get another content, too. */
static void
a_log_that_is_recycled(void **state)
{
	struct bed *b = *state;
	struct component c = make_component(b);
	struct component_tail tail = make_tail(b);
	struct blob_id tree;
	struct bed_run run;

	bed_file(b, "log 2", 24 << 20, 3);
	tail_path.expect_size = 24 << 20;
	b->options.workers = 1;
	bed_begin(b, &run);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &b->err), OK);
	b->hook = recycle;
	assert_int_equal(mover_component_end(run.mover, &tail, &tree, &b->err), ERR_SOURCE);
	assert_non_null(strstr(b->err.msg, "taken away"));
	bed_drop(&run);
}

/* Where nothing may be put: what is there was written already. */
static void
a_tail_in_the_wrong_place(void **state)
{
	static char deep[] = "base/5/label";
	struct bed *b = *state;
	struct component c = make_component(b);
	struct component_file file = {.at = deep, .data = label_data, .n = 5, .mode = 0600};
	struct component_tail tail = {.n_files = 1, .files = &file};
	struct blob_id tree;
	struct bed_run run;

	bed_begin(b, &run);
	assert_int_equal(mover_component_begin(run.mover, &c, NULL, &b->err), OK);
	assert_int_equal(mover_component_end(run.mover, &tail, &tree, &b->err), ERR_PROTOCOL);
	bed_drop(&run);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void
write_page(int fd, uint64_t number, uint32_t block, uint64_t seed)
{
	uint8_t page[PAGE];
	uint16_t upper = 400, sum;

	bed_fill(page, sizeof(page), seed);
	memset(page, 0, 8); /* LSN: long before */
	memcpy(page + 14, &upper, 2);
	sum = page_postgresql_checksum(page, PAGE, block);
	memcpy(page + 8, &sum, 2);
	assert_int_equal(fs_pwrite(fd, page, PAGE, number * PAGE, NULL), OK);
}

static void
make_relation(struct bed *b, const char *name, uint32_t first_block, uint32_t n)
{
	int fd = bed_open(b, name, O_RDWR | O_CREAT);

	for (uint32_t i = 0; i < n; i++)
		write_page(fd, i, first_block + i, first_block + i);
	(void)close(fd);
}

/* One bad page in a large file, in a later segment file, in a small one; and 20 in one. */
static void
damage(struct bed *b)
{
	static const struct {
		const char *name;
		off_t page;
	} bad[] = {{"data/base/5/100", 7}, {"data/base/5/100.1", 39}, {"data/base/5/200", 2}};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = bed_open(b, bad[i].name, O_WRONLY);
		assert_int_equal(pwrite(fd, "x", 1, bad[i].page * PAGE + 5000), 1);
		(void)close(fd);
	}
	int fd = bed_open(b, "space/300", O_WRONLY);
	for (off_t i = 0; i < 20; i++)
		assert_int_equal(pwrite(fd, "x", 1, i * PAGE + 5000), 1);
	(void)close(fd);
}

static void
checksums_are_verified(void **state)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct bed *b = *state;
	struct component c = make_component(b);
	struct component_tail tail = make_tail(b);
	struct blob_id tree;
	struct node node;

	c.has_pages = true;
	c.pages = (struct component_pages){
		.format = format,
		.page_size = PAGE,
		.checksums = true,
		.start_lsn = 1 << 20,
		.segment_pages = SEGMENT_PAGES,
		.n_match = 2,
		.match = paged,
	};
	make_relation(b, "data/base/5/100", 0, SEGMENT_PAGES);
	make_relation(b, "data/base/5/100.1", SEGMENT_PAGES, 40);
	make_relation(b, "data/base/5/small", 0, 3);
	make_relation(b, "data/base/5/200", 0, 3);
	make_relation(b, "space/300", 0, 100);
	bed_later();
	backup(b, &c, &tail, NULL, &tree);
	assert_int_equal(b->n_warnings, 0);
	bed_compare_at(b, &tree, "base/5", bed_path(b, "data/base/5"));
	assert_true(bed_find_at(b, &tree, "base/5/100.1", &hold, &node));
	assert_true(node.flags & NODE_PAGED);

	damage(b);
	for (int round = 0; round < 2; round++) { /* and told every time */
		bed_later();
		backup(b, &c, &tail, &tree, &tree);
		bed_compare_at(b, &tree, "base/5", bed_path(b, "data/base/5"));
		assert_int_equal(b->n_warnings, 3 + 8 + 1);
		for (size_t i = 0; i < b->n_warnings; i++) {
			assert_int_equal(b->warnings[i].code, ERR_DB_CORRUPT);
			assert_true(b->warnings[i].serious);
			if (strstr(b->warnings[i].path, "100.1") != NULL)
				assert_non_null(strstr(b->warnings[i].message, "block 551 "));
		}
		assert_true(bed_find_at(b, &tree, "base/5/200", &hold, &node));
		assert_true(node.flags & NODE_DAMAGED_PAGES);
		assert_true(bed_find_at(b, &tree, "spaces/77/300", &hold, &node));
		assert_true(node.flags & NODE_DAMAGED_PAGES);
		assert_true(bed_find_at(b, &tree, "base/5/small", &hold, &node));
		assert_false(node.flags & NODE_DAMAGED_PAGES);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_in_its_place, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(several_roots, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(a_hot_copy, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(a_log_that_is_recycled, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(a_tail_in_the_wrong_place, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(checksums_are_verified, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
