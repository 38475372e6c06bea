/* SPDX-License-Identifier: Apache-2.0 */

/* A server that answers with less than it was asked for: an error, and nothing worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "group/postgresql/look.h"
#include "group/postgresql/range.h"
#include "group/postgresql/stream_slot.h"
#include "group/postgresql/truncate.h"
#include "postgresql/fakepg.h"

struct bed {
	struct fakepg *server;
	struct group group;
	struct group_copy copy;
	const char *role; /* what it says of being in recovery */
	struct error err;
};

/* The facts have all their columns, so that what comes after them is asked for; anything else has one. */
static bool
answer(void *arg, int fd, const char *sql, unsigned n)
{
	const struct bed *b = arg;
	bool facts = strstr(sql, "pg_has_role") != NULL;

	(void)n;
	return fakepg_rows(fd, facts ? 19 : 1, 1, facts ? "t" : b->role) && fakepg_ready(fd);
}

static uint64_t
soon(void)
{
	return clock_boot_ns() + 10 * NS_PER_S;
}

static int
set_up(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return -1;
	*b = (struct bed){.role = "f", .err = ERROR_INIT};
	b->server = fakepg_new(answer, b);
	b->copy = (struct group_copy){.name = (char *)(uintptr_t) "pg1",
				      .host = (char *)(uintptr_t) "127.0.0.1",
				      .port = (char *)(uintptr_t)fakepg_port(b->server),
				      .user = (char *)(uintptr_t) "u",
				      .sslmode = (char *)(uintptr_t) "disable"};
	b->group = (struct group){.name = (char *)(uintptr_t) "orders",
				  .slot = (char *)(uintptr_t) "slot",
				  .engine = &engine_postgresql,
				  .heartbeat_ns = NS_PER_S,
				  .heartbeat_timeout_ns = NS_PER_S,
				  .context_lease_ns = 10 * NS_PER_S,
				  .keepalive_time_ns = 60 * NS_PER_S,
				  .n = 1,
				  .copies = &b->copy};
	*state = b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bed *b = *state;

	fakepg_free(b->server);
	free(b);
	return 0;
}

static void
test_look(void **state)
{
	struct bed *b = *state;
	struct copy_facts facts;

	assert_int_equal(look_copy(&b->group, &b->copy, soon(), &facts, &b->err), OK);
	assert_int_equal(facts.failure, ERR_PROTOCOL);
}

static void
test_truncate(void **state)
{
	struct bed *b = *state;
	uint64_t before;

	assert_int_equal(truncate_slot(&b->group, &b->copy, 1 << 24, soon(), &before, &b->err),
			 ERR_PROTOCOL);
}

static void
test_slot(void **state)
{
	struct bed *b = *state;

	assert_int_equal(stream_slot_keep(&b->group, &b->copy, "slot", 1 << 24, soon(), &b->err),
			 ERR_PROTOCOL);
}

static void
test_range(void **state)
{
	struct bed *b = *state;
	struct log_range range;

	assert_int_equal(range_ask(&b->group, &b->copy, 5 * NS_PER_S, NULL, &range, &b->err),
			 ERR_PROTOCOL);
}

static void
test_context(void **state)
{
	struct bed *b = *state;
	const struct engine_session_order order = {.holder = "pg1 by here",
						   .lease_ns = 10 * NS_PER_S};
	struct engine_session *session;

	assert_int_equal(engine_postgresql.session_open(&b->group, &b->copy, &order, soon(),
							&session, &b->err),
			 ERR_PROTOCOL);
}

static void
test_watch(void **state)
{
	struct bed *b = *state;
	struct engine_watch *watch;

	assert_int_equal(engine_postgresql.watch_open(&b->group, &b->copy, "", soon(), NULL, &watch,
						      &b->err),
			 ERR_PROTOCOL);
}

static void
test_source(void **state)
{
	struct bed *b = *state;
	struct log_source *source;

	assert_int_equal(
		engine_postgresql.logs->open(&b->group, &b->copy, "test", soon(), &source, &b->err),
		ERR_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_look, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_range, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_context, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_watch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_source, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
