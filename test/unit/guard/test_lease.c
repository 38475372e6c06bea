/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lease's rules one by one, and then a long random walk over everything that can happen, whose
 * invariants are those of test/model/lease.pml: what is frozen thaws by its cap, what is held is let go
 * of by its deadline, one end wins, and nothing is called proven that was not held without a break.
 */
#include "guard/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S NS_PER_S

static const uint8_t set_a[LEASE_SET_SIZE] = {0xa}, set_b[LEASE_SET_SIZE] = {0xb};
enum { OPEN_MAX = 8, ENDED_MAX = 64 };

static struct lease open_leases[OPEN_MAX], ended_leases[ENDED_MAX], again_open[OPEN_MAX],
	again_ended[ENDED_MAX];
static struct lease_table t, again;
static struct lease_key key;
static struct error err;

static int
setup(void **state)
{
	(void)state;
	lease_table_init(&t, open_leases, OPEN_MAX, ended_leases, ENDED_MAX);
	err = ERROR_INIT;
	return lease_begin(&t, set_a, 1200 * S, 100 * S, &key, &err);
}

static void
forget(void)
{
	lease_table_init(&again, again_open, OPEN_MAX, again_ended, ENDED_MAX);
}

static void
hold(uint64_t now)
{
	assert_int_equal(lease_freeze(&t, &key, 10 * S, now, &err), OK);
	assert_int_equal(lease_thaw(&t, &key, true, now + S, &err), OK);
}

static void
expect_duties(unsigned duties)
{
	const struct lease *l = lease_duty_next(&t);

	assert_non_null(l);
	assert_int_equal(l->duties, duties);
	assert_int_equal(l->state, LEASE_ENDED);
}

static void
expect_of(const struct lease_table *table, unsigned duties, enum lease_end end)
{
	const struct lease *l = lease_duty_next(table);

	assert_non_null(l);
	assert_int_equal(l->duties, duties);
	assert_int_equal(l->end, end);
}

static void
from_begin_to_finish(void **state)
{
	bool proven = false;

	(void)state;
	assert_int_equal(key.epoch, 1);
	hold(101 * S);
	assert_null(lease_duty_next(&t));
	assert_int_equal(lease_finish(&t, &key, 103 * S, &proven, &err), OK);
	assert_true(proven);
	expect_duties(LEASE_DUTY_RELEASE);
	lease_duty_done(&t, &key, LEASE_DUTY_RELEASE);
	assert_null(lease_duty_next(&t));
	assert_int_equal(t.n_open, 0);
	assert_true(lease_next_ns(&t) == UINT64_MAX);
	/* A second finish is late, and changes nothing. */
	proven = false;
	assert_int_equal(lease_finish(&t, &key, 104 * S, &proven, &err), ERR_LEASE_ENDED);
	assert_false(proven);
	assert_non_null(strstr(err.msg, "it was finished"));
	assert_int_equal(error_hresult(ERR_LEASE_ENDED), 0x800401fd);
}

/* The article's story: no keep-alive gets through for twenty minutes, then the server comes back. */
static void
the_late_caller_is_told(void **state)
{
	bool proven;

	(void)state;
	hold(101 * S);
	assert_int_equal(lease_keep(&t, &key, 1200 * S, 220 * S, &err), OK);
	assert_true(lease_next_ns(&t) == 1420 * S);
	lease_tick(&t, 1420 * S - 1);
	assert_null(lease_duty_next(&t));
	lease_tick(&t, 1420 * S);
	expect_duties(LEASE_DUTY_RELEASE);
	lease_duty_done(&t, &key, LEASE_DUTY_RELEASE);
	assert_int_equal(lease_finish(&t, &key, 1500 * S, &proven, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "80 s ago: snapshot timeout occurred"));
	assert_non_null(strstr(err.msg, "time to live 1200 s, last keep-alive 1200 s before"));
	assert_int_equal(lease_keep(&t, &key, 1200 * S, 1500 * S, &err), ERR_LEASE_ENDED);
}

/* Whether somebody looked at the clock in between does not matter. */
static void
expiry_needs_no_tick(void **state)
{
	(void)state;
	hold(101 * S);
	assert_int_equal(lease_keep(&t, &key, 1200 * S, 1300 * S, &err), ERR_LEASE_ENDED);
	expect_duties(LEASE_DUTY_RELEASE);
	assert_true(lease_duty_next(&t)->ended_ns == 1300 * S);
}

/* At the very nanosecond of the deadline there is one winner, whoever comes first and whether or not the
 * clock was looked at in between; a nanosecond before it, the other. */
static void
one_wins_at_the_deadline(void **state)
{
	static const struct {
		uint64_t at_ns;
		bool tick_first;
		int expected;
	} cases[] = {
		{1301 * S - 1, false, OK},
		{1301 * S - 1, true, OK},
		{1301 * S, false, ERR_LEASE_ENDED},
		{1301 * S, true, ERR_LEASE_ENDED},
		{1301 * S + 1, false, ERR_LEASE_ENDED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool proven = false, in_time = cases[i].expected == OK;

		for (int finish = 0; finish < 2; finish++) {
			assert_int_equal(setup(state), OK);
			hold(100 * S);
			assert_int_equal(lease_keep(&t, &key, 1200 * S, 101 * S, &err), OK);
			if (cases[i].tick_first)
				lease_tick(&t, cases[i].at_ns);
			int rc = finish ? lease_finish(&t, &key, cases[i].at_ns, &proven, &err)
					: lease_keep(&t, &key, 1200 * S, cases[i].at_ns, &err);
			assert_int_equal(rc, cases[i].expected);
			const struct lease *l = lease_find(&t, &key);
			assert_int_equal(l->end, !in_time ? LEASE_EXPIRED
						 : finish ? LEASE_FINISHED
							  : LEASE_NOT_ENDED);
			assert_true(in_time || l->ended_ns == 1301 * S);
			lease_tick(&t, 1301 * S);
			assert_true((lease_duty_next(&t) != NULL) == (!in_time || finish));
		}
		assert_int_equal(proven, in_time);
	}
}

static void
the_last_time_to_live_wins(void **state)
{
	(void)state;
	assert_int_equal(lease_keep(&t, &key, 5 * S, 110 * S, &err), OK);
	assert_true(lease_next_ns(&t) == 115 * S);
	assert_int_equal(lease_keep(&t, &key, 0, 111 * S, &err), ERR_LIMIT);
	assert_int_equal(lease_keep(&t, &key, LEASE_TTL_MAX_NS + 1, 111 * S, &err), ERR_LIMIT);
	assert_true(lease_next_ns(&t) == 115 * S);
	assert_int_equal(lease_keep(&t, &key, LEASE_TTL_MAX_NS, 114 * S, &err), OK);
	assert_true(lease_next_ns(&t) == 114 * S + LEASE_TTL_MAX_NS);
}

static void
no_keep_alive_extends_a_freeze(void **state)
{
	(void)state;
	assert_int_equal(lease_freeze(&t, &key, LEASE_FREEZE_MAX_NS + 1, 100 * S, &err), ERR_LIMIT);
	assert_int_equal(lease_freeze(&t, &key, 0, 100 * S, &err), ERR_LIMIT);
	assert_int_equal(lease_freeze(&t, &key, 10 * S, 100 * S, &err), OK);
	assert_int_equal(lease_keep(&t, &key, 1200 * S, 109 * S, &err), OK);
	assert_true(lease_next_ns(&t) == 110 * S);
	assert_int_equal(lease_thaw(&t, &key, true, 110 * S, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "frozen for too long"));
	expect_duties(LEASE_DUTY_THAW | LEASE_DUTY_RELEASE);
	/* Nobody else freezes while that one may still be frozen. */
	struct lease_key other;
	assert_int_equal(lease_begin(&t, set_b, S, 111 * S, &other, &err), ERR_BUSY);
	lease_duty_done(&t, &key, LEASE_DUTY_THAW);
	expect_duties(LEASE_DUTY_RELEASE);
	assert_int_equal(lease_begin(&t, set_b, S, 111 * S, &other, &err), OK);
	assert_int_equal(other.epoch, 2);
}

/* A time to live shorter than the cap ends a freeze as well. */
static void
what_comes_first_is_the_reason(void **state)
{
	(void)state;
	assert_int_equal(lease_keep(&t, &key, 5 * S, 100 * S, &err), OK);
	assert_int_equal(lease_freeze(&t, &key, 10 * S, 101 * S, &err), OK);
	lease_tick(&t, 200 * S);
	expect_duties(LEASE_DUTY_THAW | LEASE_DUTY_RELEASE);
	assert_int_equal(lease_duty_next(&t)->end, LEASE_EXPIRED);
	assert_true(lease_duty_next(&t)->ended_ns == 105 * S);
}

static void
a_foreign_thaw_is_no_proof(void **state)
{
	bool proven = true;

	(void)state;
	assert_int_equal(lease_freeze(&t, &key, 10 * S, 100 * S, &err), OK);
	assert_int_equal(lease_thaw(&t, &key, false, 101 * S, &err), OK);
	assert_int_equal(lease_finish(&t, &key, 102 * S, &proven, &err), OK);
	assert_false(proven);
}

static void
out_of_order(void **state)
{
	struct lease_key other = key, second;
	bool proven;

	(void)state;
	assert_int_equal(lease_thaw(&t, &key, true, 100 * S, &err), ERR_BAD_STATE);
	assert_int_equal(lease_finish(&t, &key, 100 * S, &proven, &err), ERR_BAD_STATE);
	assert_int_equal(lease_begin(&t, set_b, 1200 * S, 100 * S, &second, &err), ERR_BUSY);
	hold(101 * S);
	assert_int_equal(lease_freeze(&t, &key, 10 * S, 103 * S, &err), ERR_BAD_STATE);
	assert_int_equal(lease_thaw(&t, &key, true, 103 * S, &err), ERR_BAD_STATE);
	other.epoch = 7;
	assert_int_equal(lease_keep(&t, &other, S, 103 * S, &err), ERR_NOT_FOUND);
	other = key;
	other.set[3] = 1;
	assert_int_equal(lease_abort(&t, &other, 103 * S, &err), ERR_NOT_FOUND);
	/* Abort may come twice, and late. */
	assert_int_equal(lease_abort(&t, &key, 103 * S, &err), OK);
	assert_int_equal(lease_abort(&t, &key, 104 * S, &err), OK);
	lease_duty_done(&t, &key, LEASE_DUTY_RELEASE);
	assert_int_equal(lease_abort(&t, &key, 105 * S, &err), OK);
	assert_int_equal(lease_finish(&t, &key, 105 * S, &proven, &err), ERR_LEASE_ENDED);
}

static void
several_are_held(void **state)
{
	struct lease_key k = key;

	(void)state;
	for (int i = 1; i < OPEN_MAX; i++) {
		hold(101 * S);
		assert_int_equal(lease_begin(&t, set_b, 1200 * S, 101 * S, &key, &err), OK);
	}
	hold(101 * S);
	struct lease_key more;
	assert_int_equal(lease_begin(&t, set_b, 1200 * S, 101 * S, &more, &err), ERR_BUSY);
	assert_int_equal(lease_keep(&t, &k, 2 * S, 102 * S, &err), OK);
	assert_true(lease_next_ns(&t) == 104 * S);
	lease_end_all(&t, LEASE_AGENT_LOST, 103 * S);
	for (int i = 0; i < OPEN_MAX; i++) {
		struct lease_key one = lease_duty_next(&t)->key;

		assert_int_equal(lease_duty_next(&t)->end, LEASE_AGENT_LOST);
		lease_duty_done(&t, &one, LEASE_DUTY_RELEASE);
	}
	assert_null(lease_duty_next(&t));
	assert_int_equal(lease_keep(&t, &k, S, 104 * S, &err), ERR_LEASE_ENDED);
	/* The ring forgets, and then says so, not something else. */
	for (int i = 0; i < ENDED_MAX; i++) {
		assert_int_equal(lease_begin(&t, set_b, S, 105 * S, &key, &err), OK);
		assert_int_equal(lease_abort(&t, &key, 105 * S, &err), OK);
		lease_duty_done(&t, &key, LEASE_DUTY_RELEASE);
	}
	assert_int_equal(lease_keep(&t, &k, S, 106 * S, &err), ERR_NOT_FOUND);
}

static void
a_restart_gives_no_new_time(void **state)
{
	bool proven = false;

	(void)state;
	forget();
	hold(101 * S);
	assert_int_equal(lease_restore(&again, &t.open[0], true, 900 * S, &err), OK);
	assert_true(lease_next_ns(&again) == 1300 * S);
	assert_int_equal(lease_finish(&again, &key, 901 * S, &proven, &err), OK);
	assert_true(proven);
	/* Epochs go on where they were. */
	struct lease_key next;
	assert_int_equal(lease_begin(&again, set_b, S, 902 * S, &next, &err), OK);
	assert_int_equal(next.epoch, key.epoch + 1);
	/* Too late. */
	forget();
	assert_int_equal(lease_restore(&again, &t.open[0], true, 1300 * S, &err), OK);
	assert_int_equal(lease_duty_next(&again)->end, LEASE_EXPIRED);
	/* After a boot there is only something to remove. */
	forget();
	assert_int_equal(lease_restore(&again, &t.open[0], false, 5 * S, &err), OK);
	assert_int_equal(lease_duty_next(&again)->end, LEASE_RESTARTED);
	assert_int_equal(lease_duty_next(&again)->duties, LEASE_DUTY_RELEASE);
}

/* What ended before the restart is remembered after it; what is there twice is taken once. */
static void
a_restart_remembers(void **state)
{
	(void)state;
	forget();
	hold(101 * S);
	struct lease held = t.open[0];
	assert_int_equal(lease_abort(&t, &key, 103 * S, &err), OK);
	struct lease ending = t.open[0];
	lease_duty_done(&t, &key, LEASE_DUTY_RELEASE);
	assert_int_equal(lease_restore(&again, &t.ended[0], true, 110 * S, &err), OK);
	assert_int_equal(lease_keep(&again, &key, S, 111 * S, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "8 s ago: it was aborted"));
	assert_int_equal(lease_restore(&again, &held, true, 112 * S, &err), ERR_EXISTS);
	assert_null(lease_duty_next(&again));
	/* Ended, with a duty left. */
	forget();
	assert_int_equal(lease_restore(&again, &ending, true, 110 * S, &err), OK);
	expect_of(&again, LEASE_DUTY_RELEASE, LEASE_ABORTED);
	forget();
	ending.duties = LEASE_DUTY_THAW | LEASE_DUTY_RELEASE;
	assert_int_equal(lease_restore(&again, &ending, false, 1 * S, &err), OK);
	expect_of(&again, LEASE_DUTY_RELEASE, LEASE_ABORTED);
}

/* A lease of an older epoch that is restored later is found as well as any other. */
static void
a_restart_in_any_order(void **state)
{
	static const uint64_t epochs[] = {5, 2, 9, 1, 7, 3, 8, 6};

	(void)state;
	forget();
	hold(101 * S);
	for (size_t i = 0; i < ARRAY_SIZE(epochs); i++) {
		struct lease l = t.open[0];

		l.key.epoch = epochs[i];
		assert_int_equal(lease_restore(&again, &l, true, 102 * S, &err), OK);
	}
	struct lease more = t.open[0];
	more.key.epoch = 10;
	assert_int_equal(lease_restore(&again, &more, true, 102 * S, &err), ERR_LIMIT);
	for (size_t i = 0; i < ARRAY_SIZE(epochs); i++) {
		struct lease_key k = key;

		k.epoch = epochs[i];
		assert_int_equal(lease_keep(&again, &k, 10 * S, 103 * S, &err), OK);
		assert_int_equal(lease_end_one(&again, &k, LEASE_NO_SPACE, 104 * S, &err), OK);
		lease_duty_done(&again, &k, LEASE_DUTY_RELEASE);
		assert_int_equal(lease_find(&again, &k)->end, LEASE_NO_SPACE);
	}
	assert_int_equal(again.n_open, 0);
}

/* A freeze that outlasted its cap is not called good by a thaw that comes before anybody looked. */
static void
a_freeze_beyond_its_cap_is_no_proof(void **state)
{
	(void)state;
	assert_int_equal(lease_freeze(&t, &key, 10 * S, 100 * S, &err), OK);
	assert_int_equal(lease_thaw(&t, &key, true, 111 * S, &err), ERR_LEASE_ENDED);
	assert_int_equal(lease_duty_next(&t)->end, LEASE_FREEZE_CAP);
	assert_false(lease_duty_next(&t)->proven);
}

static void
ten_thousand(void **state)
{
	enum { N = 10000 };
	struct lease_table many;
	struct lease *room = calloc(N, sizeof(*room));
	struct lease_key *keys = calloc(N, sizeof(*keys));

	(void)state;
	assert_true(room != NULL && keys != NULL);
	lease_table_init(&many, room, N, NULL, 0);
	for (int i = 0; i < N; i++) {
		assert_int_equal(lease_begin(&many, set_a, 1200 * S, 100 * S, &keys[i], &err), OK);
		assert_int_equal(lease_freeze(&many, &keys[i], S, 100 * S, &err), OK);
		assert_int_equal(lease_thaw(&many, &keys[i], true, 100 * S, &err), OK);
	}
	assert_int_equal(lease_begin(&many, set_b, S, 100 * S, &keys[0], &err), ERR_BUSY);
	for (uint64_t second = 101; second < 401; second++) {
		for (int i = 0; i < N / 10; i++)
			assert_int_equal(lease_keep(&many, &keys[(i * 10 + (int)second) % N],
						    1200 * S, second * S, &err),
					 OK);
	}
	assert_int_equal(many.n_duties, 0);
	lease_tick(&many, 3000 * S);
	assert_int_equal(many.n_duties, N);
	for (int i = 0; i < N; i++)
		lease_duty_done(&many, &keys[(i * 7919) % N], LEASE_DUTY_RELEASE);
	assert_int_equal(many.n_open, 0);
	free(room);
	free(keys);
}

static void
a_restart_in_a_freeze_ends_it(void **state)
{

	(void)state;
	forget();
	assert_int_equal(lease_freeze(&t, &key, 10 * S, 100 * S, &err), OK);
	assert_int_equal(lease_restore(&again, &t.open[0], true, 101 * S, &err), OK);
	assert_int_equal(lease_duty_next(&again)->duties, LEASE_DUTY_THAW | LEASE_DUTY_RELEASE);
	assert_false(lease_duty_next(&again)->proven);
	forget();
	assert_int_equal(lease_restore(&again, &t.open[0], false, 1 * S, &err), OK);
	assert_int_equal(lease_duty_next(&again)->duties, LEASE_DUTY_RELEASE);
}

/* ---- a walk ---------------------------------------------------------------------------------- */

static uint64_t
dice(uint64_t *seed, uint64_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % n;
}

/* What must hold at any time. */
static void
check_invariants(uint64_t now)
{
	size_t unsettled = 0, ended = 0;

	for (size_t i = 0; i < t.n_open; i++) {
		const struct lease *l = &t.open[i];

		assert_true(i == 0 || t.open[i - 1].key.epoch < l->key.epoch);
		ended += l->state == LEASE_ENDED;
		if (l->state == LEASE_ENDED) {
			assert_true(l->duties != 0 && l->end != LEASE_NOT_ENDED);
			assert_true(l->end == LEASE_FINISHED || !l->proven);
		} else {
			assert_true(l->duties == 0 && l->end == LEASE_NOT_ENDED);
			assert_true(now < l->deadline_ns && l->deadline_ns <= now + l->ttl_ns);
		}
		if (l->state == LEASE_FROZEN)
			assert_true(now < l->freeze_deadline_ns &&
				    l->freeze_deadline_ns <= now + LEASE_FREEZE_MAX_NS);
		unsettled += l->state == LEASE_PREPARING || l->state == LEASE_FROZEN ||
			     (l->duties & LEASE_DUTY_THAW) != 0;
	}
	assert_true(unsettled <= 1 && ended == t.n_duties);
	assert_true(t.soonest_ns <= lease_next_ns(&t));
}

static void
walk(void **state)
{
	struct lease_key keys[4] = {key, key, key, key};
	uint64_t now = 100 * S, seed = 1, finished = 0, late = 0;

	(void)state;
	for (int step = 0; step < 300000; step++) {
		struct lease_key *k = &keys[dice(&seed, ARRAY_SIZE(keys))];
		const struct lease *duty;
		bool proven, ours = dice(&seed, 4) > 0;
		int rc = OK;

		/* Most steps at one moment, or few sets would live long enough to be finished. */
		now += dice(&seed, 8) == 0 ? dice(&seed, 4) * S : 0;
		switch (dice(&seed, 10)) {
		case 0:
			rc = lease_begin(&t, ours ? set_a : set_b, (1 + dice(&seed, 30)) * S, now,
					 k, &err);
			break;
		case 1:
		case 2:
			rc = lease_keep(&t, k, (1 + dice(&seed, 30)) * S, now, &err);
			break;
		case 3:
			rc = lease_freeze(&t, k, (1 + dice(&seed, 20)) * S, now, &err);
			break;
		case 4:
		case 5:
			rc = lease_thaw(&t, k, ours, now, &err);
			break;
		case 6:
			rc = lease_finish(&t, k, now, &proven, &err);
			finished += rc == OK;
			break;
		case 7:
			if (dice(&seed, 10) == 0)
				lease_end_all(&t, LEASE_NO_SPACE, now);
			break;
		default:
			duty = lease_duty_next(&t);
			if (duty != NULL) {
				struct lease_key of = duty->key;

				lease_duty_done(&t, &of,
						duty->duties & LEASE_DUTY_THAW
							? LEASE_DUTY_THAW
							: LEASE_DUTY_RELEASE);
			}
		}
		late += rc == ERR_LEASE_ENDED;
		assert_true(rc == OK || rc == ERR_LEASE_ENDED || rc == ERR_NOT_FOUND ||
			    rc == ERR_BUSY || rc == ERR_BAD_STATE);
		lease_tick(&t, now);
		check_invariants(now);
	}
	/* It came to all of it. */
	assert_true(finished > 1000 && late > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(from_begin_to_finish, setup),
		cmocka_unit_test_setup(the_late_caller_is_told, setup),
		cmocka_unit_test_setup(expiry_needs_no_tick, setup),
		cmocka_unit_test_setup(one_wins_at_the_deadline, setup),
		cmocka_unit_test_setup(the_last_time_to_live_wins, setup),
		cmocka_unit_test_setup(no_keep_alive_extends_a_freeze, setup),
		cmocka_unit_test_setup(what_comes_first_is_the_reason, setup),
		cmocka_unit_test_setup(a_foreign_thaw_is_no_proof, setup),
		cmocka_unit_test_setup(out_of_order, setup),
		cmocka_unit_test_setup(several_are_held, setup),
		cmocka_unit_test_setup(a_restart_gives_no_new_time, setup),
		cmocka_unit_test_setup(a_restart_in_a_freeze_ends_it, setup),
		cmocka_unit_test_setup(a_restart_remembers, setup),
		cmocka_unit_test_setup(a_restart_in_any_order, setup),
		cmocka_unit_test_setup(a_freeze_beyond_its_cap_is_no_proof, setup),
		cmocka_unit_test_setup(ten_thousand, setup),
		cmocka_unit_test_setup(walk, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
