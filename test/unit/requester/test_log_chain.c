/* SPDX-License-Identifier: Apache-2.0 */

/* Which base leads where: from lists of restore points made by hand, with gaps, overlaps and timelines. */
#include "requester/log_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "requester/logscene.h"

static int
read_chain(struct logscene *s, const char *group, const char *identity, unsigned timeline,
	   struct log_chain *c, struct error *err)
{
	const struct log_wish wish = {group, identity, timeline};

	*err = ERROR_INIT;
	return log_chain_read(&s->list, &wish, c, err);
}

/* Whose base is taken to come to `end`; '-': none. */
static char
chosen(const struct log_chain *c, uint64_t end, const struct point *only)
{
	const struct log_need need = {.end = end, .latest = end, .only = only};
	const struct log_base *b;
	struct error err = ERROR_INIT;

	if (log_chain_base(c, &need, &b, &err) == OK)
		return b->point->id_text[0];
	assert_int_equal(err.code, ERR_LOG_GAP);
	assert_non_null(strstr(err.hint, "can be restored to: "));
	return '-';
}

static void
one_line(void **state)
{
	struct logscene *s = *state;
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct error err;
	struct log_span spans[4];

	logscene_base(s, "7", 1, MB(2) + 40, MB(3) + 100, 10); /* a */
	logscene_logs(s, "group:g", "7", 1, MB(1), MB(5) + 7, 5, 20, 0); /* b */
	const struct point *second = logscene_base(s, "7", 1, MB(5), MB(6) + 100, 30); /* c */
	logscene_logs(s, "group:g", "7", 1, MB(5), MB(8), 20, 40, 0); /* d */
	logscene_logs(s, "group:g", "7", 1, MB(7), MB(9), 40, 50, 0); /* e: overlaps */
	logscene_base(s, "8", 1, MB(5), MB(6) + 200, 31); /* of another database */
	assert_int_equal(read_chain(s, NULL, NULL, 0, &c, &err), OK);
	assert_string_equal(c.identity, "7");
	assert_string_equal(c.group, "group:g");
	assert_int_equal(c.timeline, 1);
	assert_int_equal(c.n_pieces, 3);
	assert_int_equal(c.n_bases, 2);
	assert_int_equal(log_chain_reach(&c, MB(2)), MB(9));
	assert_int_equal(log_chain_reach(&c, MB(9)), MB(9));
	assert_int_equal(log_chain_reach_time(&c, MB(2)), 50 * NS_PER_S);
	assert_null(log_chain_piece(&c, MB(9)));
	assert_null(log_chain_piece(&c, MB(1) - 1));
	assert_int_equal(chosen(&c, MB(3), NULL), '-');
	assert_int_equal(chosen(&c, MB(3) + 100, NULL), 'a');
	assert_int_equal(chosen(&c, MB(6) + 99, NULL), 'a');
	assert_int_equal(chosen(&c, MB(6) + 100, NULL), 'c');
	assert_int_equal(chosen(&c, MB(9), NULL), 'c');
	assert_int_equal(chosen(&c, MB(9) + 1, NULL), '-');
	assert_int_equal(chosen(&c, MB(4), second), '-');
	assert_int_equal(chosen(&c, MB(8), second), 'c');
	/* By the clock, too. */
	const struct log_need need = {MB(7), MB(7), 29 * NS_PER_S, NULL};
	const struct log_base *b;

	assert_int_equal(log_chain_base(&c, &need, &b, &err), OK);
	assert_int_equal(b->point->id_text[0], 'a');
	assert_int_equal(log_chain_spans(&c, spans, 4), 1);
	assert_int_equal(spans[0].from, MB(3) + 100);
	assert_int_equal(spans[0].to, MB(9));
	assert_int_equal(spans[0].from_time_ns, 10 * NS_PER_S);
	assert_int_equal(spans[0].to_time_ns, 50 * NS_PER_S);
	assert_int_equal(spans[0].bases, 2);
}

static void
with_a_gap(void **state)
{
	struct logscene *s = *state;
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct error err;
	struct log_span spans[4];
	char text[200];

	logscene_base(s, "7", 1, MB(2), MB(3), 10); /* a */
	logscene_logs(s, "group:g", "7", 1, MB(2), MB(5), 5, 20, 0);
	logscene_logs(s, "group:g", "7", 1, MB(6), MB(9), 25, 50, 0);
	logscene_base(s, "7", 1, MB(7), MB(8), 40); /* d */
	assert_int_equal(read_chain(s, "g", NULL, 0, &c, &err), OK);
	assert_int_equal(chosen(&c, MB(5), NULL), 'a');
	assert_int_equal(chosen(&c, MB(5) + 1, NULL), '-');
	assert_int_equal(chosen(&c, MB(7), NULL), '-');
	assert_int_equal(chosen(&c, MB(8), NULL), 'd');
	assert_int_equal(log_chain_spans(&c, spans, 1), 2);
	assert_int_equal(log_chain_spans(&c, spans, 4), 2);
	assert_int_equal(spans[1].from, MB(8));
	assert_non_null(strstr(log_chain_covered(&c, text, sizeof(text)),
			       "0/300000 (1970-01-01T00:00:10Z) to 0/500000 "
			       "(1970-01-01T00:00:20Z); 0/800000"));
}

/* An image has less of the log than it needs: they must reach its end before it is worth anything. */
static void
image(void **state)
{
	struct logscene *s = *state;
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct error err;
	struct point *p = logscene_base(s, "7", 1, MB(2), MB(3), 10);

	assert_int_equal(json_object_set_new(p->roots[0].component, "held_lsn",
					     json_string(logscene_lsn(MB(2) + 500))),
			 0);
	logscene_logs(s, "group:g", "7", 1, MB(2), MB(4), 5, 20, 0);
	assert_int_equal(read_chain(s, NULL, NULL, 0, &c, &err), OK);
	assert_int_equal(c.bases[0].held, MB(2) + 500);
	assert_int_equal(chosen(&c, MB(3), NULL), 'a');
	log_chain_done(&c);
	/* Logs that begin behind what it has. */
	assert_int_equal(json_object_set_new(p->roots[0].component, "held_lsn",
					     json_string(logscene_lsn(MB(2) - 1))),
			 0);
	assert_int_equal(read_chain(s, NULL, NULL, 0, &c, &err), OK);
	assert_int_equal(c.n_bases, 0); /* contradicts itself */
}

/*
 * 1: 1 MB .. 6 MB, the last of which the new active copy never had; 2: from 5 MB + 100 on.
 */
static void
timelines(void **state)
{
	struct logscene *s = *state;
	CLEAN(log_chain_done) struct log_chain c = {0}, old = {0}, none = {0};
	struct error err;

	logscene_base(s, "7", 1, MB(2), MB(3), 10); /* a */
	logscene_logs(s, "group:g", "7", 1, MB(1), MB(6), 5, 20, 0); /* b */
	logscene_base(s, "7", 1, MB(5) + 200, MB(5) + 300, 15); /* c: of the part that was lost */
	logscene_logs(s, "group:g", "7", 2, MB(5), MB(7), 20, 30, MB(5) + 100); /* d */
	logscene_base(s, "7", 2, MB(6), MB(6) + 9, 25); /* e */
	assert_int_equal(read_chain(s, NULL, NULL, 0, &c, &err), OK);
	assert_int_equal(c.timeline, 2);
	assert_int_equal(c.n_path, 2);
	assert_int_equal(c.path[1].from, MB(5) + 100);
	assert_int_equal(log_chain_timeline(&c, MB(5) + 99), 1);
	assert_int_equal(log_chain_timeline(&c, MB(5) + 100), 2);
	assert_int_equal(c.n_bases, 2);
	assert_int_equal(chosen(&c, MB(6), NULL), 'a');
	assert_int_equal(chosen(&c, MB(7), NULL), 'e');
	assert_int_equal(log_chain_piece(&c, MB(5) + 200)->timeline, 2);
	assert_int_equal(log_chain_piece(&c, MB(5) + 50)->timeline, 1);

	assert_int_equal(read_chain(s, NULL, NULL, 1, &old, &err), OK);
	assert_int_equal(old.n_bases, 2);
	assert_int_equal(chosen(&old, MB(6), NULL), 'c');
	assert_int_equal(chosen(&old, MB(7), NULL), '-');
	assert_int_equal(read_chain(s, NULL, NULL, 3, &none, &err), ERR_LOG_GAP);
}

static void
whose(void **state)
{
	struct logscene *s = *state;
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct error err;

	assert_int_equal(read_chain(s, NULL, NULL, 0, &c, &err), ERR_LOG_GAP);
	logscene_logs(s, "group:g", "7", 1, MB(1), MB(6), 5, 20, 0);
	logscene_logs(s, "group:h", "8", 1, MB(1), MB(6), 5, 20, 0);
	assert_int_equal(read_chain(s, NULL, NULL, 0, &c, &err), ERR_AMBIGUOUS);
	assert_non_null(strstr(err.msg, "group:g"));
	assert_non_null(strstr(err.msg, "group:h"));
	assert_int_equal(read_chain(s, "i", NULL, 0, &c, &err), ERR_LOG_GAP);
	assert_int_equal(read_chain(s, "h", NULL, 0, &c, &err), OK);
	assert_string_equal(c.identity, "8");
	log_chain_done(&c);
	assert_int_equal(read_chain(s, NULL, "7", 0, &c, &err), OK);
	assert_string_equal(c.group, "group:g");
	log_chain_done(&c);
	/* The group was built anew. */
	logscene_logs(s, "group:g", "9", 1, MB(1), MB(6), 5, 20, 0);
	assert_int_equal(read_chain(s, "g", NULL, 0, &c, &err), OK);
	assert_string_equal(c.identity, "9");
}

/* A backup of an earlier version does not say enough. */
static void
no_base(void **state)
{
	struct logscene *s = *state;
	struct log_base b;
	char identity[32];
	struct point *p = logscene_base(s, "7", 1, MB(2), MB(3), 10);

	assert_int_equal(log_base_of(p, &b, identity), 1);
	assert_int_equal(b.start, MB(2));
	assert_int_equal(json_object_del(p->roots[0].component, "stop_lsn"), 0);
	assert_int_equal(log_base_of(p, &b, identity), 0);
	assert_int_equal(log_base_of(logscene_add(s, "db1", ""), &b, identity), 0);
}

/* As log_plan_switch() says it: the old active copy may have ended with a file (archive_timeout, pg_switch_wal()), or
 * gone on well beyond the place that the new one knows. */
static void
promotion_between_two_files(void **state)
{
	struct logscene *s = *state;
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct error err;

	logscene_base(s, "7", 1, MB(2) + 40, MB(3) + 100, 10); /* a */
	logscene_logs(s, "group:g", "7", 1, MB(1), MB(5), 5, 20, 0);
	logscene_logs(s, "group:g", "7", 2, MB(5), MB(8), 20, 40, MB(5));
	assert_int_equal(read_chain(s, NULL, NULL, 0, &c, &err), OK);
	assert_int_equal(c.timeline, 2);
	assert_int_equal(c.n_path, 2);
	assert_int_equal(log_chain_reach(&c, MB(3) + 100), MB(8));
	assert_int_equal(chosen(&c, MB(7), NULL), 'a');
}

static void
promotion_far_back(void **state)
{
	struct logscene *s = *state;
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct error err;

	logscene_base(s, "7", 1, MB(1) + 40, MB(2) + 100, 10); /* a */
	logscene_logs(s, "group:g", "7", 1, MB(1), MB(5), 5, 20, 0);
	logscene_logs(s, "group:g", "7", 1, MB(5), MB(6), 20, 25, 0);
	logscene_logs(s, "group:g", "7", 2, MB(3), MB(8), 25, 40, MB(3));
	assert_int_equal(read_chain(s, NULL, NULL, 0, &c, &err), OK);
	assert_int_equal(c.n_path, 2);
	assert_int_equal(log_chain_reach(&c, MB(2) + 100), MB(8));
	assert_int_equal(chosen(&c, MB(7), NULL), 'a');
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_line, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(with_a_gap, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(image, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(timelines, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(promotion_between_two_files, logscene_setup,
						logscene_teardown),
		cmocka_unit_test_setup_teardown(promotion_far_back, logscene_setup,
						logscene_teardown),
		cmocka_unit_test_setup_teardown(whose, logscene_setup, logscene_teardown),
		cmocka_unit_test_setup_teardown(no_base, logscene_setup, logscene_teardown),
	};

	return cmocka_run_group_tests_name("log_chain", tests, NULL, NULL);
}
