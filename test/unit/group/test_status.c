/* SPDX-License-Identifier: Apache-2.0 */

/* What facts of copies mean: each status, who is active, the queues. */
#include "group/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"

enum { COPIES = 3, MIB = 1 << 20 };

static char names[COPIES][4] = {"pg1", "pg2", "pg3"};
static struct group_copy copies[COPIES];
static struct group group = {
	.engine = &engine_postgresql,
	.prefer = GROUP_PREFER_PASSIVE,
	.max_copy_queue = 4 * MIB,
	.max_replay_queue = 8 * MIB,
	.n = COPIES,
	.copies = copies,
};

struct fixture {
	struct group_view v;
	struct group_member members[COPIES];
};

/* pg1 active, pg2 and pg3 as they should be. */
static struct fixture
healthy(void)
{
	struct fixture f = {.v = {.group = &group, .n = COPIES}};

	for (size_t i = 0; i < COPIES; i++) {
		struct copy_facts *facts = &f.members[i].facts;

		copies[i].name = names[i];
		f.members[i].copy = &copies[i];
		facts->role = i == 0 ? COPY_ROLE_ACTIVE : COPY_ROLE_PASSIVE;
		(void)text_printf(facts->identity, sizeof(facts->identity), "77");
		facts->timeline = 1;
		if (i == 0) {
			facts->generated = 100 * MIB;
		} else {
			facts->copied = facts->replayed = 100 * MIB;
			facts->receiving = true;
		}
	}
	return f;
}

static void
judge(struct fixture *f)
{
	f->v.members = f->members;
	group_judge(&f->v);
}

static void
expect(const struct fixture *f, size_t copy, enum copy_status status, const char *why)
{
	const struct group_member *m = &f->members[copy];

	if (m->status != status)
		fail_msg("%s is %s (%s), not %s", m->copy->name, copy_status_name(m->status),
			 m->why, copy_status_name(status));
	if (why[0] == '\0' ? m->why[0] != '\0' : strstr(m->why, why) == NULL)
		fail_msg("%s: \"%s\" lacks \"%s\"", m->copy->name, m->why, why);
}

static void
test_healthy(void **state)
{
	struct fixture f = healthy();

	(void)state;
	judge(&f);
	assert_int_equal(f.v.active, 0);
	assert_string_equal(f.v.why_no_active, "");
	expect(&f, 0, COPY_MOUNTED, "");
	expect(&f, 1, COPY_HEALTHY, "");
	expect(&f, 2, COPY_HEALTHY, "");
	assert_int_equal(f.members[0].copy_queue, 0);
	assert_int_equal(f.members[1].copy_queue, 0);
	assert_int_equal(f.members[1].replay_queue, 0);
}

static void
test_queues(void **state)
{
	struct fixture f = healthy();

	(void)state;
	f.members[1].facts.copied = 97 * MIB;
	f.members[1].facts.replayed = 90 * MIB;
	/* Asked a moment after the active copy, which has written more since. */
	f.members[2].facts.copied = f.members[2].facts.replayed = 101 * MIB;
	judge(&f);
	assert_int_equal(f.members[1].copy_queue, 3 * MIB);
	assert_int_equal(f.members[1].replay_queue, 7 * MIB);
	assert_int_equal(f.members[2].copy_queue, 0);
	expect(&f, 1, COPY_HEALTHY, "");
}

static void
test_far_behind(void **state)
{
	struct fixture f = healthy();

	(void)state;
	f.members[1].facts.copied = f.members[1].facts.replayed = 95 * MIB;
	f.members[2].facts.replayed = 91 * MIB;
	judge(&f);
	expect(&f, 1, COPY_RESYNCHRONIZING, "5 MiB of logs are still to be copied");
	expect(&f, 2, COPY_RESYNCHRONIZING, "9 MiB of logs are still to be replayed");

	f.members[1].facts.receiving = false;
	judge(&f);
	expect(&f, 1, COPY_DISCONNECTED_AND_RESYNCHRONIZING, "still to be copied");
}

static void
test_replay_paused(void **state)
{
	struct fixture f = healthy();

	(void)state;
	f.members[1].facts.replay_paused = f.members[2].facts.replay_paused = true;
	f.members[2].facts.receiving = false;
	judge(&f);
	expect(&f, 1, COPY_SUSPENDED, "replay is paused");
	expect(&f, 2, COPY_SUSPENDED, "log copier is not connected");
}

static void
test_disconnected(void **state)
{
	struct fixture f = healthy();

	(void)state;
	f.members[1].facts.receiving = false;
	judge(&f);
	expect(&f, 1, COPY_DISCONNECTED_AND_HEALTHY, "log copier is not connected");

	f.members[0].facts = (struct copy_facts){.failure = ERR_DB_CONNECT, .message = "refused"};
	judge(&f);
	assert_int_equal(f.v.active, SIZE_MAX);
	assert_string_equal(f.v.why_no_active, "none of the copies that could be asked is active");
	expect(&f, 0, COPY_SERVICE_DOWN, "refused");
	expect(&f, 1, COPY_DISCONNECTED, "no active copy is known");
	/* We do not reach the active copy, but this one does. */
	expect(&f, 2, COPY_HEALTHY, "");
	assert_int_equal(f.members[2].copy_queue, UINT64_MAX);
	assert_int_equal(f.members[2].replay_queue, 0);
}

static void
test_failures(void **state)
{
	static const struct {
		enum err code;
		bool starting;
		enum copy_status status;
	} cases[] = {
		{ERR_DB_CONNECT, false, COPY_SERVICE_DOWN},
		{ERR_DB_CONNECT, true, COPY_INITIALIZING},
		{ERR_TIMEOUT, false, COPY_SERVICE_DOWN},
		{ERR_DB_SESSION_LOST, false, COPY_SERVICE_DOWN},
		{ERR_DB_AUTH, false, COPY_FAILED},
		{ERR_PERMISSION, false, COPY_FAILED},
		{ERR_DB_CONFIG, false, COPY_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f = healthy();

		f.members[2].facts = (struct copy_facts){.failure = cases[i].code,
							 .starting = cases[i].starting,
							 .message = "as said"};
		judge(&f);
		expect(&f, 2, cases[i].status, "as said");
		assert_int_equal(f.members[2].copy_queue, UINT64_MAX);
		assert_int_equal(f.members[2].replay_queue, UINT64_MAX);
	}
}

static void
test_another_database(void **state)
{
	struct fixture f = healthy();

	(void)state;
	(void)text_printf(f.members[2].facts.identity, sizeof(f.members[2].facts.identity), "78");
	judge(&f);
	expect(&f, 2, COPY_FAILED, "of another database: system identifier 78, not 77");

	f.members[2].facts.role = COPY_ROLE_ACTIVE;
	judge(&f);
	assert_int_equal(f.v.active, SIZE_MAX);
	assert_string_equal(f.v.why_no_active,
			    "pg1 and pg3 are active copies of different databases (77, 78)");
}

static void
test_timelines(void **state)
{
	struct fixture f = healthy();

	(void)state;
	f.members[0].facts.timeline = 3;
	f.members[1].facts.timeline = 4;
	f.members[2].facts.timeline = 2;
	f.members[2].facts.receiving = false;
	judge(&f);
	expect(&f, 1, COPY_FAILED, "timeline 4, which is newer than the active copy's, 3");
	expect(&f, 2, COPY_FAILED, "on timeline 2, the active copy on 3");

	/* Behind another passive one, which has not followed yet either. */
	f.members[2].facts.receiving = true;
	judge(&f);
	expect(&f, 2, COPY_RESYNCHRONIZING, "still on timeline 2, the active copy on 3");
}

static void
test_two_active(void **state)
{
	struct fixture f = healthy();

	(void)state;
	f.members[1].facts.role = COPY_ROLE_ACTIVE;
	f.members[1].facts.timeline = 2;
	judge(&f);
	assert_int_equal(f.v.active, SIZE_MAX);
	assert_string_equal(f.v.why_no_active,
			    "both pg1 (timeline 1) and pg2 (timeline 2) are active");
	expect(&f, 0, COPY_MOUNTED, "both pg1");
	expect(&f, 1, COPY_MOUNTED, "both pg1");
}

static void
test_none(void **state)
{
	struct fixture f = healthy();

	(void)state;
	f.members[0].facts.role = COPY_ROLE_PASSIVE;
	f.members[2].facts.role = COPY_ROLE_UNKNOWN;
	judge(&f);
	assert_string_equal(f.v.why_no_active, "none of the copies is active");
	expect(&f, 2, COPY_DISMOUNTED, "neither");
	for (size_t i = 0; i < COPIES; i++)
		f.members[i].facts = (struct copy_facts){.failure = ERR_TIMEOUT};
	judge(&f);
	assert_string_equal(f.v.why_no_active, "no copy could be asked");
}

static void
silence(struct fixture *f, size_t copy, enum err code, const char *message)
{
	f->members[copy].facts = (struct copy_facts){.failure = code, .hint = "mend it"};
	(void)text_printf(f->members[copy].facts.message, sizeof(f->members[copy].facts.message),
			  "%s", message);
	judge(f);
}

static struct error
no_active(const struct fixture *f, enum err code)
{
	struct error err = ERROR_INIT;

	assert_int_equal(f->v.active, SIZE_MAX);
	assert_int_equal(group_no_active(&f->v, &err), code);
	assert_int_equal(err.code, code);
	return err;
}

static void
test_no_active_error(void **state)
{
	struct fixture f = healthy();
	struct error err;

	(void)state;
	silence(&f, 0, ERR_DB_CONNECT, "refused");
	err = no_active(&f, ERR_GROUP_NO_COPY);
	assert_string_equal(err.msg,
			    "group 'orders' has no active copy: none of the copies that could "
			    "be asked is active: pg1: refused");

	/* The active one may be any of those that did not answer: one of them may be there again soon. */
	silence(&f, 1, ERR_DB_AUTH, "wrong password");
	err = no_active(&f, ERR_GROUP_NO_COPY);
	assert_non_null(strstr(err.msg, ": pg1: refused; pg2: wrong password"));

	silence(&f, 0, ERR_PERMISSION, "no");
	err = no_active(&f, ERR_PERMISSION);
	assert_string_equal(err.hint, "mend it");
	silence(&f, 0, ERR_WRITER_RETRYABLE, "short of memory");
	(void)no_active(&f, ERR_GROUP_NO_COPY);

	f = healthy();
	f.members[1].facts.role = COPY_ROLE_ACTIVE;
	judge(&f);
	(void)no_active(&f, ERR_GROUP_NO_COPY);
	(void)text_printf(f.members[1].facts.identity, sizeof(f.members[1].facts.identity), "78");
	judge(&f);
	err = no_active(&f, ERR_CONFIG);
	assert_non_null(strstr(err.hint, "[group.orders.copy.NAME]"));
}

static void
test_lost_slots(void **state)
{
	struct fixture f = healthy();
	struct copy_facts *active = &f.members[0].facts;
	char own[] = "holdfast_orders";

	(void)state;
	active->n_slots = 2;
	active->slots[0] = (struct copy_slot){.name = "pg2", .lost = true};
	active->slots[1] = (struct copy_slot){.name = "holdfast_orders", .lost = true};
	(void)text_printf(f.members[1].facts.source_slot, sizeof(f.members[1].facts.source_slot),
			  "pg2");
	f.members[1].facts.receiving = false;
	group.slot = own;
	judge(&f);
	group.slot = NULL;
	expect(&f, 1, COPY_FAILED, "slot pg2 was invalidated");
	expect(&f, 0, COPY_MOUNTED, "slot holdfast_orders was invalidated");
}

static void
test_json(void **state)
{
	struct fixture f = healthy();
	CLEAN(json_done) json_t *j = NULL;
	const json_t *c;

	(void)state;
	copies[1].agent = names[1]; /* any text */
	f.members[0].facts.n_contexts = 1;
	f.members[0].facts.contexts[0] = (struct copy_context){.holder = "pg2 by \xff",
							       .since_ns = 5};
	f.members[2].facts = (struct copy_facts){.failure = ERR_DB_AUTH, .message = "no"};
	judge(&f);
	j = group_view_json(&f.v);
	copies[1].agent = NULL;
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "active")), "pg1");
	c = json_array_get(json_object_get(j, "copies"), 1);
	assert_string_equal(json_string_value(json_object_get(c, "last_copied")), "0/6400000");
	assert_true(json_is_null(json_object_get(c, "last_generated")));
	c = json_array_get(json_object_get(j, "copies"), 2);
	assert_string_equal(json_string_value(json_object_get(c, "error")), "DB_AUTH");
	assert_true(json_is_null(json_object_get(c, "copy_queue_bytes")));
}

static void
test_names(void **state)
{
	(void)state;
	for (int s = COPY_MOUNTED; s <= COPY_SERVICE_DOWN; s++)
		assert_string_not_equal(copy_status_name((enum copy_status)s), "Unknown");
	assert_string_equal(copy_role_name(COPY_ROLE_UNKNOWN), "unknown");
}

int
main(void)
{
	static char name[] = "orders";
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_far_behind),
		cmocka_unit_test(test_replay_paused),
		cmocka_unit_test(test_disconnected),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_another_database),
		cmocka_unit_test(test_timelines),
		cmocka_unit_test(test_two_active),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_no_active_error),
		cmocka_unit_test(test_lost_slots),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_names),
	};

	group.name = name;
	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
