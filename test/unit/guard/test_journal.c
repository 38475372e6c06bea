/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The guard's journal: what is written is read; the last word counts; cut anywhere it gives what was
 * complete, and is never taken for more; flipped anywhere it is found damaged, or cut.
 */
#include "guard/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct error err;

static const struct lease_key key_a = {.set = {1, 2}, .epoch = 5};
static const struct lease_key key_b = {.set = {3, 4}, .epoch = 6};

static const struct journal_start start = {
	.boot = "0d6b3b1e-0000-4000-8000-123456789abc",
	.token = {9, 8, 7},
	.pid = 4711,
	.started = 99,
	.last_epoch = 6,
};

static struct journal_lease
lease_of(struct lease_key key, enum lease_state state)
{
	struct journal_lease j = {
		.lease = {.key = key,
			  .state = state,
			  .proven = state == LEASE_HELD,
			  .ttl_ns = 1200 * NS_PER_S,
			  .renewed_ns = 100,
			  .deadline_ns = 1200 * NS_PER_S + 100,
			  .frozen_ns = 90,
			  .freeze_deadline_ns = 95,
			  .held_ns = 92},
		.job = "nightly",
		.begun_wall_ns = 123456789,
	};

	if (state == LEASE_ENDED) {
		j.lease.end = LEASE_EXPIRED;
		j.lease.ended_ns = j.lease.deadline_ns;
		j.lease.duties = LEASE_DUTY_RELEASE;
	}
	return j;
}

static struct journal_member
member_of(struct lease_key key, uint32_t index, enum journal_stage stage)
{
	struct journal_member m = {
		.key = key,
		.stage = stage,
		.snapshot = {.index = index,
			     .provider = "btrfs",
			     .source = "/srv/data",
			     .place = "/srv/data/.holdfast/x-0",
			     .exposed = "",
			     .detail = "id=260"},
	};

	memcpy(m.snapshot.set, key.set, sizeof(m.snapshot.set));
	return m;
}

static const struct journal_freeze freeze = {
	.key = {.set = {1, 2}, .epoch = 5},
	.index = 1,
	.stage = JOURNAL_INTENDED,
	.device = 0x700,
	.path = "/srv/data",
};

static void
fill(struct buf *b)
{
	struct journal_lease l = lease_of(key_a, LEASE_PREPARING);
	struct journal_member m = member_of(key_a, 0, JOURNAL_INTENDED);

	assert_int_equal(journal_put_magic(b, &err), OK);
	assert_int_equal(journal_put_start(b, &start, &err), OK);
	assert_int_equal(journal_put_lease(b, &l, &err), OK);
	assert_int_equal(journal_put_member(b, &m, &err), OK);
	l = lease_of(key_b, LEASE_HELD);
	assert_int_equal(journal_put_lease(b, &l, &err), OK);
	assert_int_equal(journal_put_freeze(b, &freeze, &err), OK);
	m = member_of(key_b, 3, JOURNAL_THERE);
	assert_int_equal(journal_put_member(b, &m, &err), OK);
	m = member_of(key_a, 0, JOURNAL_GONE);
	assert_int_equal(journal_put_member(b, &m, &err), OK);
	l = lease_of(key_a, LEASE_ENDED);
	assert_int_equal(journal_put_lease(b, &l, &err), OK);
}

static void
what_is_written_is_read(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);
	CLEAN(journal_done) struct journal_image image;
	struct journal_lease a = lease_of(key_a, LEASE_ENDED), l = lease_of(key_b, LEASE_HELD);
	struct journal_member m = member_of(key_b, 3, JOURNAL_THERE);

	(void)state;
	fill(&b);
	assert_int_equal(journal_parse(buf_slice(&b), &image, &err), OK);
	assert_false(image.damaged);
	assert_int_equal(image.n_records, 8);
	assert_string_equal(image.start.boot, start.boot);
	assert_memory_equal(image.start.token, start.token, sizeof(start.token));
	assert_true(image.start.pid == 4711 && image.start.started == 99);
	assert_int_equal(image.n_leases, 2);
	assert_int_equal(image.leases[0].lease.state, LEASE_ENDED);
	assert_int_equal(image.leases[0].lease.end, LEASE_EXPIRED);
	assert_true(image.leases[0].lease.ended_ns == a.lease.ended_ns);
	assert_true(image.leases[1].lease.deadline_ns == l.lease.deadline_ns);
	assert_true(image.leases[1].lease.proven);
	assert_string_equal(image.leases[1].job, "nightly");
	assert_int_equal(image.n_members, 2);
	assert_int_equal(image.members[0].stage, JOURNAL_GONE);
	assert_string_equal(image.members[1].snapshot.place, m.snapshot.place);
	assert_memory_equal(image.members[1].snapshot.set, key_b.set, sizeof(key_b.set));
	assert_int_equal(image.n_freezes, 1);
	assert_true(image.freezes[0].device == 0x700);
	assert_string_equal(image.freezes[0].path, "/srv/data");
}

/* No record may come out of a shorter file that is not in the whole one; and none is damage. */
static void
cut_anywhere(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);
	size_t last = 0;

	(void)state;
	fill(&b);
	for (size_t n = 0; n <= b.n; n++) {
		CLEAN(free_ptr) uint8_t *part = malloc(n + 1); /* exact, for sanitizers */
		CLEAN(journal_done) struct journal_image image;

		assert_non_null(part);
		memcpy(part, b.p, n);
		assert_int_equal(journal_parse(SLICE(part, n), &image, &err), OK);
		assert_true(image.n_records >= last && image.n_records <= last + 1);
		last = image.n_records;
	}
	assert_int_equal(last, 8);
}

/* A crash may leave zeroes behind what was written. */
static void
zeroes_at_the_end(void **state)
{
	static const uint8_t zeroes[4096];
	CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);
	CLEAN(journal_done) struct journal_image image;

	(void)state;
	fill(&b);
	assert_int_equal(buf_append(&b, zeroes, sizeof(zeroes), &err), OK);
	assert_int_equal(journal_parse(buf_slice(&b), &image, &err), OK);
	assert_int_equal(image.n_records, 8);
	journal_done(&image);
	assert_int_equal(journal_parse(SLICE(zeroes, sizeof(zeroes)), &image, &err), OK);
	assert_int_equal(image.n_records, 0);
}

static void
flipped_anywhere(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);

	(void)state;
	fill(&b);
	for (size_t i = 0; i < b.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			CLEAN(journal_done) struct journal_image image;

			b.p[i] ^= (uint8_t)(1u << bit);
			int rc = journal_parse(buf_slice(&b), &image, &err);
			assert_true(rc == ERR_CORRUPT && image.damaged && image.n_records < 8);
			b.p[i] ^= (uint8_t)(1u << bit);
		}
	}
}

static void
not_a_journal(void **state)
{
	static const char *const texts[] = {"HFguard2", "{}", "HFguard1xxxxxxxxxxxxxxxxxxxxx"};
	CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);
	struct journal_lease l = lease_of(key_a, LEASE_HELD);
	struct journal_image image;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int rc = journal_parse(SLICE(texts[i], strlen(texts[i])), &image, &err);
		assert_int_equal(rc, ERR_CORRUPT);
		assert_true(image.damaged);
		journal_done(&image);
	}
	/* Who wrote it comes first. */
	assert_int_equal(journal_put_magic(&b, &err), OK);
	assert_int_equal(journal_put_lease(&b, &l, &err), OK);
	assert_int_equal(journal_parse(buf_slice(&b), &image, &err), ERR_CORRUPT);
	journal_done(&image);
}

/* Sound by its checksum, and yet nothing that a guard writes. */
static void
impossible_values(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);
		CLEAN(journal_done) struct journal_image image;
		struct journal_lease l = lease_of(key_a, LEASE_HELD);
		struct journal_member m = member_of(key_a, 0, JOURNAL_THERE);

		assert_int_equal(journal_put_magic(&b, &err), OK);
		assert_int_equal(journal_put_start(&b, &start, &err), OK);
		if (i == 0)
			l.lease.end = LEASE_FINISHED; /* and has not ended */
		if (i == 1)
			l.lease.state = 17;
		if (i == 2)
			m.snapshot.index = SNAPSHOT_MEMBERS_MAX;
		if (i == 3)
			m.stage = 0;
		assert_int_equal(journal_put_lease(&b, &l, &err), OK);
		assert_int_equal(journal_put_member(&b, &m, &err), OK);
		assert_int_equal(journal_parse(buf_slice(&b), &image, &err), ERR_CORRUPT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(zeroes_at_the_end),       cmocka_unit_test(flipped_anywhere),
		cmocka_unit_test(not_a_journal),           cmocka_unit_test(impossible_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
