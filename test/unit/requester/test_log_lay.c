/* SPDX-License-Identifier: Apache-2.0 */

/* Laying out logs: the choice of segments, and then the files, byte for byte what the log was. */
#include "requester/log_lay.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "group/postgresql/stream.h"
#include "requester/logrepo.h"
#include "requester/logscene.h"

#define SEG ((uint64_t)WALMAKE_SEGMENT)

/* The choice. */

static void
expect_range(struct logscene *s, uint64_t end, uint64_t from)
{
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct error err = ERROR_INIT;
	uint64_t got_from, got_to;

	assert_int_equal(log_chain_read(&s->list, &(struct log_wish){0}, &c, &err), OK);
	assert_int_equal(c.n_bases, 1);
	log_lay_range(&c, &c.bases[0], end, &got_from, &got_to);
	assert_int_equal(got_from, from);
	assert_int_equal(got_to, end);
}

static void
which_segments(void **state)
{
	struct logscene *s = *state;

	logscene_base(s, "7", 1, MB(3) + 500, MB(5) + 100, 10);
	/* From the file in which the backup's own end on. */
	logscene_logs(s, "group:g", "7", 1, MB(5), MB(7), 5, 20, 0);
	expect_range(s, MB(6), MB(5));
	expect_range(s, MB(5) + 101, MB(5));
	/* Earlier ones, as far as there is no gap, but none that recovery does not need. */
	logscene_logs(s, "group:g", "7", 1, MB(4), MB(5) + 9, 5, 20, 0);
	expect_range(s, MB(6), MB(4));
	logscene_logs(s, "group:g", "7", 1, MB(1), MB(4) + 9, 5, 20, 0);
	expect_range(s, MB(6), MB(3));
}

static void
not_beyond_a_gap(void **state)
{
	struct logscene *s = *state;

	logscene_base(s, "7", 1, MB(2), MB(5) + 100, 10);
	logscene_logs(s, "group:g", "7", 1, MB(2), MB(4), 5, 20, 0);
	logscene_logs(s, "group:g", "7", 1, MB(5), MB(7), 5, 20, 0);
	expect_range(s, MB(6), MB(5));
	/* The end lies in what the backup has itself. */
	expect_range(s, MB(5) + 50, MB(5));
}

/* The files. */

static void
quiet(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	(void)arg, (void)code;
	if (serious)
		fail_msg("%s: %s", path, message);
}

static int
lay(struct logrepo *r, uint64_t end, struct error *err)
{
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct progress progress = {0};
	const struct restore_options options = {
		.workers = 1, .no_sync = true, .warn = quiet, .progress = &progress};
	struct restore_stats stats;
	struct log_lay order = {
		.repo = r->rig->repo, .end = end, .target = r->dir, .options = &options};

	*err = (struct error)ERROR_INIT;
	logrepo_chain(r, &c);
	assert_int_equal(c.n_bases, 1);
	order.index = r->rig->index;
	order.reader = r->rig->reader;
	order.chain = &c;
	order.base = &c.bases[0];
	return log_lay_run(&order, &stats, err);
}

/* Of the file at `segment` the bytes up to `end` are the log's; it is of full size, and its server's alone. */
static void
expect_file(struct logrepo *r, uint32_t timeline, uint64_t segment, uint64_t end)
{
	char name[LOG_FILE_NAME_MAX], path[200];
	CLEAN(free_ptr) uint8_t *got = malloc(SEG);
	struct stat st;

	log_source_postgresql.segment_name(timeline, segment, SEG, name);
	(void)snprintf(path, sizeof(path), "%s/" LOG_LAY_FOLDER "/%s", r->dir, name);
	CLEAN(fd_close) int fd = open(path, O_RDONLY);
	if (fd < 0)
		fail_msg("there is no %s", name);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SEG);
	assert_int_equal(st.st_mode & 0777, 0600);
	size_t n = (size_t)MIN(end - segment, SEG);
	assert_int_equal(pread(fd, got, n, 0), n);
	if (memcmp(got, r->wal.bytes + (segment - LOGREPO_START), n) != 0)
		fail_msg("%s is not what was written", name);
}

static unsigned
count_files(const struct logrepo *r)
{
	char command[200];
	unsigned n = 0;

	(void)snprintf(command, sizeof(command), "%s/" LOG_LAY_FOLDER, r->dir);
	CLEAN(fd_close) int fd = open(command, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	for (uint64_t at = LOGREPO_START; at < LOGREPO_START + 4 * SEG; at += SEG)
		for (uint32_t t = 1; t < 3; t++) {
			char name[LOG_FILE_NAME_MAX];

			log_source_postgresql.segment_name(t, at, SEG, name);
			n += faccessat(fd, name, F_OK, 0) == 0;
		}
	return n;
}

static uint64_t
write_log(struct logrepo *r)
{
	while (r->wal.at < 3 * SEG + SEG / 2)
		(void)walmake_other(&r->wal, 10000);
	return LOGREPO_START + (r->wal.at + 7) / 8 * 8;
}

/* Points that end in the middle of a file, and overlap; and one that nobody needs. */
static void
put_together(void **state)
{
	struct logrepo *r = *state;
	uint64_t end = write_log(r), stop = LOGREPO_START + SEG + 300;
	struct error err;

	logrepo_base(r, LOGREPO_START + SEG + 8, stop, stop, 10);
	logrepo_store(r, &(struct logrepo_logs){
				 .from = LOGREPO_START, .to = LOGREPO_START + SEG, .to_s = 5});
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START + SEG,
						.to = LOGREPO_START + 2 * SEG + 4444,
						.to_s = 20});
	logrepo_store(
		r, &(struct logrepo_logs){.from = LOGREPO_START + 2 * SEG, .to = end, .to_s = 30});
	assert_int_equal(lay(r, end - 100, &err), OK);
	assert_int_equal(count_files(r), 3);
	expect_file(r, 1, LOGREPO_START + SEG, LOGREPO_START + 2 * SEG);
	expect_file(r, 1, LOGREPO_START + 2 * SEG, LOGREPO_START + 3 * SEG);
	expect_file(r, 1, LOGREPO_START + 3 * SEG, end - 100);
	/* It is never put over what is there. */
	assert_int_equal(lay(r, end, &err), ERR_TARGET);
}

/* The copier began in the middle of a file: its beginning is in the backup's own logs, or nowhere. */
static void
the_beginning_of_a_file(void **state)
{
	struct logrepo *r = *state;
	uint64_t end = write_log(r), held = LOGREPO_START + 900;
	char path[200], name[LOG_FILE_NAME_MAX];
	struct error err;

	logrepo_base(r, LOGREPO_START + 8, held, held, 10);
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START,
						.from_part = 800,
						.to = LOGREPO_START + 2 * SEG,
						.to_s = 5});
	assert_int_equal(lay(r, LOGREPO_START + 2 * SEG, &err), ERR_LOG_GAP);
	assert_non_null(strstr(err.msg, "is nowhere"));
	(void)snprintf(path, sizeof(path), "%s/" LOG_LAY_FOLDER, r->dir);
	assert_int_equal(fs_remove_tree(AT_FDCWD, path, &err), OK);
	(void)snprintf(path, sizeof(path), "%s/pg_wal", r->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	log_source_postgresql.segment_name(1, LOGREPO_START, SEG, name);
	(void)snprintf(path, sizeof(path), "%s/pg_wal/%s", r->dir, name);
	CLEAN(fd_close) int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, r->wal.bytes, 900), 900);
	assert_int_equal(ftruncate(fd, SEG), 0);
	assert_int_equal(lay(r, LOGREPO_START + 2 * SEG, &err), OK);
	expect_file(r, 1, LOGREPO_START, LOGREPO_START + SEG);
	expect_file(r, 1, LOGREPO_START + SEG, LOGREPO_START + 2 * SEG);
	assert_true(end > LOGREPO_START + 2 * SEG);
}

/* What a server asks for after a promotion: the newer timeline's name, and how it came about. */
static void
over_a_promotion(void **state)
{
	struct logrepo *r = *state;
	uint64_t end = write_log(r), fork = LOGREPO_START + 2 * SEG + 5000;
	CLEAN(buf_done) struct buf text = BUF_INIT(4096);
	char path[200];
	struct error err;

	logrepo_base(r, LOGREPO_START + 8, LOGREPO_START + 300, LOGREPO_START + 300, 10);
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START, .to = fork, .to_s = 5});
	r->wal.timeline = 2;
	logrepo_store(
		r, &(struct logrepo_logs){
			   .from = LOGREPO_START + 2 * SEG, .to = end, .fork = fork, .to_s = 20});
	assert_int_equal(lay(r, end, &err), OK);
	expect_file(r, 1, LOGREPO_START + SEG, LOGREPO_START + 2 * SEG);
	expect_file(r, 2, LOGREPO_START + 2 * SEG, LOGREPO_START + 3 * SEG);
	expect_file(r, 2, LOGREPO_START + 3 * SEG, end);
	(void)snprintf(path, sizeof(path), "%s/" LOG_LAY_FOLDER "/00000002.history", r->dir);
	assert_int_equal(fs_read_file(AT_FDCWD, path, &text, &err), OK);
	assert_int_equal(buf_append(&text, "", 1, &err), OK);
	assert_int_equal(strncmp((const char *)buf_slice(&text).p, "1\t0/701388\t", 11), 0);
}

static void
logs_that_cannot_be_read(void **state)
{
	struct logrepo *r = *state;
	uint64_t end = write_log(r);
	struct error err;

	logrepo_base(r, LOGREPO_START + 8, LOGREPO_START + 300, LOGREPO_START + 300, 10);
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START,
						.to = LOGREPO_START + SEG,
						.says_to = end,
						.to_s = 5});
	assert_int_equal(lay(r, end, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "lacks a log"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(which_segments, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(not_beyond_a_gap, logscene_setup,
						logscene_teardown),
		cmocka_unit_test_setup_teardown(put_together, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(the_beginning_of_a_file, logrepo_setup,
						logrepo_teardown),
		cmocka_unit_test_setup_teardown(over_a_promotion, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(logs_that_cannot_be_read, logrepo_setup,
						logrepo_teardown),
	};

	return cmocka_run_group_tests_name("log_lay", tests, NULL, NULL);
}
