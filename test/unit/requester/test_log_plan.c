/* SPDX-License-Identifier: Apache-2.0 */

/* The record of a range of logs, and where copying goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "requester/log_plan.h"

#define MIB (UINT64_C(1) << 20)
#define SEG (16 * MIB)

static struct log_point
range(uint32_t timeline, uint64_t from, uint64_t to, bool closed)
{
	return (struct log_point){.engine = "postgresql",
				  .identity = "7123",
				  .segment_bytes = SEG,
				  .timeline = timeline,
				  .from = from,
				  .to = to,
				  .from_time_ns = 5,
				  .to_time_ns = 1000,
				  .closed = closed,
				  .n_history = 1,
				  .history = {{timeline, from}}};
}

static struct log_known
known(uint8_t id, struct log_point logs, uint64_t end_ns)
{
	return (struct log_known){.logs = logs, .id = {.b = {id}}, .end_ns = end_ns};
}

static const struct log_source_facts server = {
	.identity = "7123", .timeline = 1, .end = 100 * SEG + 5, .segment_bytes = SEG};

static struct log_plan
plan(struct log_known *points, size_t n, const struct log_point *spool, uint64_t slot)
{
	const struct log_known_list l = {.n = n, .points = points};
	struct log_plan ret;

	log_plan_make(&l, spool, "postgresql", &server, slot, &ret);
	return ret;
}

/* The record. */

static void
check_round(const struct log_point *p)
{
	CLEAN(json_done) json_t *j = log_point_json(p);
	struct error err = ERROR_INIT;
	struct log_point back;

	assert_non_null(j);
	assert_int_equal(log_point_parse(j, &back, &err), OK);
	assert_memory_equal(&back.history, &p->history, sizeof(p->history));
	assert_string_equal(back.identity, p->identity);
	assert_int_equal(back.from, p->from);
	assert_int_equal(back.to, p->to);
	assert_int_equal(back.to_time_ns, p->to_time_ns);
	assert_int_equal(back.timeline, p->timeline);
	assert_int_equal(back.closed, p->closed);
}

static void
test_record(void **arg)
{
	struct log_point p = range(1, 3 * SEG, 4 * SEG + 17, true);

	(void)arg;
	check_round(&p);
	p = range(1, 3 * SEG, 3 * SEG, false);
	check_round(&p);
	p = log_plan_switch(&p, 2, 3 * SEG);
	check_round(&p);
}

static void
test_record_contradicts_itself(void **arg)
{
	struct log_point bad[] = {
		range(1, 2 * SEG, SEG, false), /* ends before it begins */
		range(1, 2 * SEG, 3 * SEG, false), range(1, 2 * SEG, 3 * SEG, false),
		range(1, 2 * SEG, 3 * SEG, false), range(0, 2 * SEG, 3 * SEG, false),
		range(1, 2 * SEG, 3 * SEG, false), range(1, 2 * SEG, 3 * SEG, false),
	};

	(void)arg;
	bad[1].history[0].from = SEG; /* begins elsewhere */
	bad[2].history[0].timeline = 2; /* ends on another timeline */
	bad[3].segment_bytes = SEG + 1;
	bad[5].n_history = 2; /* goes back */
	bad[5].history[1] = (struct log_history){.timeline = 1, .from = 2 * SEG};
	bad[6].identity[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEAN(json_done) json_t *j = log_point_json(&bad[i]);
		struct error err = ERROR_INIT;
		struct log_point back;

		assert_int_equal(log_point_parse(j, &back, &err), ERR_CORRUPT);
	}
}

/* Where to begin. */

static void
test_fresh(void **arg)
{
	struct log_plan p;

	(void)arg;
	p = plan(NULL, 0, NULL, 7 * SEG + 100);
	assert_int_equal(p.kind, LOG_PLAN_FRESH);
	assert_int_equal(p.range.from, 7 * SEG);
	assert_int_equal(p.range.to, 7 * SEG);
	assert_null(p.newest);
	/* A slot that holds nothing yet. */
	p = plan(NULL, 0, NULL, 0);
	assert_int_equal(p.range.from, 100 * SEG);
}

static void
test_after_the_repository(void **arg)
{
	struct log_known points[] = {
		known(1, range(1, SEG, 5 * SEG + 9, true), 100),
		known(2, range(1, 5 * SEG, 6 * SEG + 9, false), 200),
	};
	struct log_plan p;

	(void)arg;
	/* No spool, or one of long ago: the file in which it ends is copied again. */
	p = plan(points, 2, NULL, 90 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_CHAIN);
	assert_int_equal(p.range.from, 6 * SEG);
	assert_int_equal(p.range.from_time_ns, 1000);
	assert_false(p.replaces);
	struct log_point old = range(1, SEG, 4 * SEG, false);
	p = plan(points, 2, &old, 90 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_CHAIN);
	/* A spool that is behind what another copier has stored of the same range. */
	struct log_point behind = range(1, 5 * SEG, 5 * SEG + 9, false);
	p = plan(points, 2, &behind, 90 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_CHAIN);
}

static void
test_with_the_spool(void **arg)
{
	struct log_known points[] = {
		known(1, range(1, SEG, 5 * SEG + 9, true), 100),
		known(2, range(1, 5 * SEG, 6 * SEG + 9, false), 200),
	};
	struct log_point spool = range(1, 5 * SEG, 7 * SEG, false);
	struct log_plan p;

	(void)arg;
	p = plan(points, 2, &spool, 3 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_CONTINUE);
	assert_true(p.replaces);
	assert_int_equal(p.newest->id.b[0], 2);
	assert_int_equal(p.range.to, 7 * SEG);
	/* The next range, begun after the last was closed. */
	p = plan(points, 1, &spool, 3 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_CONTINUE);
	assert_false(p.replaces);
	/* After a gap. */
	struct log_point beyond = range(1, 8 * SEG, 9 * SEG, false);
	p = plan(points, 1, &beyond, 3 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_CONTINUE);
	assert_false(p.replaces);
	/* Nothing was stored yet. */
	p = plan(NULL, 0, &spool, 3 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_CONTINUE);
	/* Closed, but the spool does not know it yet: killed in between. It must not be replaced. */
	points[1].logs.closed = true;
	p = plan(points, 2, &spool, 3 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_CHAIN);
	assert_false(p.replaces);
}

static void
test_another_database(void **arg)
{
	struct log_known points[] = {known(1, range(1, SEG, 5 * SEG, false), 100)};
	struct log_point spool = range(1, SEG, 6 * SEG, false);
	struct log_plan p;

	(void)arg;
	memcpy(points[0].logs.identity, "7124", 5);
	memcpy(spool.identity, "7124", 5);
	p = plan(points, 1, &spool, 3 * SEG);
	assert_int_equal(p.kind, LOG_PLAN_FRESH);
	assert_null(p.newest);
	assert_int_equal(p.range.from, 3 * SEG);
	assert_string_equal(p.range.identity, "7123");
}

static void
test_newest_is_by_timeline(void **arg)
{
	/* After a fork a later point ends before an earlier one. What was stored of a timeline after that was left does not
	 * count: its copier did not know. */
	struct log_known points[] = {
		known(1, range(1, SEG, 9 * SEG, true), 100),
		known(2, range(2, 7 * SEG, 8 * SEG, false), 200),
		known(3, range(1, 8 * SEG, 12 * SEG, false), 300),
	};
	struct log_plan p;

	(void)arg;
	p = plan(points, 3, NULL, SEG);
	assert_int_equal(p.kind, LOG_PLAN_CHAIN);
	assert_int_equal(p.range.timeline, 2);
	assert_int_equal(p.range.from, 8 * SEG);
}

static void
name(char copier[LOG_COPIER_ID_MAX], const char *id)
{
	(void)snprintf(copier, LOG_COPIER_ID_MAX, "%s", id);
}

/* Who else has stored logs of this database, as far as that is known. */
static void
test_others(void **arg)
{
	struct log_known points[] = {
		known(1, range(1, SEG, 2 * SEG, true), 100),
		known(2, range(1, 2 * SEG, 3 * SEG, true), 200),
		known(3, range(1, 3 * SEG, 4 * SEG, true), 300),
		known(4, range(1, 4 * SEG, 5 * SEG, true), 400),
	};
	const struct log_known_list l = {.n = 4, .points = points};

	(void)arg;
	/* LOG backups, and copiers of earlier versions. */
	assert_null(log_known_of_others(&l, "7123", "me"));
	name(points[0].copier, "you");
	name(points[1].copier, "them");
	name(points[2].copier, "me");
	assert_int_equal(log_known_of_others(&l, "7123", "me")->id.b[0], 2);
	assert_int_equal(log_known_of_others(&l, "7123", "them")->id.b[0], 3);
	assert_null(log_known_of_others(&l, "99", "me"));
}

static void
test_superfluous(void **arg)
{
	struct log_known open = known(1, range(1, SEG, 5 * SEG, false), 100);
	struct log_known longer = known(2, range(1, SEG, 6 * SEG, true), 200);
	struct log_known other = known(3, range(1, 2 * SEG, 6 * SEG, true), 300);

	(void)arg;
	assert_true(log_known_superfluous(&open, &longer));
	assert_false(log_known_superfluous(&longer, &open));
	assert_false(log_known_superfluous(&open, &open));
	assert_false(log_known_superfluous(&open, &other));
	open.logs.closed = true;
	assert_false(log_known_superfluous(&open, &longer));
}

/* What follows. */

static void
test_next(void **arg)
{
	struct log_point done = range(1, SEG, 5 * SEG + 9, true), p;

	(void)arg;
	p = log_plan_next(&done);
	assert_int_equal(p.from, 5 * SEG);
	assert_int_equal(p.to, 5 * SEG + 9);
	assert_false(p.closed);
	assert_int_equal(p.from_time_ns, 1000);
	assert_int_equal(p.history[0].from, 5 * SEG);
}

static void
test_switch(void **arg)
{
	struct log_point done = range(1, SEG, 5 * SEG + 9, true), p;

	(void)arg;
	p = log_plan_switch(&done, 3, 5 * SEG + 9);
	assert_int_equal(p.timeline, 3);
	assert_int_equal(p.from, 5 * SEG);
	assert_int_equal(p.n_history, 2);
	assert_int_equal(p.history[0].timeline, 1);
	assert_int_equal(p.history[1].timeline, 3);
	assert_int_equal(p.history[1].from, 5 * SEG + 9);
	/* Right between two files nothing of the timeline before is left in it, but where it came from is said. */
	p = log_plan_switch(&done, 3, 4 * SEG);
	assert_int_equal(p.n_history, 2);
	assert_int_equal(p.history[0].timeline, 1);
	assert_int_equal(p.history[1].timeline, 3);
	assert_int_equal(p.history[1].from, 4 * SEG);
	assert_int_equal(p.from, 4 * SEG);
	check_round(&p);
	/* So far back that the old timeline's file is not at hand. */
	done.from = done.history[0].from = 4 * SEG;
	p = log_plan_switch(&done, 3, 2 * SEG + 7);
	assert_int_equal(p.n_history, 2);
	assert_int_equal(p.history[0].timeline, 1);
	assert_int_equal(p.history[0].from, 2 * SEG);
	assert_int_equal(p.history[1].timeline, 3);
	assert_int_equal(p.history[1].from, 2 * SEG);
	check_round(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_record_contradicts_itself),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_after_the_repository),
		cmocka_unit_test(test_with_the_spool),
		cmocka_unit_test(test_another_database),
		cmocka_unit_test(test_newest_is_by_timeline),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_superfluous),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
