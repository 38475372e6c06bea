/* SPDX-License-Identifier: Apache-2.0 */

/* Which moments go with which restore points: each scene with all of it, and then without some. */
#include "requester/forget_loss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "requester/logscene.h"

/* Without the points that the letters name. */
static void
lose(const struct logscene *s, const char *letters, struct forget_losses *ret)
{
	struct point *left[LOGSCENE_POINTS_MAX];
	struct point_list after = {0, left};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < s->list.n; i++)
		if (strchr(letters, s->list.points[i]->id_text[0]) == NULL)
			left[after.n++] = s->list.points[i];
	assert_int_equal(forget_losses_find(&s->list, &after, ret, &err), OK);
	assert_int_equal(err.code, OK);
}

static void
expect(const struct forget_loss *l, unsigned timeline, uint64_t from, unsigned from_s, uint64_t to,
       unsigned to_s)
{
	assert_int_equal(l->timeline, timeline);
	assert_int_equal(l->from, from);
	assert_int_equal(l->to, to);
	assert_int_equal(l->from_time_ns, from_s * NS_PER_S);
	assert_int_equal(l->to_time_ns, to_s * NS_PER_S);
}

static void
one_line_of_three(struct logscene *s)
{
	logscene_base(s, "7", 1, MB(1), MB(1) + 100, 10); /* a */
	logscene_logs(s, "group:g", "7", 1, MB(1), MB(3) + 7, 5, 20, 0); /* b */
	logscene_logs(s, "group:g", "7", 1, MB(3), MB(5) + 7, 20, 40, 0); /* c */
	logscene_logs(s, "group:g", "7", 1, MB(5), MB(9), 40, 60, 0); /* d */
	logscene_base(s, "7", 1, MB(6), MB(6) + 100, 50); /* e */
}

static void
from_the_middle(void **state)
{
	CLEAN(forget_losses_done) struct forget_losses l = {0};

	one_line_of_three(*state);
	lose(*state, "c", &l);
	/* Up to where the next backup takes over. */
	assert_int_equal(l.n, 1);
	assert_string_equal(l.all[0].host, "group:g");
	expect(&l.all[0], 1, MB(3) + 7, 20, MB(6) + 100, 50);
}

static void
of_both_ends(void **state)
{
	CLEAN(forget_losses_done) struct forget_losses first = {0}, last = {0}, none = {0};

	one_line_of_three(*state);
	lose(*state, "b", &first);
	assert_int_equal(first.n, 1);
	expect(&first.all[0], 1, MB(1) + 100, 10, MB(6) + 100, 50);
	lose(*state, "d", &last);
	assert_int_equal(last.n, 1);
	expect(&last.all[0], 1, MB(5) + 7, 40, MB(9), 60);
	/* Nothing needs it: the only backup before it goes as well. */
	lose(*state, "", &none);
	assert_int_equal(none.n, 0);
}

static void
with_a_backup(void **state)
{
	CLEAN(forget_losses_done) struct forget_losses first = {0}, second = {0}, all = {0};

	one_line_of_three(*state);
	lose(*state, "a", &first);
	assert_int_equal(first.n, 1);
	expect(&first.all[0], 1, MB(1) + 100, 10, MB(6) + 100, 50);
	/* The earlier one leads to all that this one leads to. */
	lose(*state, "e", &second);
	assert_int_equal(second.n, 0);
	lose(*state, "bcd", &all);
	assert_int_equal(all.n, 1);
	expect(&all.all[0], 1, MB(1) + 100, 10, MB(9), 60);
}

/* What another one has, too, is not lost; nor what no backup leads to. */
static void
nothing(void **state)
{
	struct logscene *s = *state;
	CLEAN(forget_losses_done) struct forget_losses doubled = {0}, useless = {0}, damaged = {0};

	logscene_logs(s, "group:g", "7", 1, MB(1), MB(2), 1, 5, 0); /* a: before every backup */
	logscene_base(s, "7", 1, MB(3), MB(3) + 100, 10); /* b */
	logscene_logs(s, "group:g", "7", 1, MB(3), MB(5), 5, 20, 0); /* c */
	logscene_logs(s, "group:g", "7", 1, MB(3), MB(6), 5, 30, 0); /* d: has that, too */
	logscene_logs(s, "group:h", "8", 1, MB(3), MB(6), 5, 30, 0); /* e: another database */
	lose(s, "c", &doubled);
	assert_int_equal(doubled.n, 0);
	lose(s, "ae", &useless);
	assert_int_equal(useless.n, 0);
	assert_int_equal(json_object_del(json_object_get(s->all[4].json, "logs"), "to"), 0);
	lose(s, "e", &damaged);
	assert_int_equal(damaged.n, 0);
}

/* As in test_log_chain.c: 2 forks off from 1 at 5 MB + 100, and 1 went on to 6 MB. */
static void
timelines(void **state)
{
	struct logscene *s = *state;
	CLEAN(forget_losses_done) struct forget_losses old = {0}, new = {0};

	logscene_base(s, "7", 1, MB(2), MB(3), 10); /* a */
	logscene_logs(s, "group:g", "7", 1, MB(1), MB(6), 5, 20, 0); /* b */
	logscene_logs(s, "group:g", "7", 2, MB(5), MB(7), 20, 30, MB(5) + 100); /* c */
	/* Both branches hang on it, but the common stem is told of once. */
	lose(s, "b", &old);
	assert_int_equal(old.n, 2);
	expect(&old.all[0], 1, MB(3), 10, MB(6), 20);
	assert_int_equal(old.all[1].timeline, 2);
	assert_int_equal(old.all[1].from, MB(5) + 100);
	assert_int_equal(old.all[1].to, MB(7));
	lose(s, "c", &new);
	assert_int_equal(new.n, 1);
	assert_int_equal(new.all[0].timeline, 2);
	assert_int_equal(new.all[0].from, MB(5) + 100);
	assert_int_equal(new.all[0].to, MB(7));
}

/* An image is worth something only from its end on, which logs lead to. */
static void
image(void **state)
{
	struct logscene *s = *state;
	CLEAN(forget_losses_done) struct forget_losses l = {0};
	struct point *p = logscene_base(s, "7", 1, MB(2), MB(3), 10);

	assert_int_equal(json_object_set_new(p->roots[0].component, "held_lsn",
					     json_string(logscene_lsn(MB(2) + 500))),
			 0);
	logscene_logs(s, "group:g", "7", 1, MB(2), MB(2) + 900, 5, 8, 0); /* b */
	logscene_logs(s, "group:g", "7", 1, MB(2), MB(4), 8, 20, 0); /* c */
	logscene_logs(s, "group:g", "7", 1, MB(4), MB(5), 20, 30, 0); /* d */
	lose(s, "c", &l);
	assert_int_equal(l.n, 1);
	expect(&l.all[0], 1, MB(3), 10, MB(5), 30);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(from_the_middle, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(of_both_ends, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(with_a_backup, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(nothing, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(timelines, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(image, logscene_setup, logscene_teardown),
	};

	return cmocka_run_group_tests_name("forget_loss", tests, NULL, NULL);
}
