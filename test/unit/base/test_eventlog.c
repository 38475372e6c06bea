/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The event log: what is added is read back, whatever the values hold; it is bounded; events are held
 * back while file systems are frozen; the journal gets them.
 */
#include "base/eventlog.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/eventlog_read.h"
#include "base/fs.h"

#define JOB "7d0e54e2-3f6c-4a9a-9a52-1c2f9c0f6a11"

struct bed {
	char dir[64];
	struct eventlog *log;
	struct error err;
};

static int
setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	(void)snprintf(bed->dir, sizeof(bed->dir), "/tmp/test-eventlog-XXXXXX");
	assert_non_null(mkdtemp(bed->dir));
	struct eventlog_options options = {.dir = bed->dir, .program = "test"};
	assert_int_equal(eventlog_open(&options, &bed->log, &bed->err), OK);
	*state = bed;
	return 0;
}

static int
teardown(void **state)
{
	struct bed *bed = *state;

	clock_fake_off();
	eventlog_close(bed->log);
	assert_int_equal(fs_remove_tree(AT_FDCWD, bed->dir, &bed->err), OK);
	free(bed);
	return 0;
}

static struct event_list
read_all(struct bed *bed, const struct eventlog_filter *filter)
{
	static const struct eventlog_filter everything;
	struct event_list list = {0};

	assert_int_equal(
		eventlog_read(bed->dir, filter != NULL ? filter : &everything, &list, &bed->err),
		OK);
	return list;
}

static void
test_round_trip(void **state)
{
	struct bed *bed = *state;
	char scratch[24];

	clock_fake_set(0, UINT64_C(1700000000123456789));
	eventlog_add(bed->log, EVENT_SNAPSHOT_TIMEOUT, JOB, "set=%s ttl_s=%u last_keep_ms=%llu",
		     "00112233", 1200u, 1200400ull);
	CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
	assert_int_equal(list.n, 1);
	const struct event *e = &list.items[0];
	assert_int_equal(e->id, 2101);
	assert_string_equal(e->name, "SNAPSHOT_TIMEOUT");
	assert_int_equal(e->level, LOG_LEVEL_ERROR);
	assert_true(e->time_ns == UINT64_C(1700000000123456789));
	assert_string_equal(e->job, JOB);
	assert_string_equal(e->set, "00112233");
	assert_string_equal(e->program, "test");
	assert_int_equal(e->pid, getpid());
	assert_int_equal(event_number(e, "ttl_s"), 1200);
	assert_int_equal(event_number(e, "last_keep_ms"), 1200400);
	assert_string_equal(event_field(e, "ttl_s", scratch), "1200");
	assert_false(event_has(e, "set"));

	json_t *j = event_to_json(e);
	assert_string_equal(json_string_value(json_object_get(j, "time")),
			    "2023-11-14T22:13:20.123Z");
	assert_string_equal(json_string_value(json_object_get(j, "text")),
			    "Snapshot timeout occurred.");
	json_decref(j);
}

static void
test_values_of_any_bytes(void **state)
{
	struct bed *bed = *state;
	char scratch[24];
	const char *hostile = "a b=c \"q\" \\ \n\t\x01 \xc3\xa9 \xff \xc3 ttl_s=9";

	eventlog_add(bed->log, EVENT_WRITER_FAILED, "\"job\"",
		     "writer=%s retry=yes error=%s code=%d", "x y", hostile, -7);
	eventlog_add(bed->log, EVENT_WRITER_FAILED, NULL, "error=%s ttl_s=%d",
		     "\x1f\x1e"
		     "1\x1f",
		     5);
	CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.items[0].job, "\"job\"");
	assert_string_equal(event_field(&list.items[0], "writer", scratch), "x y");
	assert_string_equal(event_field(&list.items[0], "retry", scratch), "yes");
	assert_string_equal(event_field(&list.items[0], "error", scratch),
			    "a b=c \"q\" \\ \n\t\x01 \xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd ttl_s=9");
	assert_string_equal(event_field(&list.items[0], "code", scratch), "-7");
	assert_int_equal(event_number(&list.items[1], "ttl_s"), 5);
}

static void
test_worded_fields(void **state)
{
	struct bed *bed = *state;
	char scratch[24];

	eventlog_add_fields(bed->log, NS_PER_S, EVENT_LEFTOVER_KEPT, JOB,
			    "set=12 provider=btrfs place=/a b count=7 cause=not ours place=9");
	eventlog_add_fields(bed->log, 2 * NS_PER_S, EVENT_KEEP_RECEIVED, JOB,
			    "ttl_s=1200 since_ms=007 left_ms=-5 x=");
	eventlog_add_fields(bed->log, 3 * NS_PER_S, EVENT_KEEP_RECEIVED, JOB, "");
	eventlog_add_fields(NULL, 0, EVENT_KEEP_RECEIVED, JOB, "");
	CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.items[0].set, "12");
	assert_string_equal(event_field(&list.items[0], "place", scratch), "/a b");
	assert_int_equal(event_number(&list.items[0], "count"), 7);
	assert_string_equal(event_field(&list.items[0], "cause", scratch), "not ours place=9");
	assert_int_equal(event_number(&list.items[1], "ttl_s"), 1200);
	assert_string_equal(event_field(&list.items[1], "since_ms", scratch), "007");
	assert_string_equal(event_field(&list.items[1], "left_ms", scratch), "-5");
	assert_string_equal(event_field(&list.items[1], "x", scratch), "");
	assert_true(list.items[2].time_ns == 3 * NS_PER_S);
}

static void
test_long_values_are_cut(void **state)
{
	struct bed *bed = *state;
	char scratch[24];
	char text[8000];

	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	eventlog_add(bed->log, EVENT_BACKUP_FAILED, text, "step=%s a=%s error=%s", "x", text, text);
	memset(text, '"', sizeof(text) - 1);
	eventlog_add(bed->log, EVENT_BACKUP_FAILED, text, "step=%s error=%s", "y", text);
	eventlog_add(bed->log, EVENT_BACKUP_FAILED, NULL, "%s", "");
	CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
	assert_int_equal(list.n, 3);
	assert_string_equal(event_field(&list.items[0], "step", scratch), "x");
	assert_string_equal(event_field(&list.items[1], "step", scratch), "y");
	assert_true(strlen(event_field(&list.items[1], "error", scratch)) > 900);
}

static void
test_filter(void **state)
{
	struct bed *bed = *state;

	for (uint64_t i = 1; i <= 5; i++)
		eventlog_add_at(bed->log, i * NS_PER_S,
				i == 3 ? EVENT_SNAPSHOT_TIMEOUT : EVENT_KEEP_RECEIVED,
				i < 4 ? "aaa" : "abb", "ttl_s=%d", 10);
	struct {
		struct eventlog_filter filter;
		size_t n;
		uint64_t first_s;
	} cases[] = {
		{{.job = "a"}, 5, 1},
		{{.job = "AB"}, 2, 4},
		{{.job = "x"}, 0, 0},
		{{.since_ns = 3 * NS_PER_S}, 3, 3},
		{{.last = 2}, 2, 4},
		{{.level = LOG_LEVEL_WARN}, 1, 3},
		{{.level = LOG_LEVEL_INFO}, 5, 1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEAN(event_list_done) struct event_list list = read_all(bed, &cases[i].filter);
		assert_int_equal(list.n, cases[i].n);
		if (list.n > 0)
			assert_true(list.items[0].time_ns == cases[i].first_s * NS_PER_S);
	}
}

static void
test_hold(void **state)
{
	struct bed *bed = *state;

	clock_fake_set(0, NS_PER_S);
	eventlog_hold(bed->log);
	eventlog_hold(bed->log);
	for (int i = 0; i < EVENTLOG_HELD_MAX + 3; i++)
		eventlog_add(bed->log, EVENT_FREEZE_BEGUN, JOB, "limit_ms=%d", i);
	eventlog_let_go(bed->log);
	{
		CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
		assert_int_equal(list.n, 0);
	}
	clock_fake_advance(NS_PER_S);
	eventlog_let_go(bed->log);
	CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
	assert_int_equal(list.n, EVENTLOG_HELD_MAX + 1);
	assert_true(list.items[0].time_ns == NS_PER_S);
	assert_int_equal(event_number(&list.items[5], "limit_ms"), 5);
	assert_int_equal(list.items[EVENTLOG_HELD_MAX].id, EVENT_EVENTS_LOST);
	assert_int_equal(event_number(&list.items[EVENTLOG_HELD_MAX], "count"), 3);
}

/* Two logs on one folder, as two processes have them: both go on after either rotated. */
static void
test_rotation(void **state)
{
	struct bed *bed = *state;
	CLEAN(eventlog_closep) struct eventlog *other = NULL;
	struct eventlog_options options = {.dir = bed->dir, .program = "other"};
	char big[1000];
	char path[128];
	struct stat st;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(eventlog_open(&options, &other, &bed->err), OK);
	for (int i = 0; i < 10000; i++)
		eventlog_add(i % 2 ? bed->log : other, EVENT_BACKUP_MOVED, JOB, "files=%d step=%s",
			     i, big);
	(void)snprintf(path, sizeof(path), "%s/" EVENTLOG_FILE_OLD, bed->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, EVENTLOG_BYTES_MAX, EVENTLOG_BYTES_MAX + 4096);
	(void)snprintf(path, sizeof(path), "%s/" EVENTLOG_FILE, bed->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1, EVENTLOG_BYTES_MAX);

	CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
	assert_true(list.n > 3000);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(event_number(&list.items[i], "files"), 10000 - list.n + i);
}

static void
test_torn_lines(void **state)
{
	struct bed *bed = *state;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/" EVENTLOG_FILE, bed->dir);
	eventlog_add(bed->log, EVENT_AGENT_STARTED, NULL, "version=%s", "1");
	int fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"time\":\"20\n\n[]\n{\"id\":3}\n\xff\n", 25), 25);
	eventlog_add(bed->log, EVENT_AGENT_STOPPED, NULL, "cause=%s", "signal");
	assert_int_equal(write(fd, "{\"time", 6), 6);
	close(fd);
	CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.items[1].id, EVENT_AGENT_STOPPED);
}

static void
test_follow(void **state)
{
	struct bed *bed = *state;
	CLEAN(eventlog_reader_closep) struct eventlog_reader *reader = NULL;
	CLEAN(event_list_done) struct event_list list = {0};
	struct eventlog_filter filter = {.job = "b"};
	char from[128], to[128];

	eventlog_add(bed->log, EVENT_AGENT_STARTED, "b", "version=%s", "1");
	assert_int_equal(eventlog_reader_open(bed->dir, &reader, &bed->err), OK);
	assert_int_equal(eventlog_reader_next(reader, &filter, &list, &bed->err), OK);
	assert_int_equal(list.n, 0);

	eventlog_add(bed->log, EVENT_KEEP_RECEIVED, "a", "ttl_s=%d", 1);
	eventlog_add(bed->log, EVENT_KEEP_RECEIVED, "b", "ttl_s=%d", 2);
	assert_int_equal(eventlog_reader_wait(reader, clock_boot_ns() + 10 * NS_PER_S, &bed->err),
			 OK);
	assert_int_equal(eventlog_reader_next(reader, &filter, &list, &bed->err), OK);
	assert_int_equal(list.n, 1);

	/* Nothing is missed when the file is changed for another. */
	eventlog_add(bed->log, EVENT_KEEP_RECEIVED, "b", "ttl_s=%d", 3);
	(void)snprintf(from, sizeof(from), "%s/" EVENTLOG_FILE, bed->dir);
	(void)snprintf(to, sizeof(to), "%s/" EVENTLOG_FILE_OLD, bed->dir);
	assert_int_equal(rename(from, to), 0);
	eventlog_add(bed->log, EVENT_KEEP_RECEIVED, "b", "ttl_s=%d", 4);
	assert_int_equal(eventlog_reader_wait(reader, clock_boot_ns() + 10 * NS_PER_S, &bed->err),
			 OK);
	assert_int_equal(eventlog_reader_next(reader, &filter, &list, &bed->err), OK);
	assert_int_equal(list.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(event_number(&list.items[i], "ttl_s"), i + 2);
}

static void
test_journal(void **state)
{
	struct bed *bed = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	CLEAN(eventlog_closep) struct eventlog *log = NULL;
	char got[4096];

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/journal", bed->dir);
	CLEAN(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	struct eventlog_options options = {
		.dir = bed->dir, .program = "holdfast-guard", .journal = at.sun_path};
	assert_int_equal(eventlog_open(&options, &log, &bed->err), OK);
	eventlog_add(log, EVENT_SNAPSHOT_TIMEOUT, JOB, "ttl_s=%d error=%s", 1200, "a\nPRIORITY=0");
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got,
			    "MESSAGE=Snapshot timeout occurred. ttl_s=1200 error=a?PRIORITY=0\n"
			    "MESSAGE_ID=8f2c4d7e91b34a06a5d3c07e1f600835\nPRIORITY=3\n"
			    "SYSLOG_IDENTIFIER=holdfast-guard\nHOLDFAST_EVENT=2101\n"
			    "HOLDFAST_JOB=" JOB "\n");
	/* Nobody reads: adding goes on. */
	for (int i = 0; i < 2000; i++)
		eventlog_add(log, EVENT_KEEP_RECEIVED, JOB, "ttl_s=%d", i);
}

static void
count(void *arg, enum event_id id, const char *job, const char *fields)
{
	int *n = arg;

	assert_int_equal(id, EVENT_KEEP_RECEIVED);
	assert_string_equal(job, "j");
	assert_string_equal(fields, "ttl_s=5 peer=a b");
	(*n)++;
}

static void
test_sink_and_null(void **state)
{
	struct bed *bed = *state;
	CLEAN(eventlog_closep) struct eventlog *log = NULL;
	int n = 0;
	struct eventlog_options options = {
		.dir = bed->dir, .program = "x", .sink = count, .sink_arg = &n};

	assert_int_equal(eventlog_open(&options, &log, &bed->err), OK);
	eventlog_add(log, EVENT_KEEP_RECEIVED, "j", "ttl_s=%d peer=%s", 5, "a b");
	assert_int_equal(n, 1);
	eventlog_add(NULL, EVENT_KEEP_RECEIVED, "j", "ttl_s=%d", 5);
	eventlog_hold(NULL);
	eventlog_let_go(NULL);
	eventlog_close(NULL);
}

static void *
add_many(void *arg)
{
	for (int i = 0; i < 500; i++)
		eventlog_add(arg, EVENT_KEEP_RECEIVED, JOB, "ttl_s=%d", i);
	return NULL;
}

static void
test_threads(void **state)
{
	struct bed *bed = *state;
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, bed->log), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	CLEAN(event_list_done) struct event_list list = read_all(bed, NULL);
	assert_int_equal(list.n, 2000);
}

static void
test_no_log(void **state)
{
	struct bed *bed = *state;
	struct event_list list;
	struct eventlog *log;
	struct eventlog_options options = {.dir = "/proc/nothing", .program = "x"};

	assert_int_equal(
		eventlog_read("/nonexistent", &(struct eventlog_filter){0}, &list, &bed->err), OK);
	assert_int_equal(list.n, 0);
	assert_true(eventlog_open(&options, &log, &bed->err) < 0);
}

static void
test_table(void **state)
{
	unsigned id;

	(void)state;
	for (size_t i = 0; (id = event_at(i)) != 0; i++) {
		const char *text = event_text(id);

		assert_in_range(id, 2100, 2999);
		assert_int_equal(event_find(event_name(id)), id);
		assert_true(strlen(event_name(id)) < 40);
		assert_true(text[strlen(text) - 1] == '.');
		for (size_t k = 0; k < i; k++)
			assert_true(event_at(k) < id);
	}
	assert_null(event_name(1));
	assert_int_equal(event_find("nothing"), 0);
	assert_int_equal(event_find("snapshot_timeout"), 2101);
	assert_int_equal(event_level_find("warning"), LOG_LEVEL_WARN);
	assert_int_equal(event_level_find("loud"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values_of_any_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_worded_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_values_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_and_null, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_log, setup, teardown),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
