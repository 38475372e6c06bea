/* SPDX-License-Identifier: Apache-2.0 */

/* Types of backups: what is refused, what lets go of logs, and what an incremental one goes on from. */
#include "requester/backup_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { POINTS_MAX = 8 };

struct points {
	struct point_list list;
	struct point all[POINTS_MAX];
	struct point *order[POINTS_MAX];
	struct point_root roots[POINTS_MAX];
};

static struct point *
add(struct points *ps, const char *host, const char *type, const char *root)
{
	size_t n = ps->list.n++;
	struct point *p = &ps->all[n];

	p->host = (char *)(uintptr_t)host;
	p->json = type != NULL ? json_pack("{s:s}", "type", type) : json_object();
	assert_non_null(p->json);
	(void)memset(p->id_text, (int)('a' + n), 16);
	ps->roots[n].name = (char *)(uintptr_t)root;
	p->n_roots = 1;
	p->roots = &ps->roots[n];
	ps->order[n] = p;
	ps->list.points = ps->order;
	return p;
}

static void
done(struct points *ps)
{
	for (size_t i = 0; i < ps->list.n; i++) {
		json_decref(ps->all[i].json);
		json_decref(ps->roots[i].component);
	}
}

static void
test_names(void **state)
{
	struct error err = ERROR_INIT;
	enum backup_type t;

	(void)state;
	for (enum backup_type i = BACKUP_FULL; i <= BACKUP_COPY; i++) {
		assert_int_equal(backup_type_find(backup_type_name(i), &t, &err), OK);
		assert_int_equal(t, i);
	}
	assert_int_equal(backup_type_find("LOG", &t, &err), OK);
	assert_int_equal(t, BACKUP_LOG);
	assert_int_equal(backup_type_find("fullish", &t, &err), ERR_BACKUP_TYPE);
	assert_int_equal(backup_type_find("", &t, &err), ERR_BACKUP_TYPE);
}

static void
test_refusals(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(backup_type_check(BACKUP_FULL, false, &err), OK);
	assert_int_equal(backup_type_check(BACKUP_COPY, true, &err), OK);
	assert_int_equal(backup_type_check(BACKUP_INCREMENTAL, false, &err), OK);
	assert_int_equal(backup_type_check(BACKUP_LOG, true, &err), OK);
	assert_int_equal(backup_type_check(BACKUP_LOG, false, &err), ERR_BACKUP_TYPE);
	assert_int_equal(backup_type_check(BACKUP_DIFFERENTIAL, true, &err), ERR_BACKUP_TYPE);
	assert_false(error_retryable(err.code));
}

static void
test_what_lets_go_of_logs(void **state)
{
	(void)state;
	assert_true(backup_type_truncates(BACKUP_FULL));
	assert_true(backup_type_truncates(BACKUP_INCREMENTAL));
	assert_true(backup_type_truncates(BACKUP_LOG));
	assert_false(backup_type_truncates(BACKUP_COPY));
}

static void
test_the_base_is_the_newest_of_the_history(void **state)
{
	static const char *const pg[] = {"postgresql"};
	struct points ps = {0};
	const struct point *base;

	(void)state;
	assert_null(backup_type_base(&ps.list, "group:g", pg, 1, false));
	(void)add(&ps, "group:g", "copy", "postgresql");
	assert_null(backup_type_base(&ps.list, "group:g", pg, 1, false));
	base = add(&ps, "group:g", "full", "postgresql");
	(void)add(&ps, "group:other", "full", "postgresql");
	(void)add(&ps, "group:g", "copy", "postgresql");
	(void)add(&ps, "group:g", "log", "logs");
	assert_ptr_equal(backup_type_base(&ps.list, "group:g", pg, 1, false), base);
	base = add(&ps, "group:g", "incremental", "postgresql:main2");
	assert_ptr_equal(backup_type_base(&ps.list, "group:g", pg, 1, false), base);
	add(&ps, "group:g", "full", "postgresql")->incomplete = true;
	assert_ptr_equal(backup_type_base(&ps.list, "group:g", pg, 1, false), base);
	assert_null(backup_type_base(&ps.list, "group:g", pg, 1, true));
	done(&ps);
}

static void
test_a_point_without_a_type_is_full(void **state)
{
	struct points ps = {0};
	const struct point *old = add(&ps, "h", NULL, "");
	enum backup_type t;

	(void)state;
	assert_true(backup_type_of(old, &t));
	assert_int_equal(t, BACKUP_FULL);
	assert_ptr_equal(backup_type_base(&ps.list, "h", NULL, 0, true), old);
	assert_false(backup_type_of(add(&ps, "h", "of the future", ""), &t));
	assert_ptr_equal(backup_type_base(&ps.list, "h", NULL, 0, true), old);
	done(&ps);
}

static void
test_another_database_is_no_base(void **state)
{
	struct points ps = {0};
	struct point *base = add(&ps, "h", "full", "postgresql");
	struct error err = ERROR_INIT;
	json_t *same = json_pack("[{s:s, s:{s:s}}]", "name", "postgresql", "component",
				 "system_identifier", "7711");
	json_t *other = json_pack("[{s:s, s:{s:s}}, {s:s}]", "name", "postgresql", "component",
				  "system_identifier", "1177", "name", "");

	(void)state;
	/* Who does not say who he is, is believed. */
	assert_int_equal(backup_type_same(base, other, &err), OK);
	ps.roots[0].component = json_pack("{s:s}", "system_identifier", "7711");
	assert_int_equal(backup_type_same(base, same, &err), OK);
	assert_int_equal(backup_type_same(base, other, &err), ERR_BACKUP_TYPE);
	json_decref(same);
	json_decref(other);
	done(&ps);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_what_lets_go_of_logs),
		cmocka_unit_test(test_the_base_is_the_newest_of_the_history),
		cmocka_unit_test(test_a_point_without_a_type_is_full),
		cmocka_unit_test(test_another_database_is_no_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
