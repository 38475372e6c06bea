/* SPDX-License-Identifier: Apache-2.0 */

/* Which copy is chosen, and what is said about it and about the others. */
#include "group/choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

enum { COPIES = 3, MIB = 1 << 20 };

static char names[COPIES][4] = {"pg1", "pg2", "pg3"};
static char group_name[] = "orders", agent[] = "tls://here:1";
static struct group_copy copies[COPIES];
static struct group group;
static struct group_member members[COPIES];

/* pg1 active, pg2 and pg3 as they should be; each has an agent. */
static struct group_view
healthy(void)
{
	group = (struct group){
		.name = group_name,
		.engine = &engine_postgresql,
		.prefer = GROUP_PREFER_PASSIVE,
		.max_copy_queue = UINT64_C(1) << 30,
		.max_replay_queue = UINT64_C(1) << 30,
		.n = COPIES,
		.copies = copies,
	};
	for (size_t i = 0; i < COPIES; i++) {
		struct copy_facts *f = &members[i].facts;

		copies[i] = (struct group_copy){.name = names[i], .agent = agent};
		members[i] = (struct group_member){.copy = &copies[i]};
		f->role = i == 0 ? COPY_ROLE_ACTIVE : COPY_ROLE_PASSIVE;
		(void)text_printf(f->identity, sizeof(f->identity), "77");
		f->timeline = 1;
		f->segment_bytes = 16 * MIB;
		f->generated = i == 0 ? 500 * MIB : 0;
		f->copied = f->replayed = i == 0 ? 0 : 500 * MIB;
		f->receiving = i != 0;
	}
	return (struct group_view){.group = &group, .n = COPIES, .members = members};
}

static struct choice
choose(struct group_view *v, const struct choose_history *history)
{
	struct choice c = {.member = SIZE_MAX};
	struct error err = ERROR_INIT;

	group_judge(v);
	if (choose_copy(v, history, &c, &err) != OK)
		fail_msg("%s", err.msg);
	return c;
}

static struct error
refused(struct group_view *v, enum err code)
{
	struct error err = ERROR_INIT;
	struct choice c = {.member = 42};

	group_judge(v);
	assert_int_equal(choose_copy(v, NULL, &c, &err), code);
	assert_int_equal(c.member, 42);
	return err;
}

static void
has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", text, part);
}

static void
test_first_of_equals(void **state)
{
	struct group_view v = healthy();
	struct choice c = choose(&v, NULL);

	(void)state;
	assert_int_equal(c.member, 1);
	assert_string_equal(c.why,
			    "pg2: Healthy, copy queue 0 B, replay queue 0 B; pg1 is the active "
			    "copy; pg3 is as good");
}

static void
test_lag(void **state)
{
	struct group_view v = healthy();

	(void)state;
	members[1].facts.replayed = 460 * MIB;
	struct choice c = choose(&v, NULL);
	assert_int_equal(c.member, 2);
	has(c.why, "pg2 is 40 MiB behind");
	/* Less than a log file is no reason. */
	members[1].facts.replayed = 499 * MIB;
	assert_int_equal(choose(&v, NULL).member, 1);
}

static void
test_status_before_lag(void **state)
{
	struct group_view v = healthy();

	(void)state;
	members[1].facts.receiving = false;
	members[2].facts.replayed = 300 * MIB;
	struct choice c = choose(&v, NULL);
	assert_int_equal(c.member, 2);
	has(c.why, "pg2 is DisconnectedAndHealthy");
}

static void
test_faults(void **state)
{
	struct choose_history history = {.n = 1, .copies = {{"pg2", 1}}};
	struct group_view v = healthy();

	(void)state;
	struct choice c = choose(&v, &history);
	assert_int_equal(c.member, 2);
	has(c.why, "pg2 was at fault before");
	/* The only passive one is tried again, rather than the active one loaded. */
	copies[2].agent = NULL;
	c = choose(&v, &history);
	assert_int_equal(c.member, 1);
	has(c.why, "pg3 has no agent");
}

static void
test_other_backup(void **state)
{
	struct group_view v = healthy();

	(void)state;
	members[1].facts.in_backup_mode = true;
	struct choice c = choose(&v, NULL);
	assert_int_equal(c.member, 2);
	has(c.why, "pg2 is being backed up by another program");
}

static void
test_not_replaying(void **state)
{
	struct group_view v = healthy();

	(void)state;
	members[1].facts.replay_paused = true;
	struct choice c = choose(&v, NULL);
	assert_int_equal(c.member, 2);
	has(c.why, "pg2 is Suspended: replay is paused");
}

static void
test_active_as_the_last_resort(void **state)
{
	struct group_view v = healthy();

	(void)state;
	members[1].facts.replay_paused = members[2].facts.replay_paused = true;
	struct choice c = choose(&v, NULL);
	assert_int_equal(c.member, 0);
	has(c.why, "pg1: Mounted; pg2 is Suspended");

	group.prefer = GROUP_PREFER_PASSIVE_ONLY;
	struct error err = refused(&v, ERR_GROUP_NO_COPY);
	has(err.msg,
	    "pg1 is the active copy, and prefer = passive-only; pg2 is Suspended: replay is "
	    "paused; pg3 is Suspended");
}

static void
test_prefer_active(void **state)
{
	struct group_view v = healthy();

	(void)state;
	group.prefer = GROUP_PREFER_ACTIVE;
	struct choice c = choose(&v, NULL);
	assert_int_equal(c.member, 0);
	has(c.why, "pg2 is a passive copy");
	copies[0].agent = NULL;
	assert_int_equal(choose(&v, NULL).member, 1);
}

static void
test_old_timeline(void **state)
{
	struct group_view v = healthy();

	(void)state;
	members[0].facts.timeline = members[2].facts.timeline = 2;
	struct choice c = choose(&v, NULL);
	assert_int_equal(c.member, 2);
	has(c.why, "pg2 is Resynchronizing: it is still on timeline 1, the active copy on 2");
}

static void
test_no_active(void **state)
{
	struct group_view v = healthy();

	(void)state;
	members[0].facts = (struct copy_facts){.failure = ERR_TIMEOUT, .message = "silent"};
	has(refused(&v, ERR_GROUP_NO_COPY).msg, "none of the copies that could be asked is active");
}

static void
test_no_agent_anywhere(void **state)
{
	struct group_view v = healthy();

	(void)state;
	for (size_t i = 0; i < COPIES; i++)
		copies[i].agent = NULL;
	struct error err = refused(&v, ERR_CONFIG);
	has(err.msg, "pg2 has no agent");
	has(err.hint, "agent");
	/* Waiting may help as soon as one of them is there. */
	copies[1].agent = agent;
	members[1].facts.replay_paused = true;
	(void)refused(&v, ERR_GROUP_NO_COPY);
}

/* What no waiting mends is not called worth repeating. */
static void
test_nothing_to_wait_for(void **state)
{
	struct group_view v = healthy();

	(void)state;
	group.prefer = GROUP_PREFER_PASSIVE_ONLY;
	(void)text_printf(members[1].facts.identity, sizeof(members[1].facts.identity), "78");
	members[2].facts = (struct copy_facts){.failure = ERR_DB_AUTH, .message = "no password"};
	struct error err = refused(&v, ERR_CONFIG);
	has(err.msg, "pg2 is Failed: it is of another database");
	has(err.msg, "pg3 is Failed: no password");
	has(err.hint, "holdfast group status orders");
	members[2].facts.failure = ERR_DB_CONNECT;
	(void)refused(&v, ERR_GROUP_NO_COPY);
}

static void
test_busy(void **state)
{
	struct group_view v = healthy();

	(void)state;
	v.time_ns = 7384 * NS_PER_S;
	members[0].facts.n_contexts = 1;
	members[0].facts.contexts[0] = (struct copy_context){.holder = "pg3 by backup2",
							     .since_ns = 60 * NS_PER_S};
	has(refused(&v, ERR_GROUP_BUSY).msg,
	    "pg3 by backup2, since 1970-01-01T00:01:00Z (2:02:04)");
}

static void
test_many_copies_fit(void **state)
{
	static struct group_copy many[GROUP_COPIES_MAX];
	static struct group_member all[GROUP_COPIES_MAX];
	static char long_name[] = "a-name-of-a-copy-that-is-forty-charact";
	struct group_view v = healthy();

	(void)state;
	for (size_t i = 0; i < GROUP_COPIES_MAX; i++) {
		many[i] = copies[i == 0 ? 0 : 1];
		many[i].name = long_name;
		all[i] = members[i == 0 ? 0 : 1];
		all[i].copy = &many[i];
		all[i].facts.replay_paused = i > 0;
	}
	v.members = all;
	v.n = GROUP_COPIES_MAX;
	has(choose(&v, NULL).why, "...");
	group.prefer = GROUP_PREFER_PASSIVE_ONLY;
	(void)refused(&v, ERR_GROUP_NO_COPY);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_of_equals),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_status_before_lag),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_other_backup),
		cmocka_unit_test(test_not_replaying),
		cmocka_unit_test(test_active_as_the_last_resort),
		cmocka_unit_test(test_prefer_active),
		cmocka_unit_test(test_old_timeline),
		cmocka_unit_test(test_no_active),
		cmocka_unit_test(test_no_agent_anywhere),
		cmocka_unit_test(test_nothing_to_wait_for),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_many_copies_fit),
	};

	return cmocka_run_group_tests_name("choose", tests, NULL, NULL);
}
