/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A session's own lease under a clock that stands still unless it is told to go: the default time to live
 * of 1200 s with a keep-alive every 120 s, silence, and what whoever comes at, before and after the
 * deadline is told. (The guard's table is the same code: test/unit/guard/test_lease.c.)
 */
#include "agent/session.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/task.h"
#include "base/clock.h"
#include "base/eventlog.h"
#include "base/eventlog_read.h"
#include "base/fs.h"
#include "base/json.h"

#define TTL LEASE_TTL_DEFAULT_NS
#define JOB "{7d0e1f7c-c5b1-4e3a-9b1c-d9b1c4d5e6f7}"

enum { KEEPS = 60, RACES = 300 };

struct bed {
	char dir[64];
	const char *path;
	struct eventlog *events;
	struct session *session;
	struct error err;
};

static void
begin(struct bed *bed)
{
	const struct session_setup setup = {.always_leased = true, .events = bed->events};
	const struct session_order order = {
		.job = JOB, .n_paths = 1, .paths = &bed->path, .provider = "direct"};
	CLEAN(session_prepared_done) struct session_prepared prepared = {0};
	CLEAN(session_moment_done) struct session_moment moment = {0};

	assert_int_equal(session_open(&setup, &bed->session, &bed->err), OK);
	assert_int_equal(session_prepare(bed->session, &order, &prepared, &bed->err), OK);
	assert_true(prepared.leased);
	assert_true(prepared.ttl_ns == 1200 * NS_PER_S);
	assert_int_equal(session_create(bed->session, &moment, &bed->err), OK);
	assert_int_equal(task_skip(bed->session, &bed->err), OK);
}

static int
setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	if (bed == NULL)
		return -1;
	(void)snprintf(bed->dir, sizeof(bed->dir), "/tmp/test-session-lease-XXXXXX");
	if (mkdtemp(bed->dir) == NULL)
		return -1;
	bed->path = bed->dir;
	const struct eventlog_options log = {.dir = bed->dir, .program = "test"};
	if (eventlog_open(&log, &bed->events, &bed->err) < 0)
		return -1;
	clock_fake_set(5000 * NS_PER_S, UINT64_C(1700000000) * NS_PER_S);
	begin(bed);
	*state = bed;
	return 0;
}

static int
teardown(void **state)
{
	struct bed *bed = *state;

	session_close(bed->session);
	eventlog_close(bed->events);
	clock_fake_off();
	assert_int_equal(fs_remove_tree(AT_FDCWD, bed->dir, &bed->err), OK);
	free(bed);
	return 0;
}

static void
expect_held(struct bed *bed)
{
	struct lease l;

	assert_int_equal(session_check(bed->session, &bed->err), OK);
	assert_true(session_lease(bed->session, &l));
	assert_int_equal(l.state, LEASE_HELD);
	assert_true(clock_boot_ns() < l.deadline_ns);
}

/* Whatever is asked, it is over, and since exactly when. */
static void
expect_expired(struct bed *bed, uint64_t since_ns, const char *ago)
{
	CLEAN(session_verdict_done) struct session_verdict verdict = {0};
	CLEAN(json_done) json_t *status = NULL;
	const char *end;
	struct lease l;

	assert_true(session_lease(bed->session, &l));
	assert_int_equal(l.state, LEASE_ENDED);
	assert_int_equal(l.end, LEASE_EXPIRED);
	assert_true(l.ended_ns == since_ns);
	assert_int_equal(session_check(bed->session, &bed->err), ERR_LEASE_ENDED);
	assert_int_equal(session_keep(bed->session, TTL, &bed->err), ERR_LEASE_ENDED);
	assert_non_null(strstr(bed->err.msg, ago));
	assert_int_equal(session_finish(bed->session, &verdict, &bed->err), ERR_LEASE_ENDED);
	assert_int_equal(error_hresult(bed->err.code), 0x800401fd);
	assert_non_null(strstr(bed->err.msg, ago));
	assert_non_null(strstr(bed->err.msg, "snapshot timeout occurred"));
	assert_non_null(strstr(bed->err.msg, "time to live 1200 s, last keep-alive 1200 s before"));
	assert_int_equal(session_status(bed->session, &status, &bed->err), OK);
	assert_int_equal(json_get_str(status, "end", &end, &bed->err), OK);
	assert_string_equal(end, "expired");
	/* Nothing that comes later brings it back. */
	assert_int_equal(session_keep(bed->session, TTL, &bed->err), ERR_LEASE_ENDED);
	assert_true(session_lease(bed->session, &l) && l.ended_ns == since_ns);
}

static size_t
count_events(struct bed *bed, enum event_id id, const char *cause)
{
	static const struct eventlog_filter all = {.job = JOB};
	CLEAN(event_list_done) struct event_list list = {0};
	char scratch[24];
	size_t n = 0;

	assert_int_equal(eventlog_read(bed->dir, &all, &list, &bed->err), OK);
	for (size_t i = 0; i < list.n; i++)
		n += list.items[i].id == id &&
		     strstr(event_field(&list.items[i], "cause", scratch), cause) != NULL;
	return n;
}

/* Six times as long as the time to live it is kept by keep-alives; then there is silence. */
static void
kept_then_silent(void **state)
{
	struct bed *bed = *state;

	for (int i = 0; i < KEEPS; i++) {
		clock_fake_advance(120 * NS_PER_S);
		assert_int_equal(session_keep(bed->session, TTL, &bed->err), OK);
		expect_held(bed);
	}
	uint64_t last_ns = clock_boot_ns();

	clock_fake_advance(TTL - 1);
	expect_held(bed);
	clock_fake_advance(1);
	expect_expired(bed, last_ns + TTL, "0 s ago");
	assert_int_equal(count_events(bed, EVENT_KEEP_RECEIVED, ""), KEEPS);
	assert_int_equal(count_events(bed, EVENT_KEEP_REFUSED, "snapshot timeout occurred"), 2);
	assert_int_equal(count_events(bed, EVENT_FINISH_REFUSED, "snapshot timeout occurred"), 1);
}

/* It ends at its deadline and not when somebody looks, here more than an hour later. */
static void
nobody_looked(void **state)
{
	struct bed *bed = *state;
	uint64_t begun_ns = clock_boot_ns();

	clock_fake_advance(5000 * NS_PER_S);
	expect_expired(bed, begun_ns + TTL, "3800 s ago");
}

/* In the last millisecond before it, and in its last nanosecond, a keep-alive is in time. */
static void
just_in_time(void **state)
{
	struct bed *bed = *state;

	clock_fake_advance(TTL - NS_PER_MS / 2);
	assert_int_equal(session_keep(bed->session, TTL, &bed->err), OK);
	clock_fake_advance(NS_PER_MS / 2); /* the old deadline */
	expect_held(bed);
	clock_fake_advance(TTL - NS_PER_MS / 2 - 1);
	assert_int_equal(session_keep(bed->session, TTL, &bed->err), OK);
	uint64_t last_ns = clock_boot_ns();
	clock_fake_advance(1);
	expect_held(bed);
	clock_fake_advance(TTL - 1);
	expect_expired(bed, last_ns + TTL, "0 s ago");
}

/* In the very nanosecond of the deadline the deadline wins, and the first who comes is told: nobody has to
 * have looked before. */
static void
just_too_late(void **state)
{
	struct bed *bed = *state;
	uint64_t begun_ns = clock_boot_ns();

	clock_fake_advance(TTL);
	assert_int_equal(session_keep(bed->session, TTL, &bed->err), ERR_LEASE_ENDED);
	assert_non_null(strstr(bed->err.msg, "0 s ago: snapshot timeout occurred"));
	expect_expired(bed, begun_ns + TTL, "0 s ago");
}

static void
finished_just_in_time(void **state)
{
	struct bed *bed = *state;
	CLEAN(session_verdict_done) struct session_verdict verdict = {0};
	struct lease l;

	clock_fake_advance(TTL - 1);
	assert_int_equal(session_finish(bed->session, &verdict, &bed->err), OK);
	clock_fake_advance(TTL);
	assert_true(session_lease(bed->session, &l));
	assert_int_equal(l.end, LEASE_FINISHED);
	/* A keep-alive that was under way is told that it was finished, not that it expired. */
	assert_int_equal(session_keep(bed->session, TTL, &bed->err), ERR_LEASE_ENDED);
	assert_non_null(strstr(bed->err.msg, "it was finished"));
}

static void
finished_just_too_late(void **state)
{
	struct bed *bed = *state;
	CLEAN(session_verdict_done) struct session_verdict verdict = {0};
	struct lease l;

	clock_fake_advance(TTL);
	assert_int_equal(session_finish(bed->session, &verdict, &bed->err), ERR_LEASE_ENDED);
	assert_non_null(strstr(bed->err.msg, "snapshot timeout occurred"));
	assert_true(session_lease(bed->session, &l));
	assert_int_equal(l.end, LEASE_EXPIRED);
}

struct race {
	struct session *session;
	pthread_barrier_t start;
	int result;
	struct error err;
};

static void *
keep_in_race(void *arg)
{
	struct race *r = arg;

	(void)pthread_barrier_wait(&r->start);
	r->result = session_keep(r->session, TTL, &r->err);
	return NULL;
}

/* A keep-alive from one thread while another lets the last nanosecond pass and looks: whichever is first,
 * both know the same. */
static void
race(void **state)
{
	struct bed *bed = *state;

	for (int i = 0; i < RACES; i++) {
		struct race r = {.session = bed->session};
		uint64_t deadline_ns = clock_boot_ns() + TTL;
		pthread_t thread;
		struct lease l;

		clock_fake_advance(TTL - 1);
		assert_int_equal(pthread_barrier_init(&r.start, NULL, 2), 0);
		assert_int_equal(pthread_create(&thread, NULL, keep_in_race, &r), 0);
		(void)pthread_barrier_wait(&r.start);
		clock_fake_advance(1);
		(void)session_lease(bed->session, &l);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(pthread_barrier_destroy(&r.start), 0);
		assert_true(session_lease(bed->session, &l));
		if (r.result == OK) {
			assert_int_equal(l.state, LEASE_HELD);
			assert_true(l.renewed_ns < deadline_ns);
			assert_int_equal(session_keep(bed->session, TTL, &bed->err), OK);
			continue;
		}
		assert_int_equal(r.result, ERR_LEASE_ENDED);
		assert_int_equal(l.end, LEASE_EXPIRED);
		assert_true(l.ended_ns == deadline_ns);
		session_close(bed->session);
		begin(bed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kept_then_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_looked, setup, teardown),
		cmocka_unit_test_setup_teardown(just_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(just_too_late, setup, teardown),
		cmocka_unit_test_setup_teardown(finished_just_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(finished_just_too_late, setup, teardown),
		cmocka_unit_test_setup_teardown(race, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
