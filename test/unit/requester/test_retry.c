/* SPDX-License-Identifier: Apache-2.0 */

/* When a backup is repeated, whose fault it was, and that a wait can be ended. */
#include "requester/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static struct error
failure(enum err code)
{
	struct error e = ERROR_INIT;

	(void)error_set(&e, code, "of this");
	return e;
}

static void
test_three_tries_of_what_passes(void **state)
{
	const struct retry_policy three = {.tries = 3}, once = {.tries = 1}, none = {0};
	const struct error lost = failure(ERR_CONTEXT_LOST), gone = failure(ERR_LOGS_GONE),
			   stopped = failure(ERR_CANCELLED);

	(void)state;
	assert_true(retry_again(&three, 1, &lost));
	assert_true(retry_again(&three, 2, &lost));
	assert_false(retry_again(&three, 3, &lost));
	assert_false(retry_again(&once, 1, &lost));
	assert_false(retry_again(&none, 1, &lost));
	assert_false(retry_again(&three, 1, &gone));
	assert_false(retry_again(&three, 1, &stopped));
}

static void
test_whose_fault(void **state)
{
	static const struct {
		enum err code;
		bool copy;
	} table[] = {
		{ERR_AGENT_LOST, true},       {ERR_WRITER_RETRYABLE, true},
		{ERR_DB_SESSION_LOST, true},  {ERR_FREEZE, true},
		{ERR_LEASE_ENDED, true},      {ERR_CONTEXT_LOST, false},
		{ERR_GROUP_LOG_RANGE, false}, {ERR_GROUP_BUSY, false},
		{ERR_STORE_WRITE, false},     {ERR_CANCELLED, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct error e = failure(table[i].code);

		assert_int_equal(retry_blames_copy(&e), table[i].copy);
	}
}

static void
test_faults_are_counted_by_copy(void **state)
{
	struct choose_history h = {0};
	char names[GROUP_COPIES_MAX + 1][8];

	(void)state;
	retry_blame(&h, "pg2");
	retry_blame(&h, "pg3");
	retry_blame(&h, "pg2");
	assert_int_equal(h.n, 2);
	assert_string_equal(h.copies[0].copy, "pg2");
	assert_int_equal(h.copies[0].faults, 2);
	assert_int_equal(h.copies[1].faults, 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		names[i][0] = (char)('A' + i);
		names[i][1] = '\0';
		retry_blame(&h, names[i]);
	}
	assert_int_equal(h.n, GROUP_COPIES_MAX);
}

struct said {
	unsigned n;
	uint64_t first_ns;
};

static void
say(void *arg, uint64_t left_ns)
{
	struct said *s = arg;

	if (s->n++ == 0)
		s->first_ns = left_ns;
}

static void
test_a_wait_takes_its_time_and_can_be_ended(void **state)
{
	struct progress p = {.files_done = 7, .total_known = true};
	struct said s = {0};
	struct error err = ERROR_INIT;
	uint64_t began_ns = clock_boot_ns();

	(void)state;
	assert_int_equal(retry_wait(0, &p, NULL, NULL, &err), OK);
	assert_int_equal(retry_wait(150 * NS_PER_MS, &p, say, &s, &err), OK);
	assert_true(clock_boot_ns() - began_ns >= 150 * NS_PER_MS);
	assert_int_equal(s.n, 1);
	assert_true(s.first_ns <= 150 * NS_PER_MS && s.first_ns > 0);
	atomic_store(&p.cancelled, true);
	assert_int_equal(retry_wait(3600 * NS_PER_S, &p, say, &s, &err), ERR_CANCELLED);
	retry_reset(&p);
	assert_int_equal(atomic_load(&p.files_done), 0);
	assert_false(atomic_load(&p.total_known));
	assert_true(atomic_load(&p.cancelled));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_tries_of_what_passes),
		cmocka_unit_test(test_whose_fault),
		cmocka_unit_test(test_faults_are_counted_by_copy),
		cmocka_unit_test(test_a_wait_takes_its_time_and_can_be_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
