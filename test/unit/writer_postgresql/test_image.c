/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When an image may be made, and when it is proven, with a server that is made of answers: this file has
 * its own pgconn_query(). (A real server and real snapshots: test/e2e/22-writer-postgresql-image.t.)
 */
#include "writer/postgresql/image.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"

#define LOG "000000010000000000000003"

enum { SEGMENT = 1 << 20, COLUMNS = 6, END_COLUMNS = 3 };

static char top[] = "/tmp/hf-image-XXXXXX";
static const char *facts; /* NULL: the server fails */
static const char *answers[COLUMNS];
static int n_answers;
static const char *const end_answers[END_COLUMNS] = {"0/3000200", "1", "1700000000123456000"};

/* A result of one row of text. */
static PGresult *
row(int n, const char *const *values)
{
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[COLUMNS];

	assert_non_null(r);
	memset(columns, 0, sizeof(columns));
	for (int i = 0; i < n; i++)
		columns[i].name = (char[]){"c"};
	assert_true(PQsetResultAttrs(r, n, columns));
	for (int i = 0; i < n; i++) {
		CLEAN(free_ptr) char *value = strdup(values[i]);

		assert_true(PQsetvalue(r, 0, i, value, (int)strlen(value)));
	}
	return r;
}

int
pgconn_query(struct pgconn *c, const struct pgconn_limit *limit, const char *sql, size_t n,
	     const char *const *params, PGresult **ret_result, struct error *err)
{
	(void)c, (void)limit, (void)params;
	assert_int_equal(n, 0);
	if (facts == NULL)
		return error_set(err, ERR_DB_SESSION_LOST, "gone");
	/* The one that is asked twice has one column. */
	if (strstr(sql, "pg_control_system()") != NULL)
		*ret_result = row(1, &facts);
	else if (strstr(sql, "clock_timestamp()") != NULL)
		*ret_result = row(END_COLUMNS, end_answers);
	else
		*ret_result = row(n_answers, answers);
	return OK;
}

static int
setup(void **state)
{
	static const char *const good[COLUMNS] = {"0/3000028", LOG, "on", "on", "0", "0/3000100"};
	char wal[64], path[128];

	(void)state;
	(void)snprintf(top, sizeof(top), "/tmp/hf-image-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	(void)snprintf(wal, sizeof(wal), "%s/pg_wal", top);
	(void)snprintf(path, sizeof(path), "%s/" LOG, wal);
	CLEAN(fd_close) int fd = mkdir(wal, 0700) < 0 ? -1 : creat(path, 0600);
	memcpy(answers, good, sizeof(answers));
	n_answers = COLUMNS;
	facts = "system 1, timeline 1, up since 12:00";
	return fd >= 0 && ftruncate(fd, SEGMENT) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, top, NULL);
}

static int
begin(struct image *im, const struct cluster *cluster, bool *possible, char why[IMAGE_WHY_MAX],
      struct error *err)
{
	const struct pgconn_limit limit = {.deadline_ns = UINT64_MAX, .requester_fd = -1};

	*im = (struct image){.cluster = cluster};
	return image_begin(im, &limit, possible, why, err);
}

static void
good_then_proven(void **state)
{
	const struct cluster cluster = {.data_directory = top, .wal_segment_bytes = SEGMENT};
	const struct pgconn_limit limit = {.deadline_ns = UINT64_MAX, .requester_fd = -1};
	CLEAN(image_done) struct image im;
	char why[IMAGE_WHY_MAX];
	struct error err = ERROR_INIT;
	bool possible = false;

	(void)state;
	assert_int_equal(begin(&im, &cluster, &possible, why, &err), OK);
	assert_true(possible);
	assert_string_equal(why, "");
	assert_int_equal(im.redo_lsn, 0x3000028);
	assert_string_equal(im.redo_log, LOG);
	assert_int_equal(im.held_lsn, 0x3000100);
	assert_int_equal(image_prove(&im, &limit, &err), OK);
	CLEAN(json_done) json_t *range = image_range(&im);
	assert_string_equal(json_string_value(json_object_get(range, "start_lsn")), "0/3000028");
	assert_string_equal(json_string_value(json_object_get(range, "held_lsn")), "0/3000100");
	assert_string_equal(json_string_value(json_object_get(range, "stop_lsn")), "0/3000200");
	assert_int_equal(json_integer_value(json_object_get(range, "stop_timeline")), 1);
	assert_int_equal(json_integer_value(json_object_get(range, "stop_time")),
			 1700000000123456000);
	facts = "system 1, timeline 2, up since 12:00";
	assert_int_equal(image_prove(&im, &limit, &err), ERR_WRITER_RETRYABLE);
	assert_non_null(strstr(err.msg, "changed while the snapshot was taken"));
	facts = NULL;
	assert_int_equal(image_prove(&im, &limit, &err), ERR_DB_SESSION_LOST);
	assert_non_null(strstr(err.msg, "end of the log"));
}

static void
not_possible(void **state)
{
	static const struct {
		int column;
		const char *answer, *why;
	} cases[] = {
		{2, "off", "fsync is off"},
		{3, "off", "full_page_writes is off"},
		{4, "1", "a tablespace was created"},
		{1, "000000010000000000000002", "the log does not reach back"},
	};
	const struct cluster cluster = {.data_directory = top, .wal_segment_bytes = SEGMENT};
	const struct cluster other = {.data_directory = top, .wal_segment_bytes = 2 * SEGMENT};
	char why[IMAGE_WHY_MAX];
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEAN(image_done) struct image im;
		const char *before = answers[cases[i].column];
		bool possible = true;

		answers[cases[i].column] = cases[i].answer;
		assert_int_equal(begin(&im, &cluster, &possible, why, &err), OK);
		assert_false(possible);
		assert_non_null(strstr(why, cases[i].why));
		answers[cases[i].column] = before;
	}
	/* A log that is not whole is none. */
	CLEAN(image_done) struct image im;
	bool possible = true;

	(void)state;
	assert_int_equal(begin(&im, &other, &possible, why, &err), OK);
	assert_false(possible);
}

static void
no_answer(void **state)
{
	const struct cluster cluster = {.data_directory = top, .wal_segment_bytes = SEGMENT};
	struct error err = ERROR_INIT;
	char why[IMAGE_WHY_MAX];
	bool possible;

	(void)state;
	for (int i = 0; i < 3; i++) {
		CLEAN(image_done) struct image im;

		n_answers = i == 0 ? COLUMNS - 1 : COLUMNS;
		answers[0] = i == 1 ? "3000028" : "0/3000028";
		if (i == 2)
			facts = NULL;
		assert_int_equal(begin(&im, &cluster, &possible, why, &err),
				 i == 2 ? ERR_DB_SESSION_LOST : ERR_WRITER_FAILED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_then_proven, setup, teardown),
		cmocka_unit_test_setup_teardown(not_possible, setup, teardown),
		cmocka_unit_test_setup_teardown(no_answer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
