/* SPDX-License-Identifier: Apache-2.0 */

/* What we agree on to find each other in a server: the lock's number, and who holds a context. */
#include "group/postgresql/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

/* Another version of us has to come to the same number: these must not change. */
static void
test_lock_numbers(void **state)
{
	char text[16];

	(void)state;
	assert_int_equal(target_lock_number(""), 2166136261u);
	assert_int_equal(target_lock_number("a"), 0xe40c292cu);
	assert_int_equal(target_lock_number("foobar"), 0xbf9cf968u);
	assert_string_equal(target_lock_text(0xe40c292cu, text), "-468965076");
	assert_string_equal(target_lock_text(5, text), "5");
}

static void
test_holders(void **state)
{
	static const struct {
		const char *application, *holder;
	} cases[] = {
		{"holdfast backup orders pg2 by backup1", "pg2 by backup1"},
		{"holdfast backup orders pg2 by backup1 #1a2b3c4d", "pg2 by backup1"},
		{"holdfast backup orders pg2 by backup#1 #1a2b3c4", "pg2 by backup#1 #1a2b3c4"},
		{"holdfast backup orders-2 pg2 by b", "holdfast backup orders-2 pg2 by b"},
		{"holdfast backup orders ", "holdfast backup orders "},
		{"psql", "psql"},
		{"#1a2b3c4d", "#1a2b3c4d"},
		{"", "(without a name)"},
		{"a\033[2Jb", "a [2Jb"},
	};
	char text[ENGINE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		target_holder("orders", cases[i].application, text);
		assert_string_equal(text, cases[i].holder);
	}
}

static void
test_target(void **state)
{
	static char group_name[] = "orders", name[] = "pg1", host[] = "here", port[] = "5432";
	struct group_copy copy = {.name = name, .host = host, .port = port};
	struct group group = {.name = group_name, .keepalive_time_ns = 1500 * NS_PER_MS};
	struct target t;

	(void)state;
	target_of(&group, &copy, "holdfast test", &t);
	assert_string_equal(t.pg.host, "here");
	assert_null(t.pg.user);
	assert_string_equal(t.pg.application, "holdfast test");
	assert_string_equal(t.pg.section, "group.orders.copy.pg1");
	assert_int_equal(t.pg.keepalive_time_s, 2); /* rounded up: 0 would be the default */
}

/* Before a slow server's time is over, and not while an acknowledgement may only be late. */
static void
test_unacked(void **state)
{
	struct group group = {.heartbeat_timeout_ns = 3 * NS_PER_S};

	(void)state;
	assert_int_equal(target_unacked_ns(&group), 2 * NS_PER_S);
	group.heartbeat_timeout_ns = 600 * NS_PER_S;
	assert_int_equal(target_unacked_ns(&group), 400 * NS_PER_S);
	group.heartbeat_timeout_ns = 100 * NS_PER_MS;
	assert_true(target_unacked_ns(&group) > 500 * NS_PER_MS);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lock_numbers),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_unacked),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
