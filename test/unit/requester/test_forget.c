/* SPDX-License-Identifier: Apache-2.0 */

/* Series of restore points, filters, and the choice of the point to compare with. */
#include "requester/forget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "requester/previous.h"

enum { POINTS_MAX = 16 };

/* A list of points made by hand; the hour is the start. */
struct points {
	struct point_list list;
	struct point all[POINTS_MAX];
	struct point *order[POINTS_MAX];
	struct point_root roots[POINTS_MAX];
};

static void
add(struct points *ps, unsigned hour, const char *host, const char *path, const char *root,
    const char *tag)
{
	struct point *p = &ps->all[ps->list.n];

	p->start_ns = (uint64_t)hour * 3600 * NS_PER_S;
	p->host = (char *)(uintptr_t)host;
	(void)snprintf(p->id_text, sizeof(p->id_text), "%02u", hour);
	p->json = json_pack("{s:[s], s:[s]}", "paths", path, "tags", tag);
	assert_non_null(p->json);
	p->n_roots = 1;
	p->roots = &ps->roots[ps->list.n];
	p->roots[0].name = (char *)(uintptr_t)root;
	ps->order[ps->list.n++] = p;
	ps->list.points = ps->order;
}

/* A backup of a cluster, or its logs. */
static void
add_base(struct points *ps, unsigned hour, const char *identity, const char *stop)
{
	struct point *p = &ps->all[ps->list.n];

	add(ps, hour, "c", "/", "postgresql", "z");
	p->roots[0].component = json_pack("{s:s, s:s, s:s, s:s, s:i}", "writer", "postgresql",
					  "system_identifier", identity, "start_lsn", "0/10",
					  "stop_lsn", stop, "timeline", 1);
	assert_int_equal(json_object_set_new(p->json, "component", p->roots[0].component), 0);
}

static void
add_logs(struct points *ps, unsigned hour, const char *identity, const char *from, const char *to,
	 bool closed)
{
	struct point *p = &ps->all[ps->list.n];

	add(ps, hour, "group:g", "/", "logs", "z");
	assert_int_equal(json_object_set_new(p->json, "type", json_string("log")), 0);
	assert_int_equal(
		json_object_set_new(
			p->json, "logs",
			json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:i, s:i, s:b, s:[{s:i, s:s}]}",
				  "engine", "postgresql", "identity", identity, "segment_bytes",
				  1 << 20, "timeline", 1, "from", from, "to", to, "from_time", 0,
				  "to_time", 0, "closed", closed ? 1 : 0, "history", "timeline", 1,
				  "from", from)),
		0);
}

static int
setup(void **state)
{
	struct points *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		return -1;
	add(ps, 1, "a", "/etc", "", "x");
	add(ps, 2, "b", "/etc", "", "y");
	add(ps, 3, "a", "/etc", "", "y");
	add(ps, 4, "a", "/srv", "", "x");
	add(ps, 5, "a", "/etc", "postgresql", "x");
	add(ps, 6, "a", "/etc", "", "x");
	*state = ps;
	return 0;
}

static int
teardown(void **state)
{
	struct points *ps = *state;

	for (size_t i = 0; i < ps->list.n; i++)
		json_decref(ps->all[i].json);
	free(ps);
	return 0;
}

static void
expect(const struct points *ps, const struct forget_filter *filter, const char *kept)
{
	struct error err = ERROR_INIT;
	unsigned *reasons;

	assert_int_equal(forget_decide(&ps->list, filter, &(struct retention_rules){.last = 1},
				       &reasons, &err),
			 OK);
	for (size_t i = 0; i < ps->list.n; i++) {
		char got = reasons[i] == FORGET_NOT_LOOKED_AT ? '-' : reasons[i] != 0 ? 'k' : 'f';

		if (got != kept[i])
			fail_msg("point %zu: %c, expected %c", i, got, kept[i]);
	}
	free(reasons);
}

/* keep_last = 1: the last of each host, set of paths, and set of roots. */
static void
test_each_series_by_itself(void **state)
{
	expect(*state, &(struct forget_filter){0}, "fkfkkk");
}

static void
test_filters(void **state)
{
	static const char *const x[] = {"x"};
	static const char *const both[] = {"x", "y"};

	expect(*state, &(struct forget_filter){.host = "b"}, "-k----");
	expect(*state, &(struct forget_filter){.host = "nobody"}, "------");
	expect(*state, &(struct forget_filter){.n_tags = 1, .tags = x}, "f--kkk");
	expect(*state, &(struct forget_filter){.n_tags = 2, .tags = both}, "fkfkkk");
}

static void
test_previous(void **state)
{
	const struct points *ps = *state;
	json_t *etc = json_pack("[s]", "/etc"), *srv = json_pack("[s]", "/srv");
	json_t *other = json_pack("[s]", "/new");

	assert_string_equal(previous_folders(&ps->list, "a", etc)->id_text, "06");
	/* The same paths go before a newer point of others. */
	assert_string_equal(previous_folders(&ps->list, "a", srv)->id_text, "04");
	assert_string_equal(previous_folders(&ps->list, "a", other)->id_text, "06");
	assert_null(previous_folders(&ps->list, "c", etc));
	assert_string_equal(previous_component(&ps->list, "a", "postgresql")->id_text, "05");
	assert_null(previous_component(&ps->list, "b", "postgresql"));
	json_decref(etc);
	json_decref(srv);
	json_decref(other);
}

static int
setup_logs(void **state)
{
	struct points *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		return -1;
	add_logs(ps, 1, "77", "0/100000", "0/200000", true);
	add_base(ps, 2, "77", "0/250000");
	add_logs(ps, 3, "77", "0/200000", "0/300000", true);
	add_base(ps, 4, "77", "0/350000");
	add_logs(ps, 5, "77", "0/300000", "0/400000", true);
	add_logs(ps, 6, "88", "0/100000", "0/200000", true);
	add_logs(ps, 7, "77", "0/100000", "0/200000", false);
	*state = ps;
	return 0;
}

/* Logs go when all that they have is older than the oldest backup that is kept. */
static void
test_logs(void **state)
{
	struct points *ps = *state;
	struct error err = ERROR_INIT;
	unsigned *reasons;

	expect(ps, &(struct forget_filter){0}, "fffkkkk");
	expect(ps, &(struct forget_filter){.host = "c"}, "-f-k---");
	/* Who is not looked at is kept. */
	expect(ps, &(struct forget_filter){.host = "group:g"}, "f-k-kkk");
	/* An open one that others followed is nobody's any more. */
	add_logs(ps, 8, "77", "0/400000", "0/500000", true);
	expect(ps, &(struct forget_filter){0}, "fffkkkfk");
	/* What nobody can read is not thrown away. */
	json_object_del(json_object_get(ps->all[0].json, "logs"), "to");
	assert_int_equal(forget_decide(&ps->list, &(struct forget_filter){0},
				       &(struct retention_rules){.last = 1}, &reasons, &err),
			 OK);
	assert_int_equal(reasons[0], FORGET_LOGS_NEEDED);
	free(reasons);
}

/* An image has less of the log itself than it needs to become consistent: what is between stays. */
static void
test_logs_of_an_image(void **state)
{
	struct points *ps = *state;

	for (size_t i = 0; i < ps->list.n; i++)
		if (ps->all[i].n_roots > 0 && ps->all[i].roots[0].component != NULL)
			assert_int_equal(json_object_set_new(ps->all[i].roots[0].component,
							     "held_lsn", json_string("0/280000")),
					 0);
	/* Only the second one's is below its stop: the first's makes no sense, and it is no base. */
	expect(ps, &(struct forget_filter){0}, "ffkkkkk");
	assert_int_equal(json_object_set_new(ps->all[3].roots[0].component, "held_lsn",
					     json_string("0/180000")),
			 0);
	expect(ps, &(struct forget_filter){0}, "kfkkkkk");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_series_by_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_previous, setup, teardown),
		cmocka_unit_test_setup_teardown(test_logs, setup_logs, teardown),
		cmocka_unit_test_setup_teardown(test_logs_of_an_image, setup_logs, teardown),
	};

	return cmocka_run_group_tests_name("forget", tests, NULL, NULL);
}
