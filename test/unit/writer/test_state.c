/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every state meets every event: the expected outcome is written out here as a picture, not
 * computed the way the machine does it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "writer/state.h"

enum { PHASES = PHASE_FAILED, EVENTS = WRITER_EVENT_MAX };

/* One letter for each phase. */
static const char letters[] = " NSIPRFTCDXE";

/*
 * Rows: from; columns: events in the enum's order (start, identify, prepare-backup,
 * prepare-snapshot, freeze, thaw, post-snapshot, post-copy, backup-complete, abort, pre-restore,
 * post-restore). '-': refused.
 */
/* clang-format off */
static const char *const picture[] = {
	[PHASE_NEW] = "S----N---N--",
	[PHASE_STARTED] = "-I---S---SX-",
	[PHASE_IDENTIFIED] = "-IP--I---SX-",
	[PHASE_PREPARED] = "---R-P---S--",
	[PHASE_READY] = "----FR---S--",
	[PHASE_FROZEN] = "-----T---S--",
	[PHASE_THAWED] = "-----TC--S--",
	[PHASE_SNAPSHOT] = "-----C-D-S--",
	[PHASE_COPIED] = "-----D--SS--",
	[PHASE_RESTORING] = "-----X---S-S",
	[PHASE_FAILED] = "-----E---S--",
};
/* clang-format on */

static enum writer_state
shown(enum state_phase phase)
{
	switch (phase) {
	case PHASE_READY:
		return WRITER_WAITING_FOR_FREEZE;
	case PHASE_FROZEN:
		return WRITER_WAITING_FOR_THAW;
	case PHASE_THAWED:
		return WRITER_WAITING_FOR_POST_SNAPSHOT;
	case PHASE_SNAPSHOT:
	case PHASE_COPIED:
		return WRITER_WAITING_FOR_BACKUP_COMPLETE;
	case PHASE_FAILED:
		return WRITER_FAILED_AT_FREEZE; /* what the tests put there */
	default:
		return WRITER_STABLE;
	}
}

static void
test_every_state_and_event(void **arg)
{
	(void)arg;
	for (int p = 1; p <= PHASES; p++) {
		for (int e = 1; e <= EVENTS; e++) {
			struct state s = {(enum state_phase)p, shown((enum state_phase)p)};
			char want = picture[p][e - 1];

			assert_int_equal(state_accepts(&s, (enum writer_event)e), want != '-');
			if (want == '-')
				continue;
			state_done(&s, (enum writer_event)e);
			assert_int_equal(letters[s.phase], want);
			assert_int_equal(s.shown, shown(s.phase));
		}
	}
}

static void
test_every_failure(void **arg)
{
	static const enum writer_state failed[] = {
		WRITER_FAILED_AT_IDENTIFY,        WRITER_FAILED_AT_IDENTIFY,
		WRITER_FAILED_AT_PREPARE_BACKUP,  WRITER_FAILED_AT_PREPARE_SNAPSHOT,
		WRITER_FAILED_AT_FREEZE,          WRITER_FAILED_AT_THAW,
		WRITER_FAILED_AT_POST_SNAPSHOT,   WRITER_FAILED_AT_BACKUP_COMPLETE,
		WRITER_FAILED_AT_BACKUP_COMPLETE, WRITER_FAILED_AT_BACKUP_SHUTDOWN,
		WRITER_FAILED_AT_PRE_RESTORE,     WRITER_FAILED_AT_POST_RESTORE,
	};

	(void)arg;
	assert_int_equal(ARRAY_SIZE(failed), EVENTS);
	for (int p = 1; p <= PHASES; p++) {
		for (int e = 1; e <= EVENTS; e++) {
			struct state s = {(enum state_phase)p, shown((enum state_phase)p)};

			if (picture[p][e - 1] == '-')
				continue;
			state_failed(&s, (enum writer_event)e);
			assert_int_equal(s.phase, PHASE_FAILED);
			assert_int_equal(s.shown, failed[e - 1]);
			/* From there only an abort leads back. */
			assert_true(state_accepts(&s, EVENT_THAW));
			state_done(&s, EVENT_THAW);
			assert_int_equal(s.shown, failed[e - 1]);
			state_done(&s, EVENT_ABORT);
			assert_int_equal(s.phase, PHASE_STARTED);
			assert_int_equal(s.shown, WRITER_STABLE);
		}
	}
}

static void
test_lost(void **arg)
{
	static const enum writer_state lost[] = {
		[PHASE_NEW] = WRITER_FAILED_AT_IDENTIFY,
		[PHASE_STARTED] = WRITER_FAILED_AT_IDENTIFY,
		[PHASE_IDENTIFIED] = WRITER_FAILED_AT_PREPARE_BACKUP,
		[PHASE_PREPARED] = WRITER_FAILED_AT_PREPARE_SNAPSHOT,
		[PHASE_READY] = WRITER_FAILED_AT_FREEZE,
		[PHASE_FROZEN] = WRITER_FAILED_AT_THAW,
		[PHASE_THAWED] = WRITER_FAILED_AT_POST_SNAPSHOT,
		[PHASE_SNAPSHOT] = WRITER_FAILED_AT_BACKUP_COMPLETE,
		[PHASE_COPIED] = WRITER_FAILED_AT_BACKUP_COMPLETE,
		[PHASE_RESTORING] = WRITER_FAILED_AT_POST_RESTORE,
		[PHASE_FAILED] = WRITER_FAILED_AT_FREEZE,
	};

	(void)arg;
	for (int p = 1; p <= PHASES; p++) {
		struct state s = {(enum state_phase)p, shown((enum state_phase)p)};

		state_lost(&s);
		assert_int_equal(s.phase, PHASE_FAILED);
		assert_int_equal(s.shown, lost[p]);
	}
}

static void
test_holds(void **arg)
{
	(void)arg;
	for (int p = 1; p <= PHASES; p++) {
		struct state s = {(enum state_phase)p, WRITER_STABLE};

		assert_int_equal(state_holds(&s), strchr("PRFTCDXE", letters[p]) != NULL);
	}
}

static void
test_names(void **arg)
{
	(void)arg;
	for (int e = 1; e <= EVENTS; e++) {
		const char *name = state_event_name((enum writer_event)e);

		assert_non_null(name);
		assert_int_equal(state_event_find(name), e);
	}
	assert_null(state_event_name(EVENT_NONE));
	assert_null(state_event_name((enum writer_event)(EVENTS + 1)));
	assert_int_equal(state_event_find("prepare_backup"), EVENT_NONE);
	assert_int_equal(state_event_find(""), EVENT_NONE);

	assert_string_equal(state_text(WRITER_STABLE), "Stable");
	assert_string_equal(state_text(WRITER_WAITING_FOR_BACKUP_COMPLETE),
			    "Waiting for completion");
	for (int i = 0; i <= WRITER_STATE_MAX; i++)
		assert_non_null(state_text((enum writer_state)i));
	assert_string_equal(state_text((enum writer_state)(WRITER_STATE_MAX + 1)), "Unknown");
	assert_string_equal(state_text((enum writer_state) - 1), "Unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_and_event),
		cmocka_unit_test(test_every_failure),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
