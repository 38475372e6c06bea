/* SPDX-License-Identifier: Apache-2.0 */

/* What a copy's host gave, against what was asked of it; and what the restore point says of the group. */
#include "requester/group_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define MIB (UINT64_C(1) << 20)

struct scene {
	struct group group;
	struct group_copy copies[2];
	struct group_facts facts;
};

static struct scene
scene(void)
{
	struct scene s = {
		.copies = {{.name = (char *)(uintptr_t) "pg1"},
			   {.name = (char *)(uintptr_t) "pg2"}},
	};

	s.group.name = (char *)(uintptr_t) "orders";
	s.group.engine = &engine_postgresql;
	s.facts = (struct group_facts){
		.role = COPY_ROLE_PASSIVE,
		.identity = "7711",
		.range = {.timeline = 2,
			  .segment_bytes = MIB,
			  .n_files = 9,
			  .took_ns = 5 * NS_PER_MS},
		.context = {.end = 100 * MIB, .opened_ns = NS_PER_S, .reopened = 1},
		.now_ns = 3 * NS_PER_S,
		.why = "pg2: Healthy",
	};
	return s;
}

static void
link_up(struct scene *s)
{
	s->group.n = ARRAY_SIZE(s->copies);
	s->group.copies = s->copies;
	s->facts.group = &s->group;
	s->facts.active = &s->copies[0];
	s->facts.copy = &s->copies[1];
}

/* One root as an agent gives it: logs from segment 3 to 4, which is what the two names are. */
static json_t *
roots(const char *identity, const char *role, int timeline, const char *from, const char *to)
{
	return json_pack("[{s:s, s:s, s:{s:s, s:s, s:i, s:s, s:s, s:[s, s, s]}}]", "name",
			 "postgresql", "writer", "postgresql", "component", "system_identifier",
			 identity, "role", role, "timeline", timeline, "start_lsn", from,
			 "stop_lsn", to, "wal", "000000020000000000000003",
			 "000000020000000000000004", "00000002.history");
}

static void
expect(enum err wanted, json_t *given)
{
	struct scene s = scene();
	struct error err = ERROR_INIT;

	link_up(&s);
	assert_non_null(given);
	assert_int_equal(group_record_check(&s.facts, given, &err), wanted);
	json_decref(given);
}

static void
test_what_was_asked_for(void **state)
{
	(void)state;
	expect(OK, roots("7711", "standby", 2, "0/300028", "0/400100"));
	/* What ends where a log begins needs nothing of that one. */
	expect(OK, roots("7711", "standby", 2, "0/300028", "0/500000"));
}

static void
test_another_database_is_the_configurations_fault(void **state)
{
	(void)state;
	expect(ERR_CONFIG, roots("1177", "standby", 2, "0/300028", "0/400100"));
	assert_false(error_retryable(ERR_CONFIG));
}

static void
test_another_role_or_timeline(void **state)
{
	(void)state;
	expect(ERR_GROUP_ROLE, roots("7711", "primary", 2, "0/300028", "0/400100"));
	expect(ERR_GROUP_ROLE, roots("7711", "standby", 1, "0/300028", "0/400100"));
	/* More log than the active copy has. */
	expect(ERR_GROUP_ROLE, roots("7711", "standby", 2, "0/300028", "1/400100"));
	assert_true(error_retryable(ERR_GROUP_ROLE));
}

static void
test_a_range_with_a_gap(void **state)
{
	(void)state;
	expect(ERR_PROTOCOL, roots("7711", "standby", 2, "0/200028", "0/400100"));
	expect(ERR_PROTOCOL, roots("7711", "standby", 2, "0/300028", "0/500001"));
	expect(ERR_PROTOCOL, roots("7711", "standby", 2, "0/400100", "0/300028"));
	expect(ERR_PROTOCOL, roots("7711", "standby", 2, "nonsense", "0/300028"));
	expect(ERR_PROTOCOL, json_pack("[{s:s}]", "name", ""));
	expect(ERR_PROTOCOL, json_array());
}

/* As many as there should be, but others; or none at all, without being an image. */
static void
test_a_range_of_other_logs(void **state)
{
	json_t *given = roots("7711", "standby", 2, "0/300028", "0/400100");
	json_t *component = json_object_get(json_array_get(given, 0), "component");

	(void)state;
	json_object_set_new(
		component, "wal",
		json_pack("[s, s]", "000000020000000000000003", "000000020000000000000003"));
	expect(ERR_PROTOCOL, json_incref(given));
	json_object_set_new(
		component, "wal",
		json_pack("[s, s]", "000000010000000000000003", "000000010000000000000004"));
	expect(ERR_PROTOCOL, json_incref(given));
	json_object_del(component, "wal");
	expect(ERR_PROTOCOL, json_incref(given));
	json_object_del(component, "stop_lsn");
	expect(ERR_PROTOCOL, given);
}

static json_t *
image(const char *stop)
{
	return json_pack("[{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}}]", "name", "postgresql",
			 "writer", "postgresql", "component", "system_identifier", "7711", "role",
			 "standby", "redo_log", "000000020000000000000003", "start_lsn", "0/300028",
			 "stop_lsn", stop);
}

static void
test_an_image_has_its_own_logs(void **state)
{
	(void)state;
	expect(OK, image("0/400100"));
	/* But of the same history. */
	expect(ERR_GROUP_ROLE, image("1/400100"));
}

static void
test_the_record(void **state)
{
	struct scene s = scene();
	struct error err = ERROR_INIT;
	json_t *record = json_object();
	const char *copy, *end;
	json_int_t held, reopened;

	(void)state;
	link_up(&s);
	assert_int_equal(group_record_add(&s.facts, record, &err), OK);
	assert_int_equal(json_unpack(record, "{s:{s:s, s:{s:s}, s:{s:I, s:I}}}", "group", "copy",
				     &copy, "range", "end", &end, "context", "held_ms", &held,
				     "reopened", &reopened),
			 0);
	assert_string_equal(copy, "pg2");
	assert_string_equal(end, "0/6400000");
	assert_int_equal(held, 2000);
	assert_int_equal(reopened, 1);
	json_decref(record);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_asked_for),
		cmocka_unit_test(test_another_database_is_the_configurations_fault),
		cmocka_unit_test(test_another_role_or_timeline),
		cmocka_unit_test(test_a_range_with_a_gap),
		cmocka_unit_test(test_a_range_of_other_logs),
		cmocka_unit_test(test_an_image_has_its_own_logs),
		cmocka_unit_test(test_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
