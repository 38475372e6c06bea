/* SPDX-License-Identifier: Apache-2.0 */

/* Keep-alives of a guest that counts them: ten to a time to live, whatever else goes on; the first that is
 * lost cancels, and is what the backup fails of. */
#include "requester/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "base/clock.h"

#define TTL_NS (400 * NS_PER_MS)
#define LIMIT_NS (20 * NS_PER_S)

struct counting {
	struct guest guest;
	atomic_uint kept, cancelled;
	atomic_bool lost;
};

static int
count_keep(struct guest *g, uint64_t ttl_ns, struct error *err)
{
	struct counting *c = CONTAINER_OF(g, struct counting, guest);

	assert_int_equal(ttl_ns, TTL_NS);
	atomic_fetch_add(&c->kept, 1);
	if (atomic_load(&c->lost))
		return error_set(err, ERR_LEASE_ENDED, "it is gone");
	return OK;
}

static void
count_cancel(struct guest *g)
{
	atomic_fetch_add(&CONTAINER_OF(g, struct counting, guest)->cancelled, 1);
}

static const struct guest_ops ops = {
	.name = "counting", .keep = count_keep, .cancel = count_cancel};

static bool
reaches(const atomic_uint *n, unsigned wanted)
{
	uint64_t end_ns = clock_boot_ns() + LIMIT_NS;
	const struct timespec nap = {.tv_nsec = 1000000};

	while (atomic_load(n) < wanted && clock_boot_ns() < end_ns)
		(void)nanosleep(&nap, NULL);
	return atomic_load(n) >= wanted;
}

static void
test_ten_to_a_time_to_live(void **state)
{
	struct counting c = {.guest = {.ops = &ops}};
	struct progress progress = {0};
	struct error err = ERROR_INIT;
	struct keeper *k;
	uint64_t start_ns = clock_boot_ns();

	(void)state;
	assert_int_equal(keeper_start(&c.guest, TTL_NS, &progress, NULL, &k, &err), OK);
	assert_true(reaches(&c.kept, 5));
	/* Not sooner than every tenth; later only as far as the machine is busy. */
	assert_true(clock_boot_ns() - start_ns >= 5 * TTL_NS / 10);
	assert_int_equal(keeper_check(k, &err), OK);
	keeper_stop(k);
	assert_int_equal(atomic_load(&c.cancelled), 0);
}

static void
test_a_lost_one_cancels(void **state)
{
	struct counting c = {.guest = {.ops = &ops}};
	struct progress progress = {0};
	struct error err = ERROR_INIT;
	struct keeper *k;

	(void)state;
	atomic_store(&c.lost, true);
	assert_int_equal(keeper_start(&c.guest, TTL_NS, &progress, NULL, &k, &err), OK);
	assert_true(reaches(&c.cancelled, 1));
	assert_int_equal(keeper_check(k, &err), ERR_LEASE_ENDED);
	assert_string_equal(err.msg, "it is gone");
	keeper_stop(k);
	assert_int_equal(atomic_load(&c.kept), 1);
}

static int
look_once(void *arg, struct error *err)
{
	struct counting *c = arg;

	if (!atomic_load(&c->lost))
		return OK;
	return error_set(err, ERR_CONTEXT_LOST, "the other end is gone");
}

/* What is lost beside the guest stops it too, also when keep-alives do not count any more. */
static void
test_what_is_watched_cancels(void **state)
{
	struct counting c = {.guest = {.ops = &ops}};
	const struct keeper_watch watch = {look_once, &c};
	struct progress progress = {0};
	struct error err = ERROR_INIT;
	struct keeper *k;

	(void)state;
	assert_int_equal(keeper_start(&c.guest, TTL_NS, &progress, &watch, &k, &err), OK);
	assert_true(reaches(&c.kept, 1));
	assert_false(keeper_watch_failed(k));
	keeper_leave(k);
	atomic_store(&c.lost, true);
	assert_true(reaches(&c.cancelled, 1));
	assert_int_equal(keeper_check(k, &err), ERR_CONTEXT_LOST);
	assert_true(keeper_watch_failed(k));
	keeper_stop(k);
	assert_int_equal(atomic_load(&c.cancelled), 1);
}

/* Once the lease is being finished a keep-alive may come too late, and nothing is wrong. */
static void
test_after_the_end_nothing_counts(void **state)
{
	struct counting c = {.guest = {.ops = &ops}};
	struct progress progress = {0};
	struct error err = ERROR_INIT;
	struct keeper *k;

	(void)state;
	assert_int_equal(keeper_start(&c.guest, TTL_NS, &progress, NULL, &k, &err), OK);
	keeper_leave(k);
	atomic_store(&c.lost, true);
	keeper_stop(k);
	assert_int_equal(atomic_load(&c.cancelled), 0);
	keeper_stop(NULL);
}

static void
test_the_wish_to_stop_is_passed_on(void **state)
{
	struct counting c = {.guest = {.ops = &ops}};
	struct progress progress = {0};
	struct error err = ERROR_INIT;
	struct keeper *k;

	(void)state;
	assert_int_equal(keeper_start(&c.guest, TTL_NS, &progress, NULL, &k, &err), OK);
	atomic_store(&progress.cancelled, true);
	assert_true(reaches(&c.cancelled, 1));
	/* Nothing was lost: it is the user's doing. */
	assert_int_equal(keeper_check(k, &err), OK);
	keeper_stop(k);
	assert_int_equal(atomic_load(&c.cancelled), 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_to_a_time_to_live),
		cmocka_unit_test(test_a_lost_one_cancels),
		cmocka_unit_test(test_what_is_watched_cancels),
		cmocka_unit_test(test_after_the_end_nothing_counts),
		cmocka_unit_test(test_the_wish_to_stop_is_passed_on),
	};

	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
