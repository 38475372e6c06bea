/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a wish to a place: in logs that are written by the test, stored as the log copier does, and in which every commit
 * and every name has its known position.
 */
#include "requester/log_search.h"

#include <string.h>

#include "base/clock.h"
#include "requester/logrepo.h"

enum { T = 1700000000 }; /* seconds since 1970, when it all begins */

#define US(s) ((uint64_t)(T + (s)) * 1000000)
#define SEG ((uint64_t)WALMAKE_SEGMENT)

/* Commits at 100, 200, ... s, each in a segment of its own, and a name behind each. */
struct story {
	uint64_t commit[4], name[4], end;
};

/* To that offset from the start, with something else in between. */
static void
fill_to(struct walmake *w, uint64_t offset)
{
	while (w->at + 20000 < offset)
		(void)walmake_other(w, 10000);
}

static void
tell(struct logrepo *r, struct story *s)
{
	static const char *const names[] = {"one", "two", "three", "four"};

	for (unsigned i = 0; i < 4; i++) {
		fill_to(&r->wal, i * SEG + SEG / 2);
		s->commit[i] = walmake_commit(&r->wal, US(100 * (i + 1)));
		s->name[i] = walmake_name(&r->wal, US(100 * (i + 1) + 1), names[i]);
	}
	(void)walmake_other(&r->wal, 8);
	s->end = LOGREPO_START + (r->wal.at + 7) / 8 * 8;
}

/* The whole log in two points that have a part of a segment in common. */
static void
store_two(struct logrepo *r, const struct story *s, bool no_names)
{
	uint64_t middle = LOGREPO_START + 2 * SEG + 5000;

	logrepo_base(r, LOGREPO_START, LOGREPO_START + 1000, LOGREPO_START + 1000, T + 1);
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START,
						.to = middle,
						.from_s = 0,
						.to_s = T + 250,
						.no_names = no_names});
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START + 2 * SEG,
						.to = s->end,
						.from_s = T + 250,
						.to_s = T + 500,
						.no_names = no_names});
}

static int
search(struct logrepo *r, struct log_target target, struct log_stop *stop, struct error *err)
{
	CLEAN(log_chain_done) struct log_chain c = {0};

	*err = (struct error)ERROR_INIT;
	*stop = (struct log_stop){0};
	logrepo_chain(r, &c);
	int rc = log_search(&c, r->rig->reader, &target, NULL, NULL, stop, err);
	/* Lent by the chain. */
	stop->alone = NULL;
	return rc;
}

static struct log_target
at_time(unsigned s)
{
	return (struct log_target){.kind = LOG_TARGET_TIME, .time_ns = (T + s) * NS_PER_S};
}

static struct log_target
named(const char *name)
{
	return (struct log_target){.kind = LOG_TARGET_NAME, .name = name};
}

static void
by_time(void **state)
{
	struct logrepo *r = *state;
	struct log_stop stop;
	struct error err;
	struct story s;

	tell(r, &s);
	store_two(r, &s, false);
	/* Before the first commit that came later; one of that very moment is wanted. */
	assert_int_equal(search(r, at_time(150), &stop, &err), OK);
	assert_int_equal(stop.lsn, s.commit[1]);
	assert_false(stop.inclusive || stop.at_end);
	assert_int_equal(stop.need.latest, s.commit[1]);
	assert_true(stop.need.end > s.commit[1]);
	assert_int_equal(search(r, at_time(300), &stop, &err), OK);
	assert_int_equal(stop.lsn, s.commit[3]);
	assert_int_equal(stop.last_commit_ns, (T + 300) * NS_PER_S);
	/* Nothing came later, but they looked later. */
	assert_int_equal(search(r, at_time(450), &stop, &err), OK);
	assert_true(stop.at_end);
	assert_int_equal(stop.need.end, s.end);
	assert_int_equal(search(r, at_time(501), &stop, &err), ERR_LOG_GAP);
	assert_non_null(strstr(err.msg, "do not have everything until"));
	assert_null(strstr(err.msg, "missing"));
	assert_non_null(strstr(err.hint, "can be restored to: "));
}

static void
behind_a_gap(void **state)
{
	struct logrepo *r = *state;
	uint64_t gap = LOGREPO_START + SEG;
	struct log_stop stop;
	struct error err;
	struct story s;

	tell(r, &s);
	logrepo_base(r, LOGREPO_START, LOGREPO_START + 1000, LOGREPO_START + 1000, T + 1);
	logrepo_store(r, &(struct logrepo_logs){
				 .from = LOGREPO_START, .to = gap, .from_s = T, .to_s = T + 120});
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START + 2 * SEG,
						.to = s.end,
						.from_s = 0,
						.to_s = T + 500});
	assert_int_equal(search(r, at_time(110), &stop, &err), OK);
	assert_int_equal(search(r, at_time(350), &stop, &err), ERR_LOG_GAP);
	assert_non_null(strstr(err.msg, "missing from 0/600000 on, and no backup"));
	assert_int_equal(
		search(r, (struct log_target){.kind = LOG_TARGET_LSN, .lsn = gap + 8}, &stop, &err),
		ERR_LOG_GAP);
	/* That place is there; it is the backup that does not lead to it. */
	assert_int_equal(search(r, named("three"), &stop, &err), OK);
	assert_int_equal(search(r, named("two"), &stop, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.hint, "'one', 'three', 'four'"));
}

static void
by_position(void **state)
{
	struct logrepo *r = *state;
	struct log_target t = {.kind = LOG_TARGET_LSN};
	struct log_stop stop;
	struct error err;
	struct story s;

	tell(r, &s);
	store_two(r, &s, false);
	t.lsn = s.commit[2];
	assert_int_equal(search(r, t, &stop, &err), OK);
	assert_int_equal(stop.lsn, s.commit[2]);
	assert_true(stop.need.end > s.commit[2]);
	/* In the middle of a record: that one has to be there to be left out. */
	t.lsn = s.commit[2] + 8;
	assert_int_equal(search(r, t, &stop, &err), OK);
	assert_int_equal(stop.need.latest, s.commit[2] + 8);
	t.lsn = s.end;
	assert_int_equal(search(r, t, &stop, &err), OK);
	t.lsn = s.end + 1;
	assert_int_equal(search(r, t, &stop, &err), ERR_LOG_GAP);
	t.lsn = 0;
	assert_int_equal(search(r, t, &stop, &err), ERR_LOG_GAP);
}

static void
expect_names(struct logrepo *r, const struct story *s)
{
	static const char *const names[] = {"one", "two", "three", "four"};
	struct log_stop stop;
	struct error err;

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(search(r, named(names[i]), &stop, &err), OK);
		assert_int_equal(stop.lsn, s->name[i]);
		assert_true(stop.inclusive);
		assert_true(stop.need.end > s->name[i] && stop.need.end < s->name[i] + 200);
	}
	assert_int_equal(search(r, named("five"), &stop, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.hint, "'one', 'two', 'three', 'four'"));
}

/* What is written down is not read for; what is not, is: with the same answers. */
static void
by_name(void **state)
{
	struct logrepo *r = *state;
	struct story s;

	tell(r, &s);
	store_two(r, &s, false);
	expect_names(r, &s);
	logrepo_lose_data(r);
	expect_names(r, &s);
}

static void
by_name_as_it_was(void **state)
{
	struct logrepo *r = *state;
	struct log_stop stop;
	struct error err;
	struct story s;

	tell(r, &s);
	store_two(r, &s, true);
	expect_names(r, &s);
	logrepo_lose_data(r);
	assert_true(search(r, named("one"), &stop, &err) < 0);
	assert_int_not_equal(err.code, ERR_NOT_FOUND);
}

/* Some of an earlier version, some not; and what several have is one. */
static void
by_name_of_several(void **state)
{
	struct logrepo *r = *state;
	struct story s;

	tell(r, &s);
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START,
						.to = LOGREPO_START + 2 * SEG + 77,
						.to_s = T + 250,
						.no_names = true});
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START + SEG,
						.to = LOGREPO_START + 3 * SEG + 999,
						.to_s = T + 350});
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START + 3 * SEG,
						.to = s.end,
						.to_s = T + 500,
						.no_names = true});
	expect_names(r, &s);
}

static void
given_twice(void **state)
{
	struct logrepo *r = *state;
	struct log_stop stop;
	struct error err;
	uint64_t again;
	struct story s;

	tell(r, &s);
	again = walmake_name(&r->wal, US(410), "two");
	(void)walmake_other(&r->wal, 8);
	s.end = LOGREPO_START + (r->wal.at + 7) / 8 * 8;
	store_two(r, &s, false);
	assert_int_equal(search(r, named("two"), &stop, &err), ERR_AMBIGUOUS);
	assert_non_null(strstr(err.msg, "given 2 times"));
	assert_true(again > s.name[1]);
	assert_int_equal(search(r, named("one"), &stop, &err), OK);
}

/* One point ends in the middle of such a record, and the next begins with the file that has only its end. */
static void
between_two_points(void **state)
{
	struct logrepo *r = *state;
	struct log_stop stop;
	struct error err;
	uint64_t lsn, end;

	(void)walmake_name(&r->wal, US(1), "first");
	fill_to(&r->wal, 2 * SEG);
	/* So that it begins 48 bytes before the file's end: the last one before it is in its last page. */
	while (r->wal.at < 2 * SEG - WALMAKE_PAGE + 100)
		(void)walmake_other(&r->wal, 8);
	(void)walmake_other(&r->wal, 2 * SEG - 48 - r->wal.at - 24);
	lsn = walmake_name(&r->wal, US(2), "between");
	assert_int_equal(lsn, LOGREPO_START + 2 * SEG - 48);
	(void)walmake_name(&r->wal, US(3), "last");
	(void)walmake_other(&r->wal, 8);
	end = LOGREPO_START + (r->wal.at + 7) / 8 * 8;
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START,
						.to = LOGREPO_START + 2 * SEG + 60,
						.to_s = T + 250});
	logrepo_store(r, &(struct logrepo_logs){
				 .from = LOGREPO_START + 2 * SEG, .to = end, .to_s = T + 500});
	assert_int_equal(search(r, named("between"), &stop, &err), OK);
	assert_int_equal(stop.lsn, lsn);
	assert_int_equal(search(r, named("first"), &stop, &err), OK);
	assert_int_equal(search(r, named("last"), &stop, &err), OK);
}

static void
the_end(void **state)
{
	struct logrepo *r = *state;
	const struct log_target t = {.kind = LOG_TARGET_END};
	struct log_stop stop;
	struct error err;
	struct story s;

	tell(r, &s);
	store_two(r, &s, false);
	assert_int_equal(search(r, t, &stop, &err), OK);
	assert_true(stop.at_end);
	assert_int_equal(stop.lsn, s.end);
}

static void
without_a_backup(void **state)
{
	struct logrepo *r = *state;
	struct log_stop stop;
	struct error err;
	struct story s;

	tell(r, &s);
	logrepo_store(r,
		      &(struct logrepo_logs){.from = LOGREPO_START, .to = s.end, .to_s = T + 500});
	assert_int_equal(search(r, (struct log_target){.kind = LOG_TARGET_END}, &stop, &err),
			 ERR_LOG_GAP);
	assert_non_null(strstr(err.msg, "a backup before them"));
}

/* The log of somebody who could not write it. */
static void
damaged(void **state)
{
	struct logrepo *r = *state;
	struct log_stop stop;
	struct error err;
	struct story s;

	tell(r, &s);
	r->wal.bytes[SEG + 9000] ^= 1;
	store_two(r, &s, false);
	assert_int_equal(search(r, at_time(250), &stop, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "cannot be read beyond"));
	assert_non_null(strstr(err.hint, "--target-lsn"));
	/* Before that it is good. */
	assert_int_equal(search(r, at_time(50), &stop, &err), OK);
	/* A list that could not be made is none: the logs are read, and say what is wrong. */
	assert_int_equal(search(r, named("two"), &stop, &err), ERR_CORRUPT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_time, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(behind_a_gap, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(by_position, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(by_name, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(by_name_as_it_was, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(by_name_of_several, logrepo_setup,
						logrepo_teardown),
		cmocka_unit_test_setup_teardown(given_twice, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(between_two_points, logrepo_setup,
						logrepo_teardown),
		cmocka_unit_test_setup_teardown(the_end, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(without_a_backup, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(damaged, logrepo_setup, logrepo_teardown),
	};

	return cmocka_run_group_tests_name("log_search", tests, NULL, NULL);
}
