/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Freezing and thawing with a kernel of our own: one whose freezes hang, are refused or are undone by a
 * stranger, whatever the test says. What the real one does is test/e2e's.
 */
#include "guard/daemon/freezer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

/* As the real one: frozen or not; a freeze may be made to wait, before or after it is complete. */
static pthread_mutex_t kernel = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t kernel_wake = PTHREAD_COND_INITIALIZER;
static bool frozen, hang, parked_thaws;
static int freezes, thaws, refuse_with, thaw_fails_with, reaches_made, reach_fails_with;

static int
fake_freeze(int fd)
{
	int sys = 0;

	(void)fd;
	(void)pthread_mutex_lock(&kernel);
	freezes++;
	while (hang)
		(void)pthread_cond_wait(&kernel_wake, &kernel);
	if (refuse_with != 0)
		sys = refuse_with;
	else if (frozen)
		sys = EBUSY;
	else
		frozen = true;
	(void)pthread_cond_broadcast(&kernel_wake);
	(void)pthread_mutex_unlock(&kernel);
	errno = sys;
	return sys == 0 ? 0 : -1;
}

static int
fake_thaw(int fd)
{
	int sys = 0;

	(void)fd;
	(void)pthread_mutex_lock(&kernel);
	thaws++;
	while (parked_thaws && hang)
		(void)pthread_cond_wait(&kernel_wake, &kernel);
	while (parked_thaws && !frozen)
		(void)pthread_cond_wait(&kernel_wake, &kernel);
	if (thaw_fails_with != 0)
		sys = thaw_fails_with;
	else if (!frozen)
		sys = EINVAL;
	frozen = frozen && sys != 0;
	(void)pthread_mutex_unlock(&kernel);
	errno = sys;
	return sys == 0 ? 0 : -1;
}

static int
fake_reach(uint64_t device)
{
	assert_int_equal(device, 7);
	(void)pthread_mutex_lock(&kernel);
	reaches_made++;
	int sys = reach_fails_with;
	(void)pthread_mutex_unlock(&kernel);
	errno = sys;
	return sys == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
}

static const struct freezer_calls fake = {
	.freeze = fake_freeze, .thaw = fake_thaw, .reach = fake_reach};
static struct jobs_done done;
static struct freezer f;

static void
set(bool *what, bool value)
{
	(void)pthread_mutex_lock(&kernel);
	*what = value;
	(void)pthread_cond_broadcast(&kernel_wake);
	(void)pthread_mutex_unlock(&kernel);
}

static int
start(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return jobs_done_init(&done, &err) < 0 ? -1 : freezer_init(&f, &fake, &done, &err);
}

static int
open_it(void **state)
{
	(void)state;
	frozen = hang = parked_thaws = false;
	freezes = thaws = refuse_with = thaw_fails_with = reaches_made = reach_fails_with = 0;
	freezer_open(&f, open("/dev/null", O_RDONLY | O_CLOEXEC));
	return 0;
}

static int
close_it(void **state)
{
	(void)state;
	assert_true(freezer_settled(&f));
	freezer_close(&f);
	return 0;
}

static void
reaches(enum freezer_state wanted)
{
	uint64_t limit = clock_boot_ns() + 10 * NS_PER_S;
	const struct timespec pause = {.tv_nsec = 1000000};

	while (freezer_state(&f) != wanted && clock_boot_ns() < limit)
		(void)nanosleep(&pause, NULL);
	assert_int_equal(freezer_state(&f), wanted);
	while (wanted >= FREEZER_THAWED && !freezer_settled(&f) && clock_boot_ns() < limit)
		(void)nanosleep(&pause, NULL);
}

/* The kernel has been called that often. */
static void
is_called(const int *calls, int times)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (bool there = false; !there;) {
		(void)nanosleep(&pause, NULL);
		(void)pthread_mutex_lock(&kernel);
		there = *calls >= times;
		(void)pthread_mutex_unlock(&kernel);
	}
}

static void
freezes_and_hangs(void)
{
	set(&hang, true);
	freezer_freeze(&f);
	is_called(&freezes, 1);
}

static void
frozen_and_thawed(void **state)
{
	(void)state;
	freezer_thaw(&f); /* of what was not frozen: nothing */
	assert_int_equal(freezer_state(&f), FREEZER_READY);
	freezer_freeze(&f);
	reaches(FREEZER_FROZEN);
	assert_false(freezer_settled(&f));
	freezer_thaw(&f);
	freezer_thaw(&f);
	reaches(FREEZER_THAWED);
	freezer_thaw(&f);
	assert_true(!frozen && freezes == 1 && thaws == 1);
	assert_true(f.frozen_ns <= f.thawed_ns);
}

static void
refused(void **state)
{
	(void)state;
	frozen = true; /* a stranger's */
	freezer_freeze(&f);
	reaches(FREEZER_REFUSED);
	assert_int_equal(f.freeze_errno, EBUSY);
	freezer_thaw(&f);
	assert_int_equal(freezer_state(&f), FREEZER_REFUSED);
	assert_true(frozen && thaws == 0);
}

static void
thawed_by_a_stranger(void **state)
{
	(void)state;
	freezer_freeze(&f);
	reaches(FREEZER_FROZEN);
	set(&frozen, false);
	freezer_thaw(&f);
	reaches(FREEZER_FOREIGN);
	assert_int_equal(thaws, 1);
}

/* EINVAL while the freeze has not returned says nothing yet. */
static void
a_freeze_that_hangs(void **state)
{
	(void)state;
	freezes_and_hangs();
	freezer_thaw(&f);
	is_called(&thaws, 3); /* it tries, and may not conclude anything */
	assert_int_equal(freezer_state(&f), FREEZER_THAWING);
	assert_false(freezer_settled(&f));
	set(&hang, false);
	reaches(FREEZER_THAWED);
	assert_true(!frozen && thaws > 1);
}

/* The other way a kernel does it: the thaw waits behind the freeze. */
static void
a_thaw_that_is_parked(void **state)
{
	(void)state;
	parked_thaws = true;
	freezes_and_hangs();
	freezer_thaw(&f);
	set(&hang, false);
	reaches(FREEZER_THAWED);
	assert_true(!frozen && thaws == 1);
}

static void
a_hung_freeze_that_is_refused_at_last(void **state)
{
	(void)state;
	refuse_with = EIO;
	freezes_and_hangs();
	freezer_thaw(&f);
	set(&hang, false);
	reaches(FREEZER_REFUSED);
	assert_false(frozen);
}

/* Its thread has not come to it yet: no thaw may be tried, it would be of somebody else's freeze. */
static void
a_freeze_that_is_taken_back(void **state)
{
	(void)state;
	frozen = true; /* a stranger's */
	(void)pthread_mutex_lock(&f.mutex);
	f.want_freeze = true; /* and nobody is woken */
	f.state = FREEZER_FREEZING;
	(void)pthread_mutex_unlock(&f.mutex);
	freezer_thaw(&f);
	reaches(FREEZER_REFUSED);
	assert_int_equal(f.freeze_errno, ECANCELED);
	assert_true(frozen && freezes == 0 && thaws == 0);
}

static void
a_thaw_that_fails(void **state)
{
	(void)state;
	freezer_freeze(&f);
	reaches(FREEZER_FROZEN);
	thaw_fails_with = EBADF;
	freezer_thaw(&f);
	reaches(FREEZER_THAW_FAILED);
	assert_int_equal(f.thaw_errno, EBADF);
}

/* Another process's freeze: as long as that one is there, it may still come. */
static void
an_adopted_freeze(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	uint64_t started = freezer_process_start((uint64_t)pid);
	assert_true(started > 0);
	freezer_close(&f);
	freezer_adopt(&f, open("/dev/null", O_RDONLY | O_CLOEXEC), 7, (uint64_t)pid, started);
	freezer_thaw(&f);
	is_called(&thaws, 2);
	assert_int_equal(freezer_state(&f), FREEZER_THAWING);
	set(&frozen, true); /* now it is complete */
	reaches(FREEZER_THAWED);
	freezer_close(&f);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(freezer_process_start((uint64_t)pid) == 0);
	freezer_adopt(&f, open("/dev/null", O_RDONLY | O_CLOEXEC), 7, (uint64_t)pid, started);
	freezer_thaw(&f);
	reaches(FREEZER_FOREIGN);
}

/* Not where it was mounted: it is looked for, once. */
static void
an_adopted_freeze_out_of_sight(void **state)
{
	(void)state;
	freezer_close(&f);
	frozen = true;
	freezer_adopt(&f, -1, 7, 0, 0);
	freezer_thaw(&f);
	reaches(FREEZER_THAWED);
	assert_true(!frozen && thaws == 1 && reaches_made == 1);
}

static void
a_file_system_that_is_gone(void **state)
{
	(void)state;
	freezer_close(&f);
	reach_fails_with = ENODEV;
	freezer_adopt(&f, -1, 7, 0, 0);
	freezer_thaw(&f);
	reaches(FREEZER_FOREIGN);
	assert_int_equal(thaws, 0);
}

/* It may be frozen: that is a failure, but not as long as its freeze may still be under way. */
static void
a_file_system_out_of_reach(void **state)
{
	const struct timespec pause = {.tv_nsec = 3 * FREEZER_RETRY_NS};
	uint64_t me = (uint64_t)getpid();

	(void)state;
	freezer_close(&f);
	reach_fails_with = EBUSY;
	freezer_adopt(&f, -1, 7, 0, 0);
	freezer_thaw(&f);
	reaches(FREEZER_THAW_FAILED);
	assert_int_equal(f.thaw_errno, EBUSY);
	freezer_close(&f);
	freezer_adopt(&f, -1, 7, me, freezer_process_start(me));
	freezer_thaw(&f);
	(void)nanosleep(&pause, NULL);
	assert_int_equal(freezer_state(&f), FREEZER_THAWING);
	(void)pthread_mutex_lock(&kernel);
	frozen = true;
	reach_fails_with = 0;
	(void)pthread_mutex_unlock(&kernel);
	reaches(FREEZER_THAWED);
	assert_false(frozen);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_it, close_it)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frozen_and_thawed),           TEST(refused),
		TEST(thawed_by_a_stranger),        TEST(a_freeze_that_hangs),
		TEST(a_thaw_that_is_parked),       TEST(a_hung_freeze_that_is_refused_at_last),
		TEST(a_freeze_that_is_taken_back), TEST(a_thaw_that_fails),
		TEST(an_adopted_freeze),           TEST(an_adopted_freeze_out_of_sight),
		TEST(a_file_system_that_is_gone),  TEST(a_file_system_out_of_reach),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
