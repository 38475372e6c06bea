/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The story of a job, from recorded sequences of events: each ending is recognised, and the text has the
 * times, the cause, and the setting that would have helped.
 */
#include "requester/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

/* 2026-11-22 14:00:00 UTC */
#define T0 UINT64_C(1795356000)

/* hh:mm:ss after the hour, the event, its fields. */
struct told {
	unsigned minute, second;
	unsigned id;
	const char *fields;
};

static struct story
tell(const struct told *told, size_t n)
{
	CLEAN(event_list_done) struct event_list list = {0};
	struct error err = ERROR_INIT;
	struct story s;

	for (size_t i = 0; i < n; i++) {
		struct event e = {.time_ns = (T0 + told[i].minute * 60 + told[i].second) * NS_PER_S,
				  .id = told[i].id,
				  .level = event_level(told[i].id)};
		json_error_t bad;
		char text[512];

		(void)snprintf(e.name, sizeof(e.name), "%s", event_name(e.id));
		(void)snprintf(e.job, sizeof(e.job), "{7d0e54e2-3f6c-4a9a-9a52-1c2f9c0f6a11}");
		(void)snprintf(text, sizeof(text), "{%s}",
			       told[i].fields != NULL ? told[i].fields : "");
		e.fields = json_loads(text, 0, &bad);
		assert_non_null(e.fields);
		assert_int_equal(event_list_add(&list, &e, &err), OK);
	}
	assert_int_equal(story_tell(&list, &s, &err), OK);
	assert_true(s.headline[0] != '\0');
	assert_true(s.n_lines > 0 && s.n_lines <= n);
	return s;
}

static void
expect(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' is not in: %s", part, text);
}

static void
expect_line(const struct story *s, const char *part)
{
	for (size_t i = 0; i < s->n_lines; i++)
		if (strstr(s->lines[i].text, part) != NULL)
			return;
	for (size_t i = 0; i < s->n_lines; i++)
		print_message("%s\n", s->lines[i].text);
	fail_msg("no line has '%s'", part);
}

#define BEGIN                                                                                      \
	{0, 0, EVENT_BACKUP_STARTED, "\"paths\":\"/srv\",\"writers\":\"postgresql\""},             \
		{0, 1, EVENT_SNAPSHOT_PREPARING, "\"ttl_s\":1200,\"freeze_limit_s\":10"},          \
	{                                                                                          \
		0, 2, EVENT_FREEZE_BEGUN, "\"limit_ms\":10000"                                     \
	}
#define HELD                                                                                       \
	BEGIN, {0, 2, EVENT_FREEZE_ENDED, "\"frozen_ms\":180,\"proven\":\"yes\""},                 \
		{0, 3, EVENT_SNAPSHOT_CREATED, "\"provider\":\"btrfs\",\"frozen_ms\":180"},        \
	{                                                                                          \
		0, 3, EVENT_SNAPSHOT_HELD, "\"ttl_s\":1200"                                        \
	}
#define KEPT                                                                                       \
	HELD, {19, 6, EVENT_KEEP_RECEIVED, "\"ttl_s\":1200"},                                      \
		{21, 6, EVENT_KEEP_RECEIVED, "\"ttl_s\":1200"},                                    \
		{23, 6, EVENT_KEEP_RECEIVED, "\"ttl_s\":1200"},                                    \
	{                                                                                          \
		25, 6, EVENT_KEEP_RECEIVED, "\"ttl_s\":1200,\"since_ms\":120000"                   \
	}

/* The knowledge-base article's own times. */
static void
test_network(void **state)
{
	static const struct told told[] = {
		KEPT,
		{27, 6, EVENT_REQUESTER_DISCONNECTED, "\"peer\":\"backup1\""},
		{35, 6, EVENT_LEASE_JEOPARDY, "\"ttl_s\":1200,\"since_ms\":600000"},
		{45, 7, EVENT_SNAPSHOT_TIMEOUT, "\"ttl_s\":1200,\"last_keep_ms\":1201000"},
		{47, 30, EVENT_REQUESTER_RECONNECTED, "\"away_ms\":1224000"},
		{47, 30, EVENT_FINISH_REFUSED, "\"cause\":\"expired\",\"ended_ms\":143000"},
		{47, 31, EVENT_BACKUP_FAILED,
		 "\"step\":\"FinishSnapshot\",\"code\":\"LEASE_ENDED\""},
	};
	CLEAN(story_done) struct story s = tell(told, ARRAY_SIZE(told));

	(void)state;
	assert_int_equal(s.ending, STORY_NETWORK);
	expect(s.cause, "14:25:06");
	expect(s.cause, "20 min (1200 s)");
	expect(s.cause, "14:45:07");
	expect(s.cause, "14:47:30");
	expect(s.cause, "2 min 23 s too late");
	expect(s.cause, "0x800401fd");
	expect(s.cause, "break at 14:27:06");
	assert_string_equal(s.setting, "backup.snapshot_timeout");
	assert_string_equal(s.now, "20m");
	assert_string_equal(s.proposed, "30m");
	expect(s.advice, "22 min 24 s");
	expect(s.advice, "--snapshot-timeout 30m");
	expect_line(&s, "3 keep-alives, 14:19:06 to 14:23:06, at most 2 min apart");
	expect_line(&s, "the last keep-alive. Held for 20 min from now, until 14:45:06");
	expect_line(&s, "Snapshot timeout occurred.");
	expect_line(&s, "it had ended 2 min 23 s before");
	expect_line(&s, "LEASE_ENDED, 0x800401fd - CO_E_OBJNOTCONNECTED");
}

/* As the requester's own log has it: it could not know when the host let go. */
static void
test_network_seen_by_requester(void **state)
{
	static const struct told told[] = {
		KEPT,
		{27, 6, EVENT_AGENT_UNREACHABLE, "\"agent\":\"tls://db1\",\"error\":\"timed out\""},
		{45, 6, EVENT_KEEP_GIVEN_UP, "\"ttl_s\":1200,\"since_ms\":1200000"},
		{45, 6, EVENT_BACKUP_FAILED, "\"code\":\"LEASE_ENDED\""},
	};
	CLEAN(story_done) struct story s = tell(told, ARRAY_SIZE(told));

	(void)state;
	assert_int_equal(s.ending, STORY_NETWORK);
	expect(s.cause, "stopped the copy");
	expect(s.cause, "14:27:06");
	assert_string_equal(s.setting, ""); /* how long it lasted is not known */
}

static void
test_standstill(void **state)
{
	static const struct told told[] = {
		KEPT,
		{45, 7, EVENT_SNAPSHOT_TIMEOUT, "\"ttl_s\":1200,\"last_keep_ms\":1201000"},
		{59, 0, EVENT_KEEP_REFUSED, "\"cause\":\"expired\",\"ended_ms\":833000"},
	};
	CLEAN(story_done) struct story s = tell(told, ARRAY_SIZE(told));

	(void)state;
	assert_int_equal(s.ending, STORY_STANDSTILL);
	expect(s.cause, "stood still");
	assert_string_equal(s.proposed, "45m");
}

static void
test_requester_gone(void **state)
{
	static const struct told killed[] = {
		KEPT,
		{26, 0, EVENT_REQUESTER_DISCONNECTED, NULL},
		{45, 7, EVENT_SNAPSHOT_TIMEOUT, "\"ttl_s\":1200,\"last_keep_ms\":1201000"},
	};
	static const struct told cut_off[] = {
		KEPT,
		{45, 7, EVENT_SNAPSHOT_TIMEOUT, "\"ttl_s\":1200,\"last_keep_ms\":1201000"},
	};
	CLEAN(story_done) struct story a = tell(killed, ARRAY_SIZE(killed));
	CLEAN(story_done) struct story b = tell(cut_off, ARRAY_SIZE(cut_off));

	(void)state;
	assert_int_equal(a.ending, STORY_REQUESTER_GONE);
	expect(a.cause, "ended at 14:26:00");
	expect(a.advice, "would not have helped");
	assert_string_equal(a.setting, "");
	assert_int_equal(b.ending, STORY_REQUESTER_GONE);
	expect(b.cause, "never closed");
}

/* A connection that broke early and came back has nothing to do with a silence later. */
static void
test_old_troubles(void **state)
{
	static const struct told told[] = {
		HELD,
		{3, 0, EVENT_REQUESTER_DISCONNECTED, NULL},
		{4, 0, EVENT_REQUESTER_RECONNECTED, NULL},
		{25, 6, EVENT_KEEP_RECEIVED, NULL},
		{45, 7, EVENT_SNAPSHOT_TIMEOUT, "\"ttl_s\":1200"},
	};
	CLEAN(story_done) struct story s = tell(told, ARRAY_SIZE(told));

	(void)state;
	assert_int_equal(s.ending, STORY_REQUESTER_GONE);
	expect(s.cause, "never closed");
}

static void
test_agent_lost(void **state)
{
	static const struct told frozen[] = {
		BEGIN,
		{0, 3, EVENT_AGENT_LOST, "\"cause\":\"signal 9\""},
		{0, 3, EVENT_THAWED_BY_GUARD, "\"frozen_ms\":412"},
		{0, 3, EVENT_SNAPSHOT_RELEASED, NULL},
	};
	CLEAN(story_done) struct story s = tell(frozen, ARRAY_SIZE(frozen));

	(void)state;
	assert_int_equal(s.ending, STORY_AGENT_LOST);
	expect(s.cause, "signal 9");
	expect(s.cause, "412 ms");
	expect(s.cause, "nothing is left frozen");
}

static void
test_freeze(void **state)
{
	static const struct told slow[] = {
		BEGIN,
		{0, 12, EVENT_FREEZE_LIMIT, "\"limit_ms\":10000"},
		{0, 13, EVENT_BACKUP_FAILED, "\"step\":\"CreateSnapshot\""},
	};
	static const struct told hung[] = {
		BEGIN,
		{0, 12, EVENT_FREEZE_LIMIT, "\"limit_ms\":10000"},
		{0, 12, EVENT_SNAPSHOT_RELEASED, NULL},
		{9, 12, EVENT_BACKUP_FAILED, NULL},
	};
	static const struct told writer[] = {
		BEGIN,
		{0, 12, EVENT_FREEZE_LIMIT, "\"limit_ms\":10000"},
		{0, 12, EVENT_WRITER_HUNG,
		 "\"writer\":\"postgresql\",\"step\":\"thaw\",\"limit_ms\":10000"},
		{0, 12, EVENT_WRITER_KILLED, "\"writer\":\"postgresql\""},
		{0, 13, EVENT_BACKUP_FAILED, NULL},
	};
	static const struct told foreign[] = {
		BEGIN,
		{0, 3, EVENT_FOREIGN_FREEZE, "\"source\":\"/srv\""},
		{0, 3, EVENT_BACKUP_FAILED, NULL},
	};
	CLEAN(story_done) struct story a = tell(slow, ARRAY_SIZE(slow));
	CLEAN(story_done) struct story b = tell(hung, ARRAY_SIZE(hung));
	CLEAN(story_done) struct story c = tell(writer, ARRAY_SIZE(writer));
	CLEAN(story_done) struct story d = tell(foreign, ARRAY_SIZE(foreign));

	(void)state;
	assert_int_equal(a.ending, STORY_FREEZE_LIMIT);
	assert_string_equal(a.setting, "backup.freeze_limit");
	assert_string_equal(a.now, "10s");
	assert_string_equal(a.proposed, "20s");
	assert_int_equal(b.ending, STORY_AGENT_HUNG);
	expect(b.cause, "10 s");
	assert_int_equal(c.ending, STORY_WRITER_HUNG);
	expect(c.headline, "postgresql");
	expect(c.cause, "'thaw'");
	assert_int_equal(d.ending, STORY_FOREIGN);
	expect(d.cause, "/srv was already frozen");
}

static void
test_writer(void **state)
{
	static const struct told hung[] = {
		{0, 0, EVENT_BACKUP_STARTED, NULL},
		{15, 0, EVENT_WRITER_HUNG,
		 "\"writer\":\"postgresql\",\"step\":\"prepare-snapshot\",\"limit_ms\":900000"},
		{15, 0, EVENT_BACKUP_FAILED, NULL},
	};
	static const struct told failed[] = {
		KEPT,
		{26, 0, EVENT_WRITER_FAILED,
		 "\"writer\":\"postgresql\",\"step\":\"post-copy\",\"retry\":\"yes\","
		 "\"code\":\"DB_SESSION_LOST\",\"error\":\"server closed the connection\""},
		{26, 0, EVENT_BACKUP_FAILED, NULL},
	};
	CLEAN(story_done) struct story a = tell(hung, ARRAY_SIZE(hung));
	CLEAN(story_done) struct story b = tell(failed, ARRAY_SIZE(failed));

	(void)state;
	assert_int_equal(a.ending, STORY_WRITER_HUNG);
	assert_string_equal(a.setting, "writer.timeout");
	assert_string_equal(a.now, "15m");
	assert_int_equal(b.ending, STORY_WRITER_FAILED);
	expect(b.cause, "server closed the connection");
	expect(b.advice, "ten minutes");
}

static void
test_good(void **state)
{
	static const struct told good[] = {
		KEPT,
		{26, 0, EVENT_SNAPSHOT_FINISHED, "\"proven\":\"yes\""},
		{26, 1, EVENT_BACKUP_FINISHED,
		 "\"point\":\"99b292f3aabbccdd\",\"consistency\":\"application\""},
	};
	static const struct told guard[] = {
		KEPT,
		{25, 20, EVENT_GUARD_LOST, NULL},
		{25, 20, EVENT_GUARD_RECOVERED, "\"held\":1"},
		{26, 1, EVENT_BACKUP_FINISHED, "\"consistency\":\"application\""},
	};
	static const struct told weaker[] = {
		HELD,
		{18, 1, EVENT_KEEP_RECEIVED, NULL},
		{19, 1, EVENT_BACKUP_WEAKER, "\"cause\":\"logs are missing.\""},
		{19, 1, EVENT_BACKUP_FINISHED, "\"consistency\":\"crash\""},
	};
	CLEAN(story_done) struct story a = tell(good, ARRAY_SIZE(good));
	CLEAN(story_done) struct story b = tell(guard, ARRAY_SIZE(guard));
	CLEAN(story_done) struct story c = tell(weaker, ARRAY_SIZE(weaker));

	(void)state;
	assert_int_equal(a.ending, STORY_GOOD);
	assert_string_equal(a.headline, "Done: restore point 99b292f3, consistency application.");
	assert_string_equal(a.cause, "");
	assert_string_equal(a.advice, "");
	assert_int_equal(b.ending, STORY_GOOD);
	expect(b.cause, "stayed held");
	assert_int_equal(c.ending, STORY_WEAKER);
	expect(c.cause, "logs are missing.");
}

static void
test_others(void **state)
{
	struct {
		struct told told;
		enum story_ending ending;
	} cases[] = {
		{{26, 0, EVENT_SPACE_RELEASED,
		  "\"source\":\"/srv\",\"free_bytes\":104857600,\"floor_bytes\":1073741824"},
		 STORY_NO_SPACE},
		{{26, 0, EVENT_SNAPSHOT_BY_HAND, "\"user\":\"root\""}, STORY_BY_HAND},
		{{26, 0, EVENT_FOREIGN_THAW, "\"source\":\"/srv\""}, STORY_FOREIGN},
		{{26, 0, EVENT_BACKUP_CANCELLED, NULL}, STORY_CANCELLED},
		{{26, 0, EVENT_BACKUP_FAILED, "\"error\":\"disk is full\""}, STORY_FAILED},
		{{26, 0, EVENT_KEEP_RECEIVED, NULL}, STORY_UNFINISHED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct told told[] = {KEPT, cases[i].told};
		CLEAN(story_done) struct story s = tell(told, ARRAY_SIZE(told));

		assert_int_equal(s.ending, cases[i].ending);
		assert_true(s.advice[0] != '\0' || s.cause[0] != '\0');
	}

	static const struct told guard[] = {
		BEGIN,
		{0, 3, EVENT_GUARD_LOST, NULL},
		{0, 3, EVENT_GUARD_RECOVERED, "\"ended\":1"},
		{0, 4, EVENT_BACKUP_FAILED, NULL},
	};
	CLEAN(story_done) struct story s = tell(guard, ARRAY_SIZE(guard));
	assert_int_equal(s.ending, STORY_GUARD_LOST);
}

/* What a try failed of is no ending if there was another; what the last one failed of has words of its own. */
static void
test_a_groups_backup(void **state)
{
	static const struct told good[] = {
		BEGIN,
		{0, 4, EVENT_WRITER_FAILED, "\"error\":\"of the first try\""},
		{0, 5, EVENT_BACKUP_RETRY, "\"try\":1,\"tries\":2,\"code\":\"CONTEXT_LOST\""},
		{1, 0, EVENT_BACKUP_FAILED,
		 "\"code\":\"GROUP_ROLE\",\"error\":\"pg2 was promoted\""},
	};
	CLEAN(story_done) struct story s = tell(good, ARRAY_SIZE(good));

	(void)state;
	assert_int_equal(s.ending, STORY_FAILED);
	assert_non_null(strstr(s.headline, "changed its role"));
	assert_string_equal(s.cause, "pg2 was promoted");
	assert_non_null(strstr(s.advice, "holdfast group status"));
}

static void
test_any_event_can_be_told(void **state)
{
	unsigned id;

	(void)state;
	for (size_t i = 0; (id = event_at(i)) != 0; i++) {
		struct told one = {0, 0, id, NULL};
		CLEAN(story_done) struct story s = tell(&one, 1);

		assert_true(strlen(story_ending_name(s.ending)) > 0);
	}
	struct event_list none = {0};
	struct error err;
	struct story s;
	assert_int_equal(story_tell(&none, &s, &err), ERR_NOT_FOUND);
}

static void
test_spans(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(story_span(0, text), "0 ms");
	assert_string_equal(story_span(999, text), "999 ms");
	assert_string_equal(story_span(8250, text), "8.2 s");
	assert_string_equal(story_span(119400, text), "119 s");
	assert_string_equal(story_span(120000, text), "2 min");
	assert_string_equal(story_span(1344000, text), "22 min 24 s");
	assert_string_equal(story_span(UINT64_C(12000) * 1000, text), "3 h 20 min");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_network_seen_by_requester),
		cmocka_unit_test(test_standstill),
		cmocka_unit_test(test_requester_gone),
		cmocka_unit_test(test_old_troubles),
		cmocka_unit_test(test_agent_lost),
		cmocka_unit_test(test_freeze),
		cmocka_unit_test(test_writer),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_a_groups_backup),
		cmocka_unit_test(test_any_event_can_be_told),
		cmocka_unit_test(test_spans),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
