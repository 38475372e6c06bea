/* SPDX-License-Identifier: Apache-2.0 */

/* The kept state of writers: what was stored comes back; what is damaged or hostile counts as absent. */
#include "agent/writer_status.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"

struct bed {
	char dir[64];
	struct error err;
};

static int
setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	(void)snprintf(bed->dir, sizeof(bed->dir), "/tmp/test-writer-status-XXXXXX");
	assert_non_null(mkdtemp(bed->dir));
	*state = bed;
	return 0;
}

static int
teardown(void **state)
{
	struct bed *bed = *state;

	clock_fake_off();
	assert_int_equal(fs_remove_tree(AT_FDCWD, bed->dir, &bed->err), OK);
	free(bed);
	return 0;
}

static void
test_round_trip(void **state)
{
	struct bed *bed = *state;
	struct error failure;
	struct writer_status s, back;

	clock_fake_set(0, UINT64_C(1700000000) * NS_PER_S);
	error_set(&failure, ERR_WRITER_TIMEOUT, "writer 'x': no answer within %d s", 60);
	writer_status_of("postgresql", NULL, &failure, "{j}", &s);
	(void)snprintf(s.instance, sizeof(s.instance), "{0bada1de-01a9-4625-8278-69e735f39dd2}");
	writer_status_store(bed->dir, &s);
	assert_int_equal(writer_status_load(bed->dir, "postgresql", &back), 1);
	assert_string_equal(back.name, "postgresql");
	assert_string_equal(back.title, "Postgresql Writer");
	assert_int_equal(strlen(back.id), UUID_TEXT_SIZE - 1);
	assert_string_equal(back.id, s.id);
	assert_string_equal(back.instance, s.instance);
	assert_string_equal(back.job, "{j}");
	assert_int_equal(back.state, WRITER_FAILED_AT_IDENTIFY);
	assert_int_equal(back.last_error.code, ERR_WRITER_TIMEOUT);
	assert_string_equal(back.last_error.msg, failure.msg);
	assert_string_equal(back.last_error.hint, failure.hint);
	assert_true(back.since_ns == s.since_ns);
	assert_string_equal(writer_status_error_text(&back.last_error), "Timed out");

	/* A later failure to start does not forget which instance it is. */
	writer_status_of("postgresql", NULL, &failure, NULL, &s);
	writer_status_store(bed->dir, &s);
	assert_int_equal(writer_status_load(bed->dir, "postgresql", &back), 1);
	assert_string_equal(back.instance, "{0bada1de-01a9-4625-8278-69e735f39dd2}");
	assert_string_equal(back.job, "");
}

static void
test_names(void **state)
{
	struct bed *bed = *state;
	char names[WRITER_STATUS_MAX][65];
	struct writer_status s;

	assert_int_equal(writer_status_names(bed->dir, names), 0);
	for (int i = 2; i >= 0; i--) {
		char name[8];

		(void)snprintf(name, sizeof(name), "w%d", i);
		writer_status_init(name, &s);
		writer_status_store(bed->dir, &s);
	}
	writer_status_init("../evil", &s);
	writer_status_store(bed->dir, &s);
	assert_int_equal(writer_status_names(bed->dir, names), 3);
	assert_string_equal(names[0], "w0");
	assert_string_equal(names[2], "w2");
	assert_int_equal(writer_status_load(bed->dir, "../writers/w0", &s), 0);
	assert_int_equal(writer_status_load(bed->dir, "w0", &s), 1);
	assert_int_equal(s.last_error.code, OK);
	assert_string_equal(writer_status_error_text(&s.last_error), "No error");
}

static void
test_damage(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{\"name\":\"w\"}",
		"{\"name\":\"other\",\"state_number\":1}",
		"{\"name\":\"w\",\"state_number\":\"1\"}",
	};
	struct bed *bed = *state;
	struct writer_status s;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/writers", bed->dir);
	assert_int_equal(fs_mkdirs(AT_FDCWD, path, 0700, &bed->err), OK);
	(void)snprintf(path, sizeof(path), "%s/writers/w.json", bed->dir);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(fs_write_file(AT_FDCWD, path, SLICE(bad[i], strlen(bad[i])), 0600,
					       &bed->err),
				 OK);
		assert_int_equal(writer_status_load(bed->dir, "w", &s), 0);
	}
	/* Numbers of a newer version are read as "unknown". */
	const char *newer = "{\"name\":\"w\",\"state_number\":99,\"error\":{\"number\":99999}}";
	assert_int_equal(
		fs_write_file(AT_FDCWD, path, SLICE(newer, strlen(newer)), 0600, &bed->err), OK);
	assert_int_equal(writer_status_load(bed->dir, "w", &s), 1);
	assert_int_equal(s.state, WRITER_UNKNOWN);
	assert_int_equal(s.last_error.code, ERR_INTERNAL);
}

static void
test_blame(void **state)
{
	struct bed *bed = *state;
	const json_t *metadata;
	struct error cause, failure;
	struct writer_status s, before;
	char names[WRITER_STATUS_MAX][65];

	clock_fake_set(0, UINT64_C(1700000000) * NS_PER_S);
	error_set(&cause, ERR_GROUP_LOG_RANGE, "pg1 took 8.0 s to name its logs");
	/* Of one that has never taken part: what it is called follows from its name. */
	assert_int_equal(
		writer_status_blame(bed->dir, "postgresql", NULL, "{j1}", &cause, &bed->err), OK);
	assert_int_equal(writer_status_load(bed->dir, "postgresql", &s), 1);
	assert_string_equal(s.title, "Postgresql Writer");
	assert_string_equal(s.instance, "");
	assert_int_equal(s.state, WRITER_STABLE);
	assert_int_equal(s.last_error.code, ERR_GROUP_LOG_RANGE);
	assert_string_equal(s.last_error.msg, cause.msg);
	assert_string_equal(writer_status_error_text(&s.last_error), "Retryable error");
	assert_string_equal(s.job, "{j1}");
	assert_true(s.since_ns == UINT64_C(1700000000) * NS_PER_S);

	/* Of one that has: its names stay, what it failed of before does not. */
	writer_status_init("postgresql", &before);
	metadata = json_pack("{s:s, s:s}", "title", "PostgreSQL Writer", "id", "7312");
	writer_status_about(metadata, &before);
	json_decref((json_t *)(uintptr_t)metadata);
	before.state = WRITER_FAILED_AT_FREEZE;
	error_set(&failure, ERR_WRITER_FAILED, "as it was");
	before.last_error = failure;
	writer_status_store(bed->dir, &before);
	assert_int_equal(
		writer_status_blame(bed->dir, "postgresql", "7312", "{j2}", &cause, &bed->err), OK);
	assert_int_equal(writer_status_load(bed->dir, "postgresql", &s), 1);
	assert_string_equal(s.title, "PostgreSQL Writer");
	assert_string_equal(s.instance, before.instance);
	assert_int_equal(s.state, WRITER_STABLE);
	assert_int_equal(s.last_error.code, ERR_GROUP_LOG_RANGE);
	assert_string_equal(s.job, "{j2}");

	/* Another application than the one that is there, and what is no name. */
	assert_int_equal(
		writer_status_blame(bed->dir, "postgresql", "7313", "{j3}", &cause, &bed->err),
		ERR_NOT_FOUND);
	assert_int_equal(
		writer_status_blame(bed->dir, "../../etc/x", NULL, "{j3}", &cause, &bed->err),
		ERR_USAGE);
	assert_int_equal(writer_status_load(bed->dir, "postgresql", &s), 1);
	assert_string_equal(s.job, "{j2}");
	assert_int_equal(writer_status_names(bed->dir, names), 1);

	/* What a backup leaves takes its place. */
	writer_status_store(bed->dir, &before);
	assert_int_equal(writer_status_load(bed->dir, "postgresql", &s), 1);
	assert_int_equal(s.last_error.code, ERR_WRITER_FAILED);
}

static void
test_error_texts(void **state)
{
	(void)state;
	struct {
		enum err code;
		const char *text;
	} cases[] = {
		{OK, "No error"},
		{ERR_WRITER_TIMEOUT, "Timed out"},
		{ERR_WRITER_RETRYABLE, "Retryable error"},
		{ERR_WRITER_FAILED, "Non-retryable error"},
		{ERR_DB_CONNECT, "Retryable error"},
		{ERR_BUSY, "Retryable error"},
		{ERR_CONFIG, "Non-retryable error"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(
			writer_status_error_text(&(struct error){.code = cases[i].code}),
			cases[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blame, setup, teardown),
		cmocka_unit_test(test_error_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
