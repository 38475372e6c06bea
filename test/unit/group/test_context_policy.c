/* SPDX-License-Identifier: Apache-2.0 */

/* A channel's life, played on a clock of paper: beats, an absence that ends well, a lease that is over. And
 * what is made of what a passive copy says. */
#include "group/context_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define S(n) ((n)*NS_PER_S)
#define T0 S(1000)

static const struct group group = {
	.heartbeat_ns = S(2), .heartbeat_timeout_ns = S(3), .context_lease_ns = S(60)};

static struct context_policy
fresh(void)
{
	struct context_policy p;

	context_policy_init(&p, &group, T0);
	return p;
}

static void
test_beats(void **state)
{
	struct context_policy p = fresh();

	(void)state;
	assert_int_equal(context_policy_next(&p, T0), CONTEXT_STEP_WAIT);
	assert_int_equal(context_policy_next(&p, T0 + S(2) - 1), CONTEXT_STEP_WAIT);
	assert_int_equal(context_policy_next(&p, T0 + S(2)), CONTEXT_STEP_BEAT);
	assert_true(context_policy_deadline(&p, CONTEXT_STEP_BEAT, T0 + S(2)) == T0 + S(5));
	/* The next is due by when this one was asked: a slow answer does not make it late. */
	context_policy_answer(&p, T0 + S(2), T0 + S(3), OK);
	assert_int_equal(p.phase, CONTEXT_PHASE_HELD);
	assert_true(p.due_ns == T0 + S(4));
	assert_true(p.sign_ns == T0 + S(2));
	assert_int_equal(p.reopened, 0);
}

/* The server stands still right after a beat: seen within a heartbeat and the time for an answer. */
static void
test_notices(void **state)
{
	struct context_policy p = fresh();
	uint64_t asked = T0 + S(2), given_up;

	(void)state;
	assert_int_equal(context_policy_next(&p, asked), CONTEXT_STEP_BEAT);
	given_up = context_policy_deadline(&p, CONTEXT_STEP_BEAT, asked);
	context_policy_answer(&p, asked, given_up, ERR_TIMEOUT);
	assert_int_equal(p.phase, CONTEXT_PHASE_AWAY);
	assert_true(given_up - T0 <= S(5));
	/* The first try at once, the others with a pause. */
	assert_int_equal(context_policy_next(&p, given_up), CONTEXT_STEP_REOPEN);
	context_policy_answer(&p, given_up, given_up + S(1), ERR_DB_CONNECT);
	assert_int_equal(context_policy_next(&p, given_up + S(1)), CONTEXT_STEP_WAIT);
	assert_int_equal(context_policy_next(&p, given_up + S(2)), CONTEXT_STEP_REOPEN);
}

static void
test_comes_back(void **state)
{
	struct context_policy p = fresh();

	(void)state;
	context_policy_answer(&p, T0 + S(2), T0 + S(5), ERR_TIMEOUT);
	context_policy_answer(&p, T0 + S(5), T0 + S(11), ERR_TIMEOUT);
	assert_true(p.away_ns == T0 + S(5));
	context_policy_answer(&p, T0 + S(59), T0 + S(59) + 1, OK);
	assert_int_equal(p.phase, CONTEXT_PHASE_HELD);
	assert_int_equal(p.reopened, 1);
	/* Another lease from there. */
	assert_false(context_policy_is_expired(&p, T0 + S(100)));
	assert_true(context_policy_is_expired(&p, T0 + S(119)));
}

/* Between beats the session ends: nobody waits for the beat. And where each new one ends at once, too, there is one
 * a second, and not as many as there can be. */
static void
test_heard(void **state)
{
	struct context_policy p = fresh();
	uint64_t now = T0 + S(1);

	(void)state;
	context_policy_answer(&p, now, now, ERR_DB_SESSION_LOST);
	assert_int_equal(p.phase, CONTEXT_PHASE_AWAY);
	assert_true(p.away_ns == now);
	assert_true(p.sign_ns == T0); /* no sign of life */
	assert_int_equal(context_policy_next(&p, now), CONTEXT_STEP_REOPEN);
	context_policy_answer(&p, now, now + 10, OK);
	for (unsigned i = 0; i < 3; i++) {
		context_policy_answer(&p, now + 20, now + 20, ERR_DB_SESSION_LOST);
		assert_true(p.away_ns == now + 20);
		assert_int_equal(context_policy_next(&p, now + S(1) - 1), CONTEXT_STEP_WAIT);
		now += S(1);
		assert_int_equal(context_policy_next(&p, now), CONTEXT_STEP_REOPEN);
		context_policy_answer(&p, now, now + 10, OK);
	}
	/* One that has held for a while is opened again at once. */
	now += S(5);
	context_policy_answer(&p, now, now, ERR_DB_SESSION_LOST);
	assert_int_equal(context_policy_next(&p, now), CONTEXT_STEP_REOPEN);
	/* Nothing comes back from what ends it. */
	context_policy_answer(&p, now, now + 10, OK);
	context_policy_answer(&p, now + 20, now + 20, ERR_GROUP_ROLE);
	assert_int_equal(p.phase, CONTEXT_PHASE_OVER);
}

static void
test_lease(void **state)
{
	struct context_policy p = fresh();

	(void)state;
	context_policy_answer(&p, T0 + S(2), T0 + S(5), ERR_DB_SESSION_LOST);
	/* No question outlives it. */
	assert_true(context_policy_deadline(&p, CONTEXT_STEP_REOPEN, T0 + S(58)) == T0 + S(60));
	assert_int_not_equal(context_policy_next(&p, T0 + S(60) - 1), CONTEXT_STEP_GIVE_UP);
	assert_int_equal(context_policy_next(&p, T0 + S(60)), CONTEXT_STEP_GIVE_UP);
	/* Also if nobody has noticed anything: the machine slept, a thread was stuck. */
	p = fresh();
	assert_int_equal(context_policy_next(&p, T0 + S(60)), CONTEXT_STEP_GIVE_UP);
	assert_true(context_policy_is_expired(&p, T0 + S(60)));
	/* A clock that went back is not a lease that is over. */
	assert_false(context_policy_is_expired(&p, T0 - 1));
}

static void
test_for_good(void **state)
{
	static const enum err ends[] = {
		ERR_GROUP_ROLE, ERR_GROUP_BUSY, ERR_CONTEXT_LOST, ERR_LOGS_GONE, ERR_LOG_DISK_FULL,
		ERR_DB_AUTH,    ERR_DB_CONFIG,  ERR_PERMISSION,   ERR_PROTOCOL,  ERR_WRITER_FAILED};
	static const enum err returns[] = {ERR_DB_CONNECT, ERR_DB_SESSION_LOST, ERR_TIMEOUT,
					   ERR_WRITER_RETRYABLE, ERR_NO_MEMORY};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct context_policy p = fresh();

		context_policy_answer(&p, T0 + S(2), T0 + S(2), ends[i]);
		assert_int_equal(p.phase, CONTEXT_PHASE_OVER);
		assert_int_equal(context_policy_next(&p, T0 + S(100)), CONTEXT_STEP_WAIT);
		/* Nothing brings it back. */
		context_policy_answer(&p, T0 + S(3), T0 + S(3), OK);
		assert_int_equal(p.phase, CONTEXT_PHASE_OVER);
	}
	for (size_t i = 0; i < ARRAY_SIZE(returns); i++)
		assert_true(context_policy_may_return(returns[i]));
}

static void
test_hurry(void **state)
{
	struct context_policy p = fresh();

	(void)state;
	context_policy_hurry(&p, T0 + 5);
	assert_int_equal(context_policy_next(&p, T0 + 5), CONTEXT_STEP_BEAT);
	/* Tries to open are as often as they are. */
	context_policy_answer(&p, T0 + S(2), T0 + S(5), ERR_TIMEOUT);
	context_policy_answer(&p, T0 + S(5), T0 + S(6), ERR_TIMEOUT);
	context_policy_hurry(&p, T0 + S(6));
	assert_int_equal(context_policy_next(&p, T0 + S(6)), CONTEXT_STEP_WAIT);
}

/* What the passive copy says. */

static struct watch_facts
healthy(void)
{
	return (struct watch_facts){.passive = true,
				    .timeline = 3,
				    .started = 77,
				    .receiving = true,
				    .received = 5000,
				    .replayed = 4900};
}

static void
test_passive(void **state)
{
	struct passive_policy p = {.timeline = 3};
	struct watch_facts f = healthy();

	(void)state;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0), PASSIVE_SAME);
	/* Places that tell the timeline may be behind. */
	f.timeline = 2;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0), PASSIVE_SAME);
	f.timeline = 4;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0), PASSIVE_TIMELINE);
	f = healthy();
	f.started = 78;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0), PASSIVE_RESTARTED);
	/* Promoted says more than restarted, or than the timeline that comes of it. */
	f.passive = false;
	f.timeline = 4;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0), PASSIVE_PROMOTED);
}

static void
test_copier(void **state)
{
	struct passive_policy p = {.timeline = 3};
	struct watch_facts f = healthy();

	(void)state;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0), PASSIVE_SAME);
	f.receiving = false;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0 + S(2)), PASSIVE_COPIER_LOST);
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0 + S(4)), PASSIVE_SAME);
	assert_true(p.copier_lost_ns == T0 + S(2));
	f.receiving = true;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0 + S(6)), PASSIVE_COPIER_BACK);
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0 + S(8)), PASSIVE_SAME);
}

/* Connected by its own account, but the link is dead. */
static void
test_copier_silent(void **state)
{
	struct passive_policy p = {.timeline = 3};
	struct watch_facts f = healthy();

	(void)state;
	f.silent_ns = S(25);
	/* An idle active copy has nothing to say. */
	assert_int_equal(context_policy_passive(&p, &f, f.received, T0), PASSIVE_SAME);
	assert_int_equal(context_policy_passive(&p, &f, f.received + 1, T0), PASSIVE_COPIER_LOST);
	f.silent_ns = S(1);
	assert_int_equal(context_policy_passive(&p, &f, f.received + 1, T0), PASSIVE_COPIER_BACK);
}

/* Disconnected from the beginning: told once. */
static void
test_copier_first(void **state)
{
	struct passive_policy p = {.timeline = 3};
	struct watch_facts f = healthy();

	(void)state;
	f.receiving = false;
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0), PASSIVE_COPIER_LOST);
	assert_int_equal(context_policy_passive(&p, &f, 6000, T0), PASSIVE_SAME);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beats),         cmocka_unit_test(test_notices),
		cmocka_unit_test(test_comes_back),    cmocka_unit_test(test_lease),
		cmocka_unit_test(test_for_good),      cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_passive),       cmocka_unit_test(test_copier),
		cmocka_unit_test(test_copier_silent), cmocka_unit_test(test_copier_first),
		cmocka_unit_test(test_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
