/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client library against the real guard program. Nothing is frozen here (test/e2e/ does that): sets of
 * `direct` members need no privilege.
 */
#include "guard/client.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fs.h"
#include "guard/holds.h"

#define S NS_PER_S

static const uint8_t set_a[LEASE_SET_SIZE] = {0xa}, set_b[LEASE_SET_SIZE] = {0xb};
static char dir[64];
static struct guard *g;
static struct error err;

/* What was told, as one text; written by the library's thread. */
static pthread_mutex_t told_mutex = PTHREAD_MUTEX_INITIALIZER;
static char told[16384];

static void
note(const struct guard_event *event, void *arg)
{
	(void)arg;
	(void)pthread_mutex_lock(&told_mutex);
	size_t n = strlen(told);
	(void)snprintf(told + n, sizeof(told) - n, "%s %s\n", event_name(event->id), event->fields);
	(void)pthread_mutex_unlock(&told_mutex);
}

static bool
was_told(const char *what)
{
	(void)pthread_mutex_lock(&told_mutex);
	bool found = strstr(told, what) != NULL;
	(void)pthread_mutex_unlock(&told_mutex);
	return found;
}

/* Events come when they come; within a time that a busy machine can keep. */
static bool
is_told(const char *what)
{
	uint64_t limit = clock_boot_ns() + 30 * S;
	const struct timespec pause = {.tv_nsec = 1000000};

	while (!was_told(what) && clock_boot_ns() < limit)
		(void)nanosleep(&pause, NULL);
	if (!was_told(what))
		print_message("# not told: %s\n%s", what, told);
	return was_told(what);
}

static void
expect_ok(int rc)
{
	if (rc != OK)
		print_message("# %s\n", err.msg);
	assert_int_equal(rc, OK);
}

static int
start(void **state)
{
	struct guard_options o = {.state_dir = dir, .event = note};

	(void)state;
	told[0] = '\0';
	err = ERROR_INIT;
	(void)snprintf(dir, sizeof(dir), "/var/tmp/hf-guard.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	provider_settings_init(&o.providers);
	return guard_start(&o, &g, &err);
}

static int
stop(void **state)
{
	(void)state;
	guard_stop(g);
	g = NULL;
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

static struct lease_key
begin(void)
{
	struct lease_key key;
	struct snapshot s;

	expect_ok(guard_begin(g, set_a, "job one", 1200 * S, &key, &err));
	expect_ok(guard_add(g, &key, "direct", "/", &s, &err));
	return key;
}

static struct lease_key
hold(void)
{
	struct lease_key key = begin();
	struct guard_moment moment;

	expect_ok(guard_freeze(g, &key, 10 * S, &err));
	expect_ok(guard_snapshot(g, &key, &moment, &err));
	expect_ok(guard_thawed(g, &key, &err));
	return key;
}

static void
from_begin_to_finish(void **state)
{
	struct snapshot s[SNAPSHOT_MEMBERS_MAX];
	struct guard_verdict verdict = {.proven = false};
	struct guard_lease lease;
	size_t n = 0;

	(void)state;
	struct lease_key key = hold();
	expect_ok(guard_expose(g, &key, s, &n, &err));
	assert_int_equal(n, 1);
	assert_string_equal(s[0].source, "/");
	expect_ok(guard_keep(g, &key, 60 * S, &err));
	expect_ok(guard_look(g, &key, &lease, &err));
	assert_true(lease.lease.ttl_ns == 60 * S && lease.lease.state == LEASE_HELD);
	assert_string_equal(lease.job, "job one");
	expect_ok(guard_finish(g, &key, &verdict, &err));
	assert_true(verdict.proven);
	assert_int_equal(guard_keep(g, &key, 60 * S, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "it was finished"));
	assert_int_equal(guard_finish(g, &key, &verdict, &err), ERR_LEASE_ENDED);
	expect_ok(guard_settle(g, clock_boot_ns() + 10 * S, &err));
	expect_ok(guard_abort(g, &key, &err));
	expect_ok(guard_look(g, &key, &lease, &err));
	assert_int_equal(lease.lease.end, LEASE_FINISHED);
	assert_string_equal(lease.job, "job one");
	assert_true(is_told("SNAPSHOT_FINISHED proven=yes"));
}

static void
steps_out_of_order(void **state)
{
	struct guard_moment moment;
	struct guard_verdict verdict;
	struct snapshot s[SNAPSHOT_MEMBERS_MAX];
	struct lease_key key = begin(), other = key;
	size_t n;

	(void)state;
	assert_int_equal(guard_snapshot(g, &key, &moment, &err), ERR_BAD_STATE);
	assert_int_equal(guard_thawed(g, &key, &err), ERR_BAD_STATE);
	assert_int_equal(guard_expose(g, &key, s, &n, &err), ERR_BAD_STATE);
	assert_int_equal(guard_finish(g, &key, &verdict, &err), ERR_BAD_STATE);
	assert_int_equal(guard_freeze(g, &key, 0, &err), ERR_LIMIT);
	assert_int_equal(guard_freeze(g, &key, 61 * S, &err), ERR_LIMIT);
	assert_int_equal(guard_begin(g, set_b, "two", S, &other, &err), ERR_BUSY);
	assert_int_equal(guard_add(g, &key, "nothing", "/", s, &err), ERR_NOT_FOUND);
	other.epoch = 77;
	assert_int_equal(guard_keep(g, &other, S, &err), ERR_NOT_FOUND);
	expect_ok(guard_freeze(g, &key, 10 * S, &err));
	assert_int_equal(guard_add(g, &key, "direct", "/", s, &err), ERR_BAD_STATE);
	expect_ok(guard_abort(g, &key, &err));
	assert_int_equal(guard_snapshot(g, &key, &moment, &err), ERR_LEASE_ENDED);
	assert_int_equal(guard_release(g, set_a, &err), ERR_NOT_FOUND);
	/* And the next one can begin. */
	expect_ok(guard_settle(g, clock_boot_ns() + 10 * S, &err));
	key = hold();
	expect_ok(guard_release(g, set_a, &err));
	assert_int_equal(guard_keep(g, &key, S, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "by hand"));
}

static void
it_expires_by_itself(void **state)
{
	struct lease_key key = hold();
	uint64_t asked = clock_boot_ns();
	struct guard_lease lease;

	(void)state;
	expect_ok(guard_keep(g, &key, S, &err));
	uint64_t kept = clock_boot_ns();
	assert_true(is_told("SNAPSHOT_TIMEOUT ttl_s=1"));
	print_message("# told %u ms after the last keep-alive\n",
		      (unsigned)((clock_boot_ns() - asked) / NS_PER_MS));
	/* When it ended is the lease's to say, however late this test gets to run. */
	expect_ok(guard_look(g, &key, &lease, &err));
	assert_int_equal(lease.lease.end, LEASE_EXPIRED);
	assert_true(lease.lease.ended_ns >= asked + S && lease.lease.ended_ns <= kept + S);
	assert_int_equal(guard_keep(g, &key, S, &err), ERR_LEASE_ENDED);
}

static void
a_writer_is_killed_at_the_cap(void **state)
{
	struct lease_key key = begin();
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	CLEAN(fd_close) int pidfd = pidfd_open(pid, 0);
	expect_ok(guard_writer(g, &key, pidfd, &err));
	/* On a busy machine the cap may be over before its answer. */
	int rc = guard_freeze(g, &key, S / 5, &err);
	assert_true(rc == OK || rc == ERR_LEASE_ENDED);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(guard_thawed(g, &key, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "frozen for too long"));
}

/* A writer that dies in the freeze lets its database go: the moment is none. */
static void
a_dead_writer_is_no_proof(void **state)
{
	struct lease_key key = begin();
	struct guard_moment moment;
	struct guard_verdict verdict = {.proven = true};
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	CLEAN(fd_close) int pidfd = pidfd_open(pid, 0);
	expect_ok(guard_writer(g, &key, pidfd, &err));
	expect_ok(guard_freeze(g, &key, 10 * S, &err));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(is_told("WRITER_DIED"));
	expect_ok(guard_snapshot(g, &key, &moment, &err));
	expect_ok(guard_thawed(g, &key, &err));
	expect_ok(guard_finish(g, &key, &verdict, &err));
	assert_false(verdict.proven);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Waits until the journal knows what is held: it is written behind the answer. */
static void
is_journaled(void)
{
	struct lease_key none = {.epoch = 0};
	struct guard_lease lease;

	assert_int_equal(guard_look(g, &none, &lease, &err), ERR_NOT_FOUND);
	expect_ok(guard_settle(g, clock_boot_ns() + 10 * S, &err));
}

/* A dead guard is replaced, and the other one goes on with what was held: at the old deadline. */
static void
a_dead_guard_is_replaced(void **state)
{
	struct lease_key key = hold();
	pid_t before = guard_pid(g);
	struct guard_lease lease, again;

	(void)state;
	expect_ok(guard_look(g, &key, &lease, &err));
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(kill(before, SIGKILL), 0);
		assert_true(is_told("GUARD_LOST"));
		while (guard_restarts(g) < i)
			(void)sched_yield();
		expect_ok(guard_look(g, &key, &again, &err));
		assert_memory_equal(&again.lease, &lease.lease, sizeof(lease.lease));
		assert_string_equal(again.job, "job one");
		assert_int_not_equal(guard_pid(g), before);
		before = guard_pid(g);
	}
	expect_ok(guard_keep(g, &key, 60 * S, &err));
	struct guard_verdict verdict = {.proven = false};
	expect_ok(guard_finish(g, &key, &verdict, &err));
	assert_true(verdict.proven);
	/* The tombstone goes on, too. */
	is_journaled();
	assert_int_equal(kill(before, SIGKILL), 0);
	assert_int_equal(guard_keep(g, &key, S, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "it was finished"));
}

/* Said to be held is held: at once, and not once the journal has been written. */
static void
what_is_held_outlives_its_guard(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 20; i++) {
		struct lease_key key = hold();

		assert_int_equal(kill(guard_pid(g), SIGKILL), 0);
		expect_ok(guard_keep(g, &key, 60 * S, &err));
		assert_int_equal(guard_restarts(g), i);
		expect_ok(guard_abort(g, &key, &err));
		expect_ok(guard_settle(g, clock_boot_ns() + 30 * S, &err));
	}
}

/* What was not held yet ends with its guard. */
static void
an_unfinished_set_ends_with_its_guard(void **state)
{
	struct lease_key key = begin();
	struct guard_moment moment;

	(void)state;
	expect_ok(guard_freeze(g, &key, 10 * S, &err));
	assert_int_equal(kill(guard_pid(g), SIGKILL), 0);
	int rc = guard_snapshot(g, &key, &moment, &err);
	assert_true(rc == ERR_GUARD || rc == ERR_NOT_FOUND);
	assert_int_equal(guard_keep(g, &key, S, &err), ERR_NOT_FOUND);
	key = hold();
	expect_ok(guard_keep(g, &key, S, &err));
}

/* One that hangs is as good as dead, if somebody waits for it. */
static void
a_hung_guard_is_replaced(void **state)
{
	struct lease_key key = begin();
	uint64_t from = clock_boot_ns();

	(void)state;
	assert_int_equal(kill(guard_pid(g), SIGSTOP), 0);
	assert_int_equal(guard_keep(g, &key, S, &err), ERR_NOT_FOUND);
	assert_int_equal(guard_restarts(g), 1);
	assert_true(clock_boot_ns() - from < 20 * S);
}

/* An agent that stood still for longer than a guard may be silent does not take it for dead. */
static void
an_agent_that_stood_still(void **state)
{
	const struct timespec still = {.tv_sec = 6};
	pid_t agent;
	int status;

	(void)state;
	agent = fork();
	if (agent == 0) {
		struct guard_options o = {.state_dir = dir};
		struct guard *mine = NULL;
		struct lease_key key;
		bool good;

		provider_settings_init(&o.providers);
		good = guard_start(&o, &mine, &err) == OK &&
		       guard_begin(mine, set_b, "still", 1200 * S, &key, &err) == OK &&
		       guard_freeze(mine, &key, 60 * S, &err) == OK; /* pings from here on */
		const struct timespec twice = {.tv_sec = 1, .tv_nsec = 200000000};
		(void)nanosleep(&twice, NULL); /* a ping or two */
		(void)raise(SIGSTOP);
		(void)nanosleep(&twice, NULL);
		good = good && guard_restarts(mine) == 0 && guard_keep(mine, &key, S, &err) == OK;
		guard_stop(mine); /* or it would still write where the test removes its files */
		_exit(good ? 0 : 1);
	}
	/* It is woken when it has stood still for that long, and not before it does. */
	assert_int_equal(waitpid(agent, &status, WUNTRACED), agent);
	assert_true(WIFSTOPPED(status));
	(void)nanosleep(&still, NULL);
	assert_int_equal(kill(agent, SIGCONT), 0);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

enum { KEEPERS = 8, KEEPS = 200 };

static void *
keep_many(void *arg)
{
	struct error e = ERROR_INIT;

	for (int i = 0; i < KEEPS; i++) {
		if (guard_keep(g, arg, 1200 * S, &e) != OK)
			return arg;
	}
	return NULL;
}

static void
many_threads(void **state)
{
	struct lease_key key = hold();
	pthread_t threads[KEEPERS];
	void *failed = NULL;

	(void)state;
	for (int i = 0; i < KEEPERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_many, &key), 0);
	for (int i = 0; i < KEEPERS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

static void
a_program_that_is_none(void **state)
{
	struct guard_options o = {.state_dir = dir, .program = "/nonexistent/guard"};
	struct guard *none = NULL;

	(void)state;
	provider_settings_init(&o.providers);
	assert_int_equal(guard_start(&o, &none, &err), ERR_SPAWN);
	o.program = "/bin/true";
	assert_true(guard_start(&o, &none, &err) < 0);
	assert_null(none);
}

static int
count(const struct guard_lease *lease, void *arg, struct error *e)
{
	(void)e;
	assert_int_equal(lease->lease.state, LEASE_HELD);
	(*(int *)arg)++;
	return OK;
}

static void
several_are_listed(void **state)
{
	int n = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		(void)hold();
	expect_ok(guard_list(g, count, &n, &err));
	assert_int_equal(n, 5);
}

static void
nothing_is_held(void)
{
	struct holds holds = {0};

	expect_ok(holds_read(dir, &holds, &err));
	assert_int_equal(holds.n, 0);
	holds_done(&holds);
}

/* A guard that ends because it was told to is neither lost nor replaced. */
static void
a_guard_that_is_stopped(void **state)
{
	struct guard_options o = {.state_dir = dir, .event = note};

	(void)state;
	provider_settings_init(&o.providers);
	for (unsigned i = 0; i < 40; i++) {
		(void)hold();
		guard_stop(g);
		g = NULL;
		assert_false(was_told("GUARD_LOST"));
		nothing_is_held();
		told[0] = '\0';
		expect_ok(guard_start(&o, &g, &err));
	}
}

/* One that is killed while it stops is replaced, so that all is undone. */
static void
a_guard_killed_while_it_stops(void **state)
{
	struct guard_options o = {.state_dir = dir, .event = note};
	const struct timespec pause = {.tv_nsec = 300000};

	(void)state;
	provider_settings_init(&o.providers);
	for (unsigned i = 0; i < 20; i++) {
		(void)hold();
		pid_t victim = guard_pid(g), killer = fork();
		if (killer == 0) {
			for (unsigned n = 0; n < i; n++)
				(void)nanosleep(&pause, NULL);
			(void)kill(victim, SIGKILL);
			_exit(0);
		}
		guard_stop(g);
		g = NULL;
		(void)waitpid(killer, NULL, 0);
		nothing_is_held();
		expect_ok(guard_start(&o, &g, &err));
	}
}

/* Neither does one that died just before: whoever is about to take its place is waited for, and told. */
static void
a_guard_killed_before_it_stops(void **state)
{
	struct guard_options o = {.state_dir = dir, .event = note};

	(void)state;
	provider_settings_init(&o.providers);
	for (unsigned i = 0; i < 5; i++) {
		(void)hold();
		assert_int_equal(kill(guard_pid(g), SIGKILL), 0);
		while (guard_restarts(g) == 0)
			(void)sched_yield();
		guard_stop(g);
		g = NULL;
		nothing_is_held();
		expect_ok(guard_start(&o, &g, &err));
	}
}

/* An administrator ends it with SIGTERM ('holdfast release'): no loss either. */
static void
a_guard_ended_by_hand(void **state)
{
	struct lease_key key = hold();

	(void)state;
	assert_int_equal(kill(guard_pid(g), SIGTERM), 0);
	assert_true(is_told("GUARD_STOPPED"));
	assert_int_equal(guard_keep(g, &key, S, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "by hand"));
	assert_false(was_told("GUARD_LOST"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(from_begin_to_finish, start, stop),
		cmocka_unit_test_setup_teardown(steps_out_of_order, start, stop),
		cmocka_unit_test_setup_teardown(it_expires_by_itself, start, stop),
		cmocka_unit_test_setup_teardown(a_writer_is_killed_at_the_cap, start, stop),
		cmocka_unit_test_setup_teardown(a_dead_writer_is_no_proof, start, stop),
		cmocka_unit_test_setup_teardown(a_dead_guard_is_replaced, start, stop),
		cmocka_unit_test_setup_teardown(what_is_held_outlives_its_guard, start, stop),
		cmocka_unit_test_setup_teardown(an_unfinished_set_ends_with_its_guard, start, stop),
		cmocka_unit_test_setup_teardown(a_hung_guard_is_replaced, start, stop),
		cmocka_unit_test_setup_teardown(an_agent_that_stood_still, start, stop),
		cmocka_unit_test_setup_teardown(a_guard_that_is_stopped, start, stop),
		cmocka_unit_test_setup_teardown(a_guard_killed_while_it_stops, start, stop),
		cmocka_unit_test_setup_teardown(a_guard_killed_before_it_stops, start, stop),
		cmocka_unit_test_setup_teardown(a_guard_ended_by_hand, start, stop),
		cmocka_unit_test_setup_teardown(many_threads, start, stop),
		cmocka_unit_test_setup_teardown(several_are_listed, start, stop),
		cmocka_unit_test_setup_teardown(a_program_that_is_none, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
