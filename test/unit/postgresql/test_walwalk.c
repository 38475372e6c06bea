/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Walking over logs that this file writes itself, page by page: records across pages and segments, pieces
 * of any size, a switch, a record given up, and every way in which a log may end. (That the walk finds
 * in a real server's log what pg_waldump finds there: test/e2e/46-point-in-time.t.)
 */
#include "postgresql/walwalk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/le.h"
#include "postgresql/crc32c.h"
#include "postgresql/walmake.h"

enum { SEGMENT = WALMAKE_SEGMENT, PAGE = WALMAKE_PAGE, LOG_MAX = 3 * SEGMENT, FOUND_MAX = 1024 };

#define START (5 * (uint64_t)SEGMENT)

static uint8_t bytes[LOG_MAX]; /* the log from START on */
static struct walmake made;
static struct walwalk_record found[FOUND_MAX];
static size_t n_found, stop_after;

static int
note(void *arg, const struct walwalk_record *r)
{
	(void)arg;
	assert_true(n_found < FOUND_MAX);
	found[n_found++] = *r;
	return n_found == stop_after;
}

/* What it was before the end was told. */
static enum walwalk_state
walk(size_t n, size_t piece, uint64_t *ret_position)
{
	CLEAN(walwalk_freep) struct walwalk *w = NULL;
	struct error err = ERROR_INIT;
	enum walwalk_state state = WALWALK_MORE;

	n_found = 0;
	assert_int_equal(walwalk_new(START, SEGMENT, note, NULL, &w, &err), OK);
	for (size_t i = 0; i < n; i += piece)
		state = walwalk_feed(w, SLICE(bytes + i, MIN(piece, n - i)));
	assert_int_equal(walwalk_finish(w), state == WALWALK_ENOUGH ? WALWALK_ENOUGH : WALWALK_END);
	if (ret_position != NULL)
		*ret_position = walwalk_position(w);
	return state;
}

static int
setup(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof(bytes));
	stop_after = 0;
	walmake_begin(&made, bytes, sizeof(bytes), START, 1);
	return 0;
}

static void
what_records_say(void **state)
{
	uint64_t lsn[7], position;

	(void)state;
	lsn[0] = walmake_timed(&made, 1, 0x00, 1700000000123456, "");
	lsn[1] = walmake_timed(&made, 1, 0xa0, 1700000001000000, "");
	lsn[2] = walmake_timed(&made, 1, 0x30 | 0x80, 1700000002000000, "");
	lsn[3] = walmake_timed(&made, 0, 0x70, 1700000003000000, "before the change");
	lsn[4] = walmake_timed(&made, 1, 0x10, 1700000004000000, "");
	lsn[5] = walmake_other(&made, 1);
	static const uint8_t created[] = "\xff\x0c\x39\x30\0\0/srv/fast";
	lsn[6] = walmake_record(&made, 5, 0, created, sizeof(created) - 1);
	assert_int_equal(walk(SEGMENT, SEGMENT, &position), WALWALK_END);
	assert_int_equal(n_found, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(found[i].lsn, lsn[i]);
	assert_int_equal(found[0].kind, WALWALK_COMMIT);
	assert_int_equal(found[0].time_ns, UINT64_C(1700000000123456000));
	assert_int_equal(found[0].end, lsn[1]);
	assert_int_equal(found[1].kind, WALWALK_ABORT);
	assert_int_equal(found[2].kind, WALWALK_COMMIT);
	assert_int_equal(found[3].kind, WALWALK_RESTORE_POINT);
	assert_string_equal(found[3].name, "before the change");
	assert_int_equal(found[3].time_ns, UINT64_C(1700000003000000000));
	assert_int_equal(found[4].kind, WALWALK_OTHER);
	assert_int_equal(found[5].kind, WALWALK_OTHER);
	assert_int_equal(found[6].kind, WALWALK_TABLESPACE);
	assert_string_equal(found[6].name, "/srv/fast");
	assert_int_equal(position, START + (made.at + 7) / 8 * 8);
}

/* The log of a server that was promoted beside another, put behind that one's: whole records, right checksums. */
static void
two_logs_put_together(void **state)
{
	uint64_t position, end;

	(void)state;
	(void)walmake_other(&made, 10);
	(void)walmake_other(&made, 20);
	end = START + (made.at + 7) / 8 * 8;
	made.previous -= 8;
	(void)walmake_other(&made, 30);
	assert_int_equal(walk(SEGMENT, SEGMENT, &position), WALWALK_END);
	assert_int_equal(n_found, 2);
	assert_int_equal(position, end);
}

static void
the_first_record_names_a_later_one(void **state)
{
	(void)state;
	made.previous = START + 40;
	(void)walmake_other(&made, 10);
	assert_int_equal(walk(SEGMENT, SEGMENT, NULL), WALWALK_END);
	assert_int_equal(n_found, 0);
}

/* Records of every length around a page's, to the third segment, in pieces of several sizes. */
static void
across_pages(void **state)
{
	static const size_t pieces[] = {1 << 20, 8192, 777, 40, 100000};
	size_t n = 0;
	uint64_t position;

	(void)state;
	for (size_t len = 0; made.at < LOG_MAX - 40000; len = (len * 7 + 13) % 30000, n++)
		(void)walmake_other(&made, len);
	(void)walmake_timed(&made, 1, 0, 1700000000000000, "");
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		assert_int_equal(walk((made.at + 7) / 8 * 8, pieces[i], &position), WALWALK_MORE);
		assert_int_equal(n_found, n + 1);
		assert_int_equal(found[n].kind, WALWALK_COMMIT);
	}
	/* Begun in the second segment: what is left of a record there is passed over. */
	CLEAN(walwalk_freep) struct walwalk *w = NULL;
	struct error err = ERROR_INIT;

	n_found = 0;
	assert_int_equal(walwalk_new(START + SEGMENT, SEGMENT, note, NULL, &w, &err), OK);
	assert_int_equal(walwalk_feed(w, SLICE(bytes + SEGMENT, made.at - SEGMENT)), WALWALK_MORE);
	assert_int_equal(walwalk_finish(w), WALWALK_END);
	assert_true(n_found > 10 && n_found < n);
	assert_int_equal(found[n_found - 1].kind, WALWALK_COMMIT);
	assert_int_equal(walwalk_identity(w), WALMAKE_IDENTITY);
}

static void
switch_ends_a_segment(void **state)
{
	uint64_t next, position;

	(void)state;
	(void)walmake_record(&made, 0, 0x40, "", 0);
	memset(bytes + PAGE, 0x77, SEGMENT - PAGE); /* nobody looks at that */
	walmake_page(&made, SEGMENT, 0, 0);
	next = walmake_timed(&made, 1, 0, 1700000000000000, "");
	assert_int_equal(walk(SEGMENT + PAGE, 5000, &position), WALWALK_END);
	assert_int_equal(n_found, 2);
	assert_int_equal(found[0].end, START + SEGMENT);
	assert_int_equal(found[1].lsn, next);
}

static void
enough_is_enough(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		(void)walmake_other(&made, 100);
	stop_after = 2;
	assert_int_equal(walk(SEGMENT, 512, NULL), WALWALK_ENOUGH);
	assert_int_equal(n_found, 2);
}

/* A promoted server goes on where the unfinished record began. */
static void
record_given_up(void **state)
{
	uint64_t whole, next;

	(void)state;
	whole = walmake_other(&made, 10);
	(void)walmake_other(&made, 20000);
	walmake_page(&made, PAGE, 8, 0);
	made.previous = whole;
	next = walmake_timed(&made, 1, 0, 1700000000000000, "");
	assert_int_equal(walk(2 * PAGE, 3000, NULL), WALWALK_END);
	assert_int_equal(n_found, 2);
	assert_int_equal(found[1].lsn, next);
}

static void
where_it_ends(void **state)
{
	uint64_t first, second, position;

	(void)state;
	first = walmake_other(&made, 50);
	second = walmake_other(&made, 20000);
	assert_int_equal(walk(made.at, 100, &position), WALWALK_MORE);
	assert_int_equal(n_found, 2);
	/* Not all of it is there: more might come. */
	assert_int_equal(walk(made.at - 9, 100, &position), WALWALK_MORE);
	assert_int_equal(n_found, 1);
	assert_int_equal(position, second);
	/* One bit is wrong, in what is kept and in what is not. */
	for (uint64_t i = second + 30; i < START + made.at; i += 9000) {
		if (i % PAGE < 48)
			continue;
		bytes[i - START] ^= 4;
		(void)walk(made.at, 4096, &position);
		assert_int_equal(position, second);
		bytes[i - START] ^= 4;
	}
	/* A page of another place; of another database; no page at all. */
	made.at = 3 * PAGE;
	le64_put(bytes + PAGE + 8, START);
	assert_int_equal(walk(made.at, 4096, &position), WALWALK_END);
	le64_put(bytes + PAGE + 8, START + PAGE);
	le32_put(bytes + PAGE + 16, 7);
	assert_int_equal(walk(made.at, 4096, &position), WALWALK_END);
	le16_put(bytes, 0);
	assert_int_equal(walk(made.at, 4096, &position), WALWALK_END);
	assert_int_equal(n_found, 0);
	assert_int_equal(position, START);
	assert_int_equal(first, START + 40);
}

static void
impossible(void **state)
{
	struct walwalk *w = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(walwalk_new(START, 12345, note, NULL, &w, &err), ERR_CORRUPT);
	assert_int_equal(walwalk_new(START + 8, SEGMENT, note, NULL, &w, &err), ERR_CORRUPT);
	assert_null(w);
}

static void
checksum(void **state)
{
	uint32_t crc = crc32c_begin();

	(void)state;
	/* RFC 3720, B.4, and the check value of every catalogue of CRCs. */
	crc = crc32c_add(crc, SLICE("123456789", 9));
	assert_int_equal(crc32c_end(crc), 0xe3069283);
	crc = crc32c_add(crc32c_begin(), SLICE(bytes + LOG_MAX - 32, 32));
	assert_int_equal(crc32c_end(crc), 0x8a9136aa);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_records_say, setup),
		cmocka_unit_test_setup(two_logs_put_together, setup),
		cmocka_unit_test_setup(the_first_record_names_a_later_one, setup),
		cmocka_unit_test_setup(across_pages, setup),
		cmocka_unit_test_setup(switch_ends_a_segment, setup),
		cmocka_unit_test_setup(enough_is_enough, setup),
		cmocka_unit_test_setup(record_given_up, setup),
		cmocka_unit_test_setup(where_it_ends, setup),
		cmocka_unit_test_setup(impossible, setup),
		cmocka_unit_test_setup(checksum, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
