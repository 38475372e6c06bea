/* SPDX-License-Identifier: Apache-2.0 */

/* From restore points to how far logs may go: each test is a history of backups. */
#include "requester/truncation_stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "postgresql/walrange.h"
#include "requester/log_point.h"

enum { POINTS_MAX = 12, MIB = 1 << 20 };

static char name_group[] = "orders", identity[] = "7300000000000000001";
static char host_group[] = "group:orders", host_other[] = "group:others";

static char *
position_text(uint64_t position, char text[ENGINE_POSITION_MAX])
{
	return walrange_format_lsn(position, text);
}

static bool
position_parse(const char *text, uint64_t *ret)
{
	return walrange_parse_lsn(text, ret);
}

static const struct engine engine = {
	.name = "postgresql", .position_text = position_text, .position_parse = position_parse};

struct history {
	struct group group;
	struct truncation_of of;
	struct point_list list;
	struct point all[POINTS_MAX];
	struct point *order[POINTS_MAX];
	struct point_root roots[POINTS_MAX];
	struct truncation_stored found;
	struct error err;
};

static struct point *
add_point(struct history *h, json_t *json)
{
	size_t n = h->list.n++;
	struct point *p = &h->all[n];

	assert_true(n < POINTS_MAX);
	assert_non_null(json);
	*p = (struct point){
		.host = host_group,
		.start_ns = (n + 1) * 1000,
		.end_ns = (n + 1) * 1000 + 500,
		.consistency = CONSISTENCY_APPLICATION,
		.json = json,
		.n_roots = 1,
		.roots = &h->roots[n],
	};
	(void)snprintf(p->id_text, sizeof(p->id_text), "%08zu", n);
	h->order[n] = p;
	return p;
}

/* Positions are in MiB from here on. */
static struct point *
add_base(struct history *h, const char *type, uint64_t start, int timeline)
{
	char text[WALRANGE_LSN_LEN + 1];
	struct point *p = add_point(h, json_pack("{s:s, s:{s:s, s:s, s:i}, s:{s:s}}", "type", type,
						 "group", "name", name_group, "identity", identity,
						 "timeline", timeline, "component", "start_lsn",
						 walrange_format_lsn(start * MIB, text)));

	p->roots->component = json_object_get(p->json, "component");
	return p;
}

/* `since`: it is on `timeline` from there on, before on the one before; 0: all of it is. */
static struct point *
add_logs_over(struct history *h, uint64_t from, uint64_t to, uint32_t timeline, uint64_t since)
{
	struct log_point logs = {
		.engine = "postgresql",
		.segment_bytes = MIB,
		.timeline = timeline,
		.from = from * MIB,
		.to = to * MIB,
		.from_time_ns = 1,
		.to_time_ns = 2,
		.n_history = 1,
		.history = {{timeline, from * MIB}},
	};

	if (since != 0) {
		logs.n_history = 2;
		logs.history[0].timeline = timeline - 1;
		logs.history[1] = (struct log_history){timeline, since * MIB};
	}
	(void)snprintf(logs.identity, sizeof(logs.identity), "%s", identity);
	return add_point(h,
			 json_pack("{s:s, s:o}", "type", LOG_TYPE, "logs", log_point_json(&logs)));
}

static struct point *
add_logs(struct history *h, uint64_t from, uint64_t to, uint32_t timeline)
{
	return add_logs_over(h, from, to, timeline, 0);
}

static void
expect(struct history *h, uint64_t before, uint64_t base, bool base_binds, uint64_t logs,
       bool logs_bind)
{
	const struct truncate_stored *w = &h->found.what;

	truncation_stored_done(&h->found);
	h->of.before = before * MIB;
	assert_int_equal(truncation_stored_find(&h->of, &h->list, &h->found, &h->err), OK);
	assert_int_equal(w->base, base * MIB);
	assert_int_equal(w->base_binds, base_binds);
	assert_int_equal(w->logs, logs * MIB);
	assert_int_equal(w->logs_bind, logs_bind);
	if (base_binds)
		assert_true(w->base_why[0] != 0);
	if (logs != 0)
		assert_true(w->logs_why[0] != 0);
}

static int
setup(void **state)
{
	struct history *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return -1;
	h->group = (struct group){.name = name_group, .engine = &engine};
	h->of = (struct truncation_of){.group = &h->group, .identity = identity, .timeline = 1};
	h->list.points = h->order;
	*state = h;
	return 0;
}

static int
teardown(void **state)
{
	struct history *h = *state;

	truncation_stored_done(&h->found);
	for (size_t i = 0; i < h->list.n; i++)
		json_decref(h->all[i].json);
	free(h);
	return 0;
}

static void
nothing_stored(void **state)
{
	struct history *h = *state;

	expect(h, 5, 0, true, 0, false);
	assert_non_null(strstr(h->found.what.base_why, "no full or incremental"));
}

static void
the_newest_base(void **state)
{
	struct history *h = *state;

	add_base(h, "full", 10, 1);
	expect(h, 5, 10, true, 0, false);
	add_base(h, "incremental", 20, 1);
	expect(h, 5, 20, true, 0, false);
	assert_ptr_equal(h->found.base, &h->all[1]);
	/* None of these counts. */
	add_base(h, "copy", 30, 1);
	add_base(h, "full", 31, 1)->incomplete = true;
	add_base(h, "full", 32, 1)->consistency = CONSISTENCY_CRASH;
	add_base(h, "full", 33, 1)->host = host_other;
	json_object_set_new(json_object_get(add_base(h, "full", 34, 1)->json, "group"), "identity",
			    json_string("8"));
	expect(h, 5, 20, true, 0, false);
}

static void
of_another_timeline(void **state)
{
	struct history *h = *state;

	add_base(h, "full", 10, 1);
	h->of.timeline = 2;
	expect(h, 5, 0, true, 0, false);
	assert_non_null(strstr(h->found.what.base_why, "timeline 2"));
	add_base(h, "full", 20, 2);
	expect(h, 5, 20, true, 0, false);
}

static void
without_a_beginning(void **state)
{
	struct history *h = *state;
	struct point *p = add_base(h, "full", 10, 1);

	json_object_clear(p->roots->component);
	expect(h, 5, 0, true, 0, false);
	assert_non_null(strstr(h->found.what.base_why, "does not say"));
	add_base(h, "full", 12, 1);
	expect(h, 5, 12, true, 0, false);
}

static void
logs_after_a_base(void **state)
{
	struct history *h = *state;

	add_base(h, "full", 10, 1);
	add_logs(h, 9, 20, 1);
	expect(h, 5, 10, false, 20, true);
	add_logs(h, 20, 30, 1);
	expect(h, 5, 10, false, 30, true);
	assert_int_equal(h->found.n_logs, 2);
	/* A gap: what follows it has nothing to go on from. */
	add_logs(h, 40, 50, 1);
	expect(h, 5, 10, true, 50, false);
	/* But the slot has it. */
	expect(h, 40, 10, false, 50, true);
	/* Or a base within. */
	add_base(h, "copy", 41, 1);
	expect(h, 5, 10, true, 50, false);
	add_base(h, "full", 42, 1);
	expect(h, 5, 42, false, 50, true);
}

static void
a_full_backup_leaves_no_gap(void **state)
{
	struct history *h = *state;

	add_base(h, "full", 10, 1);
	add_logs(h, 5, 20, 1);
	add_base(h, "full", 30, 1);
	expect(h, 20, 30, true, 20, true);
	/* None was made between two of them: given up. */
	add_base(h, "full", 40, 1);
	expect(h, 20, 40, true, 20, false);
	assert_non_null(strstr(h->found.what.logs_why, "given up"));
	/* Taken up again. */
	add_logs(h, 20, 45, 1);
	expect(h, 20, 40, false, 45, true);
}

static void
logs_over_a_promotion(void **state)
{
	struct history *h = *state;

	add_base(h, "full", 10, 1);
	add_logs(h, 5, 22, 1);
	h->of.timeline = 2;
	/* They end on the timeline that was left. */
	expect(h, 5, 0, true, 0, false);
	add_logs_over(h, 20, 30, 2, 21);
	expect(h, 5, 0, false, 30, true);
	assert_int_equal(h->found.n_logs, 2);
	add_logs(h, 22, 99, 1);
	expect(h, 5, 0, false, 30, true);
	/* Beside another promotion of the timeline before. */
	add_logs_over(h, 22, 28, 3, 25);
	expect(h, 5, 0, false, 30, true);
	assert_int_equal(h->found.n_logs, 2);
}

/* The old active copy went on by itself; what it wrote is no beginning of what the new one has. */
static void
logs_of_a_branch(void **state)
{
	struct history *h = *state;

	add_base(h, "full", 10, 1);
	add_logs(h, 5, 40, 1);
	h->of.timeline = 2;
	add_logs(h, 30, 50, 2);
	expect(h, 5, 0, true, 50, false);
	assert_int_equal(h->found.n_logs, 1);
}

/* The second base was made when the clock was fast. */
static void
a_clock_set_back(void **state)
{
	struct history *h = *state;
	struct point *fast;

	add_base(h, "full", 10, 1);
	fast = add_base(h, "full", 20, 1);
	json_object_set_new(fast->roots->component, "stop_lsn", json_string("0/1500000"));
	fast->start_ns = 900000;
	add_logs(h, 5, 30, 1);
	add_base(h, "full", 40, 1);
	expect(h, 5, 40, true, 30, true);
	/* Made before it, and none since. */
	json_object_set_new(fast->roots->component, "stop_lsn", json_string("0/2000000"));
	expect(h, 5, 40, true, 30, false);
}

static void
what_is_relied_on(void **state)
{
	struct history *h = *state;
	struct truncate_plan plan = {.end = TRUNCATE_MOVES, .before = 15 * MIB, .to = 30 * MIB};

	add_base(h, "full", 10, 1);
	add_logs(h, 5, 12, 1);
	add_logs(h, 12, 20, 1);
	add_logs(h, 20, 30, 1);
	expect(h, 15, 10, false, 30, true);
	assert_false(truncation_stored_relies(&h->found, &plan, &h->all[0]));
	assert_false(truncation_stored_relies(&h->found, &plan, &h->all[1]));
	assert_true(truncation_stored_relies(&h->found, &plan, &h->all[2]));
	assert_true(truncation_stored_relies(&h->found, &plan, &h->all[3]));
	plan.end = TRUNCATE_BLOCKED;
	assert_false(truncation_stored_relies(&h->found, &plan, &h->all[3]));
	plan.end = TRUNCATE_MOVES;
	add_base(h, "full", 40, 1);
	expect(h, 15, 40, true, 30, true);
	assert_true(truncation_stored_relies(&h->found, &plan, &h->all[4]));
	assert_true(truncation_stored_relies(&h->found, &plan, &h->all[3]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_stored, setup, teardown),
		cmocka_unit_test_setup_teardown(the_newest_base, setup, teardown),
		cmocka_unit_test_setup_teardown(of_another_timeline, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_beginning, setup, teardown),
		cmocka_unit_test_setup_teardown(logs_after_a_base, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_backup_leaves_no_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(logs_over_a_promotion, setup, teardown),
		cmocka_unit_test_setup_teardown(logs_of_a_branch, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clock_set_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_relied_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
