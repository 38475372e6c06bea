/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files kept as pages over many generations: after each, the repository must hold the file's very
 * bytes, and have cost about what changed.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "mover/bed.h"

enum { PAGE = 4096, MIB = 1 << 20 };

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void
write_page(int fd, uint64_t number, uint64_t seed)
{
	uint8_t page[PAGE];

	bed_fill(page, sizeof(page), seed);
	assert_int_equal(fs_pwrite(fd, page, sizeof(page), number * PAGE, NULL), OK);
}

static struct node
node_of(struct bed *b, const struct blob_id *tree, struct buf *hold)
{
	struct node node;

	assert_true(bed_find(b, tree, "disk.img", hold, &node));
	return node;
}

static void
again_unseen(struct bed *b, struct blob_id *tree)
{
	bed_later();
	bed_backup(b, tree, tree);
	assert_int_equal(b->n_warnings, 0);
}

static void
again(struct bed *b, struct blob_id *tree)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);

	again_unseen(b, tree);
	bed_compare(b, tree);
	assert_true(node_of(b, tree, &hold).flags & NODE_PAGED);
}

/* A changed page costs a page; the rest of its region, and all others, keep their blobs. */
static void
few_changed_pages_are_cheap(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;
	int fd;

	bed_file(b, "disk.img", 70 * MIB, 1);
	bed_later();
	bed_backup(b, NULL, &tree);
	bed_compare(b, &tree);
	fd = bed_open(b, "disk.img", O_WRONLY);
	/* One page in each of 60 regions of both segments. */
	for (uint64_t i = 0; i < 60; i++)
		write_page(fd, i * 256 + i, 1000 + i);
	again(b, &tree);
	/* 60 pages, 60 leaves of about 5 KiB, two segments, folders. */
	assert_true(b->stats.bytes_new < 60 * (PAGE + 7000) + 50000);

	/* Written with what it holds already: read, nothing stored but the time. */
	write_page(fd, 0, 1000);
	again(b, &tree);
	assert_true(b->stats.bytes_new < 5000);
	assert_true(b->progress.files_changed == 1);
	(void)close(fd);
}

/* However long it goes on: pages far apart, again and again, until regions are written whole. */
static void
many_generations(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;
	uint64_t x = 88172645463325252u, cost = 0;
	int fd;

	bed_file(b, "disk.img", 16 * MIB, 1);
	bed_later();
	bed_backup(b, NULL, &tree);
	fd = bed_open(b, "disk.img", O_WRONLY);
	for (uint64_t g = 1; g <= 40; g++) {
		/* The same regions each time: more generations than blobs a region may use. */
		for (int i = 0; i < 12; i++)
			write_page(fd, next(&x) % (3 * 256), g << 32 | (uint64_t)i);
		if (g % 8 == 0)
			again(b, &tree);
		else
			again_unseen(b, &tree);
		cost += b->stats.bytes_new;
	}
	/* 40 times 12 pages and 3 leaves, and each region rewritten at most twice. */
	assert_true(cost < 40 * (12 * PAGE + 3 * 7000 + 5000) + 6 * MIB);
	(void)close(fd);
}

static void
sizes_change(void **state)
{
	static const off_t sizes[] = {17 * MIB + 100, 17 * MIB + 5000, 65 * MIB + 1,
				      64 * MIB,       17 * MIB,        18 * MIB};
	struct bed *b = *state;
	struct blob_id tree;
	int fd;

	bed_file(b, "disk.img", 17 * MIB, 1);
	bed_later();
	bed_backup(b, NULL, &tree);
	fd = bed_open(b, "disk.img", O_WRONLY);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		if (i % 2 == 0)
			again(b, &tree);
		/* Data up to the end of an odd size, too. */
		assert_int_equal(pwrite(fd, "the end", 7, sizes[i] - 7), 7);
		again(b, &tree);
	}
	(void)close(fd);
}

static void
holes_come_and_go(void **state)
{
	struct bed *b = *state;
	struct blob_id tree;
	int fd;

	bed_file(b, "disk.img", 16 * MIB, 1);
	bed_later();
	bed_backup(b, NULL, &tree);
	fd = bed_open(b, "disk.img", O_WRONLY);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * MIB, 40960) < 0)
		skip();
	again(b, &tree);
	assert_true(b->hole_bytes == 40960);
	assert_true(b->stats.bytes_new < 20000);
	assert_int_equal(
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7 * MIB, 3 * MIB), 0);
	again(b, &tree);
	assert_true(b->hole_bytes == 40960 + 3 * MIB);
	/* Zeros that are written are data, and fill a hole. */
	static const uint8_t zeros[PAGE];
	assert_int_equal(fs_pwrite(fd, zeros, PAGE, 5 * MIB, NULL), OK);
	assert_int_equal(fs_pwrite(fd, zeros, PAGE, 8 * MIB, NULL), OK);
	again(b, &tree);
	assert_true(b->hole_bytes == 40960 + 3 * MIB - 2 * PAGE);
	(void)close(fd);
}

/* A large file of no known kind is chunks, until it is seen to change in place. */
static void
changes_in_place_are_noticed(void **state)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct bed *b = *state;
	struct blob_id tree;
	struct node node;
	int fd;

	bed_file(b, "unknown", 17 * MIB, 1);
	bed_later();
	bed_backup(b, NULL, &tree);
	assert_true(bed_find(b, &tree, "unknown", &hold, &node));
	assert_false(node.flags & NODE_PAGED);
	fd = bed_open(b, "unknown", O_WRONLY);
	write_page(fd, 100, 5);
	bed_later();
	bed_backup(b, &tree, &tree);
	assert_true(bed_find(b, &tree, "unknown", &hold, &node));
	assert_true(node.flags & NODE_PAGED);
	bed_compare(b, &tree);
	write_page(fd, 200, 5);
	bed_later();
	bed_backup(b, &tree, &tree);
	assert_true(b->stats.bytes_new < 30000);
	bed_compare(b, &tree);
	(void)close(fd);
}

/* Pages of several files share what travels; other page sizes do not mix. */
static void
pages_of_many_files_travel(void **state)
{
	enum { N = 4 };
	static const char *const names[N] = {"a.img", "b.ibd", "c.dbf", "d.ibd"};
	struct bed *b = *state;
	struct blob_id tree;

	for (int i = 0; i < N; i++)
		bed_file(b, names[i], 16 * MIB, (uint64_t)i);
	bed_later();
	bed_backup(b, NULL, &tree);
	for (uint64_t g = 0; g < 2; g++) {
		for (int i = 0; i < N; i++) {
			int fd = bed_open(b, names[i], O_WRONLY);

			for (uint64_t k = 0; k < 90; k++)
				write_page(fd, k * 37 + g, g * 1000 + k);
			(void)close(fd);
		}
		bed_later();
		bed_backup(b, &tree, &tree);
		bed_compare(b, &tree);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(few_changed_pages_are_cheap, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(many_generations, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(sizes_change, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(holes_come_and_go, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(changes_in_place_are_noticed, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(pages_of_many_files_travel, bed_setup,
						bed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
