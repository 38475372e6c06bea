/* SPDX-License-Identifier: Apache-2.0 */

/* The spool on disk: what is written comes back, what is staged is cut where it should be, and what does not
 * belong to the range goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "group/postgresql/stream.h"
#include "requester/log_plan.h"
#include "requester/log_spool.h"

#define SEG (UINT64_C(1) << 20)

static char dir[] = "/tmp/hf-test-log-spool-XXXXXX";
static struct error err;

/* In the place of the C library's: how often a certain file was synced. */
static ino_t watched;
static unsigned n_synced;

int
fsync(int fd)
{
	struct stat st;

	if (watched != 0 && fstat(fd, &st) == 0 && st.st_ino == watched)
		n_synced++;
	return (int)syscall(SYS_fsync, fd);
}

static int
set_up(void **arg)
{
	(void)arg;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
tear_down(void **arg)
{
	(void)arg;
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

static struct log_point
range(uint32_t timeline, uint64_t from)
{
	return (struct log_point){.engine = "postgresql",
				  .identity = "7123",
				  .segment_bytes = SEG,
				  .timeline = timeline,
				  .from = from,
				  .to = from,
				  .n_history = 1,
				  .history = {{timeline, from}}};
}

static void
open_spool(struct log_spool *s, const char *group)
{
	assert_int_equal(log_spool_open(dir, group, &log_source_postgresql, s, &err), OK);
}

static void
fill(struct log_spool *s, uint64_t from, uint64_t n, uint8_t with)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	memset(p, with, n);
	assert_int_equal(log_spool_write(s, from, SLICE(p, n), &err), OK);
	free(p);
}

static bool
exists(const struct log_spool *s, const char *name)
{
	return faccessat(s->dirfd, name, F_OK, 0) == 0;
}

static void
read_stage(const struct log_stage *g, const char *name, struct buf *b)
{
	char path[LOG_SPOOL_PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", g->dir, name);
	assert_int_equal(fs_read_file(AT_FDCWD, path, b, &err), OK);
}

static void
test_write_and_stage(void **arg)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(2 * SEG);
	CLEAN(log_spool_close) struct log_spool s;
	CLEAN(log_stage_done) struct log_stage g = {0};
	struct log_point r = range(1, 3 * SEG);

	(void)arg;
	open_spool(&s, "stage");
	assert_false(s.has_range);
	assert_int_equal(log_spool_begin(&s, &r, 77, false, &err), OK);
	fill(&s, 3 * SEG, SEG + SEG / 2, 'a'); /* over the end of a file */
	fill(&s, 4 * SEG + SEG / 2, 100, 'b');
	assert_int_equal(log_spool_sync(&s, &err), OK);
	assert_int_equal(s.range.to, 4 * SEG + SEG / 2 + 100);
	/* What comes after the sync is not staged. */
	fill(&s, 4 * SEG + SEG / 2 + 100, 100, 'c');
	assert_int_equal(log_spool_stage(&s, &g, &err), OK);
	assert_int_equal(g.n, 1);
	assert_string_equal(g.whole[0], "000000010000000000000003");
	read_stage(&g, "000000010000000000000004", &file);
	assert_int_equal(file.n, SEG);
	assert_int_equal(file.p[SEG / 2 - 1], 'a');
	assert_int_equal(file.p[SEG / 2 + 99], 'b');
	assert_int_equal(file.p[SEG / 2 + 100], 0);
	assert_int_equal(file.p[SEG - 1], 0);
}

static void
test_the_folder_is_closed_to_others(void **arg)
{
	CLEAN(log_spool_close) struct log_spool s;
	char path[sizeof(dir) + 32];
	struct stat st;

	(void)arg;
	(void)snprintf(path, sizeof(path), "%s/logs/open", dir);
	assert_int_equal(fs_mkdirs(AT_FDCWD, path, 0755, &err), OK);
	assert_int_equal(chmod(path, 0755), 0);
	open_spool(&s, "open");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

/* A range is closed while what comes after it has filled up the file that it ends in. */
static void
test_what_follows_a_closed_range_is_synced(void **arg)
{
	CLEAN(log_spool_close) struct log_spool s;
	struct log_point r = range(1, 3 * SEG), next;
	struct stat st;

	(void)arg;
	open_spool(&s, "synced");
	assert_int_equal(log_spool_begin(&s, &r, 77, false, &err), OK);
	fill(&s, 3 * SEG, SEG / 2, 'a');
	assert_int_equal(log_spool_sync(&s, &err), OK);
	fill(&s, 3 * SEG + SEG / 2, SEG / 2, 'b');
	assert_int_equal(fstatat(s.dirfd, "000000010000000000000003", &st, 0), 0);
	watched = st.st_ino;
	next = log_plan_next(&s.range);
	assert_int_equal(log_spool_begin(&s, &next, 78, true, &err), OK);
	fill(&s, 4 * SEG, 100, 'c');
	assert_int_equal(log_spool_sync(&s, &err), OK);
	assert_int_equal(s.range.to, 4 * SEG + 100);
	assert_true(n_synced > 0);
	watched = 0;
}

static void
test_it_is_found_again(void **arg)
{
	struct log_spool s;
	struct log_point r = range(1, 3 * SEG);

	(void)arg;
	open_spool(&s, "again");
	assert_int_equal(log_spool_begin(&s, &r, 77, false, &err), OK);
	fill(&s, 3 * SEG, 1000, 'a');
	assert_int_equal(log_spool_sync(&s, &err), OK);
	fill(&s, 3 * SEG + 1000, 1000, 'b'); /* not synced: not counted on */
	log_spool_close(&s);
	open_spool(&s, "again");
	assert_true(s.has_range);
	assert_int_equal(s.range.to, 3 * SEG + 1000);
	assert_int_equal(s.written, 3 * SEG + 1000);
	assert_int_equal(s.opened_ns, 77);
	log_spool_close(&s);
}

static void
test_a_damaged_state_is_none(void **arg)
{
	static const char *const bad[] = {"", "{", "{}", "[]", "{\"engine\":\"postgresql\"}"};
	CLEAN(log_spool_close) struct log_spool s;

	(void)arg;
	open_spool(&s, "damaged");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(fs_write_file(s.dirfd, "state.json", SLICE(bad[i], strlen(bad[i])),
					       0600, &err),
				 OK);
		log_spool_close(&s);
		open_spool(&s, "damaged");
		assert_false(s.has_range);
	}
}

static void
test_one_at_a_time(void **arg)
{
	CLEAN(log_spool_close) struct log_spool s;
	struct log_spool other;

	(void)arg;
	open_spool(&s, "lock");
	assert_int_equal(log_spool_open(dir, "lock", &log_source_postgresql, &other, &err),
			 ERR_BUSY);
	assert_int_equal(log_spool_ask(dir, "lock", &err), OK);
	assert_true(log_spool_asked(&s));
	assert_false(log_spool_asked(&s));
}

static void
test_a_hole_is_refused(void **arg)
{
	CLEAN(log_spool_close) struct log_spool s;
	struct log_point r = range(1, 3 * SEG);

	(void)arg;
	open_spool(&s, "hole");
	assert_int_equal(log_spool_begin(&s, &r, 77, false, &err), OK);
	assert_int_equal(log_spool_write(&s, 3 * SEG + 1, SLICE("x", 1), &err), ERR_PROTOCOL);
	assert_int_equal(log_spool_write(&s, 3 * SEG - 1, SLICE("x", 1), &err), ERR_PROTOCOL);
	/* Nor is anything written twice: it may be on its way into the repository. */
	fill(&s, 3 * SEG, 10, 'a');
	assert_int_equal(log_spool_write(&s, 3 * SEG + 9, SLICE("x", 1), &err), ERR_PROTOCOL);
}

static void
test_the_next_range(void **arg)
{
	CLEAN(log_spool_close) struct log_spool s;
	struct log_point r = range(1, 3 * SEG);

	(void)arg;
	open_spool(&s, "next");
	assert_int_equal(log_spool_begin(&s, &r, 77, false, &err), OK);
	fill(&s, 3 * SEG, 2 * SEG + 10, 'a');
	assert_int_equal(log_spool_sync(&s, &err), OK);
	r = log_plan_next(&s.range);
	/* More came while the last range was stored. */
	fill(&s, 5 * SEG + 10, SEG, 'b');
	assert_int_equal(log_spool_begin(&s, &r, 78, true, &err), OK);
	assert_false(exists(&s, "000000010000000000000003"));
	assert_false(exists(&s, "000000010000000000000004"));
	assert_true(exists(&s, "000000010000000000000005"));
	assert_true(exists(&s, "000000010000000000000006"));
	assert_int_equal(s.written, 6 * SEG + 10);
	/* And without anything. */
	r = range(1, 9 * SEG);
	assert_int_equal(log_spool_begin(&s, &r, 79, false, &err), OK);
	assert_false(exists(&s, "000000010000000000000005"));
	assert_int_equal(s.written, 9 * SEG);
}

static void
test_a_fork(void **arg)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(2 * SEG);
	CLEAN(log_spool_close) struct log_spool s;
	CLEAN(log_stage_done) struct log_stage g = {0};
	struct log_point r = range(1, 3 * SEG);

	(void)arg;
	open_spool(&s, "fork");
	assert_int_equal(log_spool_begin(&s, &r, 77, false, &err), OK);
	/* More of the old timeline than the new one has of it. */
	fill(&s, 3 * SEG, 3 * SEG, 'a');
	assert_int_equal(log_spool_sync(&s, &err), OK);
	r = log_plan_switch(&s.range, 2, 4 * SEG + 100);
	assert_int_equal(log_spool_put_history(&s, 2, SLICE("1\t0/400064\tx\n", 13), &err), OK);
	assert_int_equal(log_spool_begin(&s, &r, 78, true, &err), OK);
	assert_true(log_spool_has_history(&s, 2));
	assert_false(exists(&s, "000000010000000000000003"));
	assert_true(exists(&s, "000000010000000000000004"));
	assert_false(exists(&s, "000000010000000000000005"));
	assert_int_equal(s.written, 4 * SEG);
	fill(&s, 4 * SEG, SEG + 50, 'n');
	assert_int_equal(log_spool_sync(&s, &err), OK);
	assert_int_equal(log_spool_stage(&s, &g, &err), OK);
	assert_int_equal(g.n, 1);
	assert_string_equal(g.whole[0], "000000020000000000000004");
	/* The old timeline's file is cut where it forked. */
	read_stage(&g, "000000010000000000000004", &file);
	assert_int_equal(file.n, SEG);
	assert_int_equal(file.p[99], 'a');
	assert_int_equal(file.p[100], 0);
	buf_reset(&file);
	read_stage(&g, "000000020000000000000005", &file);
	assert_int_equal(file.p[49], 'n');
	assert_int_equal(file.p[50], 0);
	buf_reset(&file);
	read_stage(&g, "00000002.history", &file);
	assert_int_equal(file.n, 13);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_stage),
		cmocka_unit_test(test_the_folder_is_closed_to_others),
		cmocka_unit_test(test_what_follows_a_closed_range_is_synced),
		cmocka_unit_test(test_it_is_found_again),
		cmocka_unit_test(test_a_damaged_state_is_none),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_a_hole_is_refused),
		cmocka_unit_test(test_the_next_range),
		cmocka_unit_test(test_a_fork),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
