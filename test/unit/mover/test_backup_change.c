/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sources that change while they are read, and backups that fail. The changes happen at a known point:
 * when the first pack is begun, a few megabytes into the first large file.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mover/bed.h"
#include "store/fault.h"
#include "store/mem.h"
#include "store/store.h"

enum { BIG = 24 << 20 };

static const struct bed_warning *
warning_about(struct bed *b, const char *name)
{
	for (size_t i = 0; i < b->n_warnings; i++) {
		if (strcmp(b->warnings[i].path, bed_path(b, name)) == 0)
			return &b->warnings[i];
	}
	fail_msg("no warning about '%s'", name);
	return NULL;
}

static void
expect_prefix(struct bed *b, const struct blob_id *tree, const char *name, uint64_t seed,
	      uint64_t most)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	uint8_t *p = malloc(BIG);
	struct node node;

	assert_non_null(p);
	bed_fill(p, BIG, seed);
	assert_true(bed_find(b, tree, name, &hold, &node));
	assert_true(node.flags & NODE_CHANGED_WHILE_READ);
	assert_true(node.size <= most);
	bed_content(b, &node, p, node.size);
	free(p);
}

static void
grow(struct bed *b)
{
	int fd = bed_open(b, "a log", O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, "one more line\n", 14), 14);
	(void)close(fd);
}

static void
a_file_that_grows(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;

	bed_file(b, "a log", BIG, 1);
	b->hook = grow;
	bed_backup(b, NULL, &tree);
	assert_int_equal(b->n_warnings, 1);
	assert_int_equal(warning_about(b, "a log")->code, ERR_BUSY);
	expect_prefix(b, &tree, "a log", 1, BIG);
	bed_later();
	bed_backup(b, &tree, &tree);
	assert_true(b->progress.files_changed == 1);
	assert_int_equal(b->n_warnings, 0);
	bed_compare(b, &tree);
}

static void
shrink(struct bed *b)
{
	assert_int_equal(truncate(bed_path(b, "a log"), 9 << 20), 0);
}

static void
a_file_that_shrinks(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;

	bed_file(b, "a log", BIG, 2);
	b->hook = shrink;
	bed_backup(b, NULL, &tree);
	assert_int_equal(warning_about(b, "a log")->code, ERR_BUSY);
	expect_prefix(b, &tree, "a log", 2, 9 << 20);
	bed_later();
	bed_backup(b, &tree, &tree);
	bed_compare(b, &tree);
}

/* Cut before its second slice is read, and paged. */
static void
shrink_far(struct bed *b)
{
	assert_int_equal(truncate(bed_path(b, "disk.img"), (3 << 20) + 77), 0);
}

static void
a_paged_file_that_shrinks(void **state)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct bed *b = *state;
	struct blob_id tree;
	struct node node;

	bed_file(b, "disk.img", 70 << 20, 3);
	b->options.workers = 2;
	b->hook = shrink_far;
	bed_backup(b, NULL, &tree);
	assert_int_equal(warning_about(b, "disk.img")->code, ERR_BUSY);
	assert_true(bed_find(b, &tree, "disk.img", &hold, &node));
	assert_true(node.size >= (3 << 20) + 77 && node.size <= 64 << 20);
	bed_later();
	bed_backup(b, &tree, &tree);
	bed_compare(b, &tree);
}

static void
disturb(struct bed *b)
{
	assert_int_equal(unlink(bed_path(b, "b gone")), 0);
	assert_int_equal(unlink(bed_path(b, "c link")), 0);
	assert_int_equal(symlink("/etc/passwd", bed_path(b, "c link")), 0);
	assert_int_equal(unlink(bed_path(b, "d fifo")), 0);
	assert_int_equal(mkfifo(bed_path(b, "d fifo"), 0600), 0);
	assert_int_equal(unlink(bed_path(b, "e new")), 0);
	bed_file(b, "e new", 400000, 77);
	assert_int_equal(rmdir(bed_path(b, "f dir")), 0);
	assert_int_equal(unlink(bed_path(b, "g dir/x")), 0);
	assert_int_equal(rmdir(bed_path(b, "g dir")), 0);
	assert_int_equal(symlink("/etc", bed_path(b, "g dir")), 0);
}

static void
names_that_become_others(void **state)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct bed *b = *state;
	struct blob_id tree;
	struct node node;

	bed_file(b, "a big", 5 << 20, 1);
	bed_file(b, "b gone", 400000, 2);
	bed_file(b, "c link", 400000, 3);
	bed_file(b, "d fifo", 400000, 4);
	bed_file(b, "e new", 400000, 5);
	bed_dir(b, "f dir");
	bed_dir(b, "g dir");
	bed_text(b, "g dir/x", "x");
	b->options.workers = 1; /* the first by name is read first */
	b->hook = disturb;
	bed_backup(b, NULL, &tree);
	assert_null(b->hook);
	assert_int_equal(warning_about(b, "b gone")->code, ERR_NOT_FOUND);
	assert_true(warning_about(b, "b gone")->serious);
	assert_int_equal(warning_about(b, "c link")->code, ERR_NOT_FOUND);
	assert_int_equal(warning_about(b, "d fifo")->code, ERR_BUSY);
	assert_int_equal(warning_about(b, "f dir")->code, ERR_NOT_FOUND);
	assert_int_equal(warning_about(b, "g dir")->code, ERR_NOT_FOUND);
	assert_int_equal(b->n_warnings, 5);
	assert_false(bed_find(b, &tree, "b gone", &hold, &node));
	assert_false(bed_find(b, &tree, "c link", &hold, &node));
	assert_false(bed_find(b, &tree, "g dir", &hold, &node));
	/* What the name means now. */
	uint8_t *p = malloc(400000);
	bed_fill(p, 400000, 77);
	assert_true(bed_find(b, &tree, "e new", &hold, &node));
	bed_content(b, &node, p, 400000);
	free(p);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void
cancel(struct bed *b)
{
	b->progress.cancelled = true;
}

static void
stopped_on_request(void **state)
{
	struct bed *b = *state;
	const char *path = b->src;
	struct blob_id tree;

	bed_file(b, "large", 40 << 20, 1);
	b->hook = cancel;
	assert_int_equal(bed_try(b, &path, 1, NULL, &tree), ERR_CANCELLED);
}

static int
fail_check(void *arg, struct error *err)
{
	(void)arg;
	return error_set(err, ERR_DB_SESSION_LOST, "the session is lost");
}

static void
stopped_by_the_check(void **state)
{
	struct bed *b = *state;
	const char *path = b->src;
	struct blob_id tree;

	for (int i = 0; i < 4; i++)
		bed_file(b, (const char *[]){"a", "b", "c", "d"}[i], 20 << 20, (uint64_t)i);
	b->options.check = fail_check;
	assert_int_equal(bed_try(b, &path, 1, NULL, &tree), ERR_DB_SESSION_LOST);
}

/* Whatever operation of the store fails, the backup says so, frees everything, and ends. */
static void
the_store_fails(void **state)
{
	struct bed *b = *state;
	const char *path = b->src;

	bed_file(b, "chunks", 1 << 20, 1);
	bed_file(b, "disk.img", 1 << 20, 2);
	assert_int_equal(truncate(bed_path(b, "disk.img"), 16 << 20), 0);
	bed_dir(b, "dir");
	bed_text(b, "dir/small", "x");
	for (uint64_t nth = 1;; nth += 1 + nth / 8) {
		struct bed_run run;
		struct blob_id tree;
		int r;

		bed_begin(b, &run);
		store_fault_arm(b->fault, STORE_FAULT_ERROR, nth, true);
		r = mover_backup_paths(run.mover, &path, 1, NULL, &tree, &b->err);
		if (r == OK)
			r = mover_finish(run.mover, &b->err);
		if (r == OK)
			r = repo_writer_flush(run.writer, &b->err);
		bed_drop(&run);
		store_fault_arm(b->fault, STORE_FAULT_NONE, 0, false);
		if (r == OK) {
			assert_true(nth > 5);
			bed_compare(b, &tree);
			return;
		}
		assert_true(r < 0 && b->err.code == r);
	}
}

static int
damage_pack(void *arg, const struct store_entry *entry, struct error *err)
{
	struct bed *b = arg;
	size_t n;
	uint8_t *p = store_mem_bytes(b->memory, entry->name, &n);

	(void)err;
	for (size_t i = 100; i < n; i += 50)
		p[i] ^= 1;
	return OK;
}

/* What is backed up now does not need what was backed up before. */
static void
the_previous_point_is_damaged(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;
	int fd;

	bed_file(b, "disk.img", 16 << 20, 1);
	bed_dir(b, "dir");
	bed_text(b, "dir/text", "x");
	bed_later();
	bed_backup(b, NULL, &tree);
	assert_int_equal(store_list(b->memory, "packs/", damage_pack, b, &b->err), OK);
	fd = bed_open(b, "disk.img", O_WRONLY);
	assert_int_equal(pwrite(fd, "y", 1, 5 << 20), 1);
	(void)close(fd);
	bed_later();
	bed_backup(b, &tree, &tree);
	assert_true(b->n_warnings > 0);
	for (size_t i = 0; i < b->n_warnings; i++) {
		assert_int_equal(b->warnings[i].code, ERR_CORRUPT);
		assert_false(b->warnings[i].serious);
	}
	assert_true(b->progress.files_done == b->progress.files_total);
}

static void
out_of_order(void **state)
{
	struct component_tail tail = {0};
	struct bed *b = *state;
	const char *path = b->src;
	struct bed_run run;
	struct blob_id tree;

	bed_begin(b, &run);
	assert_int_equal(mover_component_end(run.mover, &tail, &tree, &b->err), ERR_BAD_STATE);
	assert_int_equal(mover_backup_paths(run.mover, NULL, 0, NULL, &tree, &b->err),
			 ERR_BAD_STATE);
	assert_int_equal(mover_finish(run.mover, &b->err), OK);
	assert_int_equal(mover_backup_paths(run.mover, &path, 1, NULL, &tree, &b->err),
			 ERR_BAD_STATE);
	bed_drop(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_that_grows, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(a_file_that_shrinks, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(a_paged_file_that_shrinks, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(names_that_become_others, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(stopped_on_request, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(stopped_by_the_check, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(the_store_fails, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(the_previous_point_is_damaged, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(out_of_order, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
