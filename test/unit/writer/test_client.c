/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The requester's end against writers that do everything wrong: whatever they do, each call ends in
 * time, with the right code and a sentence that says what happened, and no process stays.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "writer/client.h"
#include "writer/fake.h"

static char *dir;

/* Long for things that should happen at once; what is never answered gets a short one, but only that event: the
 * others must not fail of a busy machine. */
#define LONG_NS (30 * NS_PER_S)
#define SHORT_NS (300 * NS_PER_MS)
/* And for a misdeed that must have been done by then. */
#define MEDIUM_NS (2 * NS_PER_S)
/* What happens at once does so within this, and long before LONG_NS. */
#define AT_ONCE_NS (20 * NS_PER_S)

static struct {
	const char *event; /* NULL: none */
	uint64_t timeout_ns;
} hurried;

static int
start(const char *name, const char *at, const char *what, uint64_t timeout_ns, struct writer **ret,
      struct error *err)
{
	json_t *settings = json_pack("{s:s, s:s}", "at", at, "do", what);
	struct writer_options options = {
		.name = name,
		.dir = dir,
		.settings = settings,
		.event_timeout_ns = timeout_ns,
	};

	int rc = writer_start(&options, ret, err);
	json_decref(settings);
	return rc;
}

static struct writer *
started(const char *name, const char *at, const char *what, uint64_t timeout_ns)
{
	struct error err = ERROR_INIT;
	struct writer *w;

	if (start(name, at, what, timeout_ns, &w, &err) < 0)
		fail_msg("%s", err.msg);
	return w;
}

/* The writer, about to be sent that event. */
static struct writer *
timed(struct writer *w, const char *event)
{
	bool hurry = hurried.event != NULL && strcmp(hurried.event, event) == 0;

	writer_set_timeout(w, hurry ? hurried.timeout_ns : LONG_NS);
	return w;
}

/* Run until data moves; the first failure ends it. */
static int
run_to_snapshot(struct writer *w, struct error *err)
{
	const struct writer_moment moment = {.provider = "direct", .label = "label"};
	struct component *c = NULL;

	int rc = writer_identify(timed(w, "identify"), err);
	if (rc == OK)
		rc = writer_prepare_backup(timed(w, "prepare-backup"), "full", err);
	if (rc == OK)
		rc = writer_prepare_snapshot(timed(w, "prepare-snapshot"), &moment, &c, err);
	if (rc == OK) {
		assert_string_equal(c->paths[0].source, "/srv/db");
		assert_true(component_excludes(c, "tmp/x"));
	}
	component_free(c);
	if (rc == OK)
		rc = writer_freeze(timed(w, "freeze"), clock_boot_ns() + LONG_NS, err);
	if (rc == OK)
		rc = writer_thaw(timed(w, "thaw"), err);
	if (rc == OK)
		rc = writer_post_snapshot(timed(w, "post-snapshot"), err);
	return rc;
}

static int
run_to_end(struct writer *w, struct error *err)
{
	struct component_tail *tail = NULL;

	int rc = run_to_snapshot(w, err);
	if (rc == OK)
		rc = writer_check(w, err);
	if (rc == OK)
		rc = writer_post_copy(timed(w, "post-copy"), &tail, err);
	component_tail_free(tail);
	if (rc == OK)
		rc = writer_backup_complete(timed(w, "backup-complete"), "0123", err);
	return rc;
}

/* No child of ours is left, running or dead. */
static void
assert_no_children(void)
{
	uint64_t until_ns = clock_boot_ns() + AT_ONCE_NS;
	pid_t pid;

	/* Those of the writer's own fall to us, and were killed with it: they only need reaping. */
	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0)
		if (pid == 0 && clock_boot_ns() > until_ns)
			fail_msg("a process of the writer's still runs");
	assert_int_equal(errno, ECHILD);
}

static void
test_good(void **arg)
{
	struct error err = ERROR_INIT;
	struct writer *w = started("good", "", "", LONG_NS);

	(void)arg;
	assert_int_equal(writer_state_of(w), WRITER_STABLE);
	assert_null(writer_metadata(w));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run_to_end(w, &err), OK);
		assert_int_equal(writer_state_of(w), WRITER_STABLE);
	}
	assert_string_equal(json_string_value(json_object_get(writer_metadata(w), "version")), "1");
	assert_int_equal(writer_last_error(w)->code, OK);

	/* Thaw and abort come as often as one likes. */
	assert_int_equal(run_to_snapshot(w, &err), OK);
	assert_int_equal(writer_state_of(w), WRITER_WAITING_FOR_BACKUP_COMPLETE);
	assert_int_equal(writer_thaw(w, &err), OK);
	writer_abort(w, NULL);
	writer_abort(w, NULL);
	assert_int_equal(writer_thaw(w, &err), OK);
	assert_int_equal(writer_state_of(w), WRITER_STABLE);
	assert_string_equal(writer_state_text(writer_state_of(w)), "Stable");

	/* What the backup was given up for is kept as its last error, and gone with the next backup. */
	const struct error cause = {.code = ERR_CONTEXT_LOST, .msg = "the channel was cut"};
	assert_int_equal(run_to_snapshot(w, &err), OK);
	writer_abort(w, &cause);
	assert_int_equal(writer_state_of(w), WRITER_STABLE);
	assert_int_equal(writer_last_error(w)->code, ERR_CONTEXT_LOST);
	assert_int_equal(run_to_snapshot(w, &err), OK);
	assert_int_equal(writer_last_error(w)->code, OK);
	writer_abort(w, NULL);
	assert_int_equal(writer_last_error(w)->code, OK);

	/* Out of order: refused here, and the writer is none the worse for it. */
	assert_int_equal(writer_freeze(w, clock_boot_ns() + LONG_NS, &err), ERR_BAD_STATE);
	assert_non_null(strstr(err.msg, "writer 'good': 'freeze' cannot come now"));
	assert_int_equal(run_to_end(w, &err), OK);
	writer_close(w);
	assert_no_children();
}

static void
test_restore(void **arg)
{
	struct error err = ERROR_INIT;
	struct writer *w = started("good", "", "", LONG_NS);
	json_t *metadata = json_pack("{s:s}", "version", "1");

	(void)arg;
	assert_int_equal(writer_pre_restore(
				 w, &(struct writer_restore){metadata, "/good", NULL, NULL}, &err),
			 OK);
	assert_int_equal(writer_post_restore(
				 w, &(struct writer_restore){metadata, "/good", NULL, NULL}, &err),
			 OK);
	assert_int_equal(
		writer_pre_restore(w, &(struct writer_restore){metadata, "/bad", NULL, NULL}, &err),
		ERR_TARGET);
	assert_string_equal(err.msg, "writer 'good': not there");
	assert_int_equal(writer_state_of(w), WRITER_FAILED_AT_PRE_RESTORE);
	writer_abort(w, NULL);
	assert_int_equal(writer_last_error(w)->code, ERR_TARGET);
	json_decref(metadata);
	writer_close(w);
	assert_no_children();
}

/* What a misdeed at an event must lead to. */
static const struct hostile {
	const char *at, *what;
	uint64_t timeout_ns; /* of that event; for what is done after its answer: of post-copy */
	enum err code;
	const char *says; /* must be in the message */
	bool killed;
	enum writer_state state;
} hostiles[] = {
	{"freeze", "hang", SHORT_NS, ERR_WRITER_TIMEOUT, "did not answer 'freeze' within 0.3 s",
	 true, WRITER_FAILED_AT_FREEZE},
	{"identify", "slow", SHORT_NS, ERR_WRITER_TIMEOUT, "did not answer 'identify'", true,
	 WRITER_FAILED_AT_IDENTIFY},
	{"thaw", "complain", MEDIUM_NS, ERR_WRITER_TIMEOUT, "within 2 s (it printed: ...", true,
	 WRITER_FAILED_AT_THAW},
	{"prepare-backup", "exit", LONG_NS, ERR_WRITER_DIED,
	 "ended with exit code 3 (it printed: first line out of  [31mcoffee)", true,
	 WRITER_FAILED_AT_PREPARE_BACKUP},
	{"prepare-snapshot", "kill", LONG_NS, ERR_WRITER_DIED, "ended by signal 9 (Killed)", true,
	 WRITER_FAILED_AT_PREPARE_SNAPSHOT},
	{"post-snapshot", "close", LONG_NS, ERR_WRITER_DIED, "closed its output", true,
	 WRITER_FAILED_AT_POST_SNAPSHOT},
	{"freeze", "long", LONG_NS, ERR_PROTOCOL, "a line is longer than 65536 bytes", true,
	 WRITER_FAILED_AT_FREEZE},
	{"post-copy", "very-long", LONG_NS, ERR_PROTOCOL, "a line is longer than 16777216 bytes",
	 true, WRITER_FAILED_AT_BACKUP_COMPLETE},
	{"freeze", "flood", LONG_NS, ERR_PROTOCOL, "more than 256 lines that answer nothing", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "garbage", LONG_NS, ERR_PROTOCOL, "line: JSON line 1 column", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "array", LONG_NS, ERR_PROTOCOL, "not a JSON object", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "deep", LONG_NS, ERR_PROTOCOL, "more than 16 deep", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "no-state", LONG_NS, ERR_PROTOCOL, "field 'state' is missing", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "state-16", LONG_NS, ERR_PROTOCOL, "state 16 does not exist", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "error-text", LONG_NS, ERR_PROTOCOL, "field 'error'", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "seq", LONG_NS, ERR_PROTOCOL, "a reply to request 6, which is not open", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "seq-old", LONG_NS, ERR_PROTOCOL, "a reply to request 4, which is not open",
	 true, WRITER_FAILED_AT_FREEZE},
	{"freeze", "stubborn", SHORT_NS, ERR_WRITER_TIMEOUT, "did not answer 'freeze'", true,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "stop", SHORT_NS, ERR_WRITER_TIMEOUT, "did not answer 'freeze'", true,
	 WRITER_FAILED_AT_FREEZE},
	{"thaw", "late", SHORT_NS, ERR_WRITER_TIMEOUT, "did not answer 'thaw'", true,
	 WRITER_FAILED_AT_THAW},
	{"freeze", "orphan", LONG_NS, ERR_WRITER_DIED, "ended with exit code 5", true,
	 WRITER_FAILED_AT_FREEZE},
	{"post-snapshot", "then-orphan", LONG_NS, ERR_WRITER_DIED, "exit code 5", true,
	 WRITER_FAILED_AT_BACKUP_COMPLETE},
	{"post-snapshot", "then-stop", SHORT_NS, ERR_WRITER_TIMEOUT, "did not answer 'post-copy'",
	 true, WRITER_FAILED_AT_BACKUP_COMPLETE},
	{"freeze", "state", LONG_NS, ERR_PROTOCOL,
	 "after 'freeze' the writer is 'Waiting for completion'", true, WRITER_FAILED_AT_THAW},
	{"identify", "empty", LONG_NS, ERR_PROTOCOL, "field 'metadata' is missing", true,
	 WRITER_FAILED_AT_PREPARE_BACKUP},
	{"prepare-snapshot", "empty", LONG_NS, ERR_PROTOCOL, "field 'component' is missing", true,
	 WRITER_FAILED_AT_FREEZE},
	{"post-copy", "empty", LONG_NS, ERR_PROTOCOL, "field 'tail' is missing", true,
	 WRITER_FAILED_AT_BACKUP_COMPLETE},
	{"prepare-backup", "config", LONG_NS, ERR_DB_CONFIG, "wal_level is minimal", false,
	 WRITER_FAILED_AT_PREPARE_BACKUP},
	{"freeze", "novel", LONG_NS, ERR_WRITER_RETRYABLE, "a  [2Jnew failure   !", false,
	 WRITER_FAILED_AT_FREEZE},
	{"freeze", "novel-final", LONG_NS, ERR_WRITER_FAILED, "the writer failed", false,
	 WRITER_FAILED_AT_FREEZE},
	{"post-snapshot", "then-exit", LONG_NS, ERR_WRITER_DIED, "exit code 4", true,
	 WRITER_FAILED_AT_BACKUP_COMPLETE},
	{"post-snapshot", "then-lost", LONG_NS, ERR_DB_SESSION_LOST, "the server went away", false,
	 WRITER_FAILED_AT_BACKUP_COMPLETE},
	{"post-snapshot", "then-flood", LONG_NS, ERR_PROTOCOL, "more than 256 lines", true,
	 WRITER_FAILED_AT_BACKUP_COMPLETE},
	{"post-snapshot", "then-chat", LONG_NS, OK, "", false, WRITER_STABLE},
};

static void
meet(const struct hostile *h)
{
	struct error err = ERROR_INIT, again = ERROR_INIT;
	struct writer *w = started("fake", h->at, h->what, LONG_NS);
	uint64_t began_ns = clock_boot_ns();

	print_message("# %s at %s\n", h->what, h->at);
	hurried.event = strncmp(h->what, "then-", 5) == 0 ? "post-copy" : h->at;
	hurried.timeout_ns = h->timeout_ns;
	int rc = run_to_end(w, &err);
	hurried.event = NULL;
	assert_true(clock_boot_ns() - began_ns < AT_ONCE_NS);
	if (rc != (int)h->code || strstr(err.msg, h->says) == NULL)
		fail_msg("%s: %s", error_name((enum err)rc), err.msg);
	assert_int_equal(writer_state_of(w), h->state);
	assert_int_equal(writer_last_error(w)->code, h->code);
	if (h->code != OK) {
		assert_memory_equal(err.msg, "writer 'fake': ", 15);
		/* Whoever asks again hears the same, not what follows from it. */
		assert_int_equal(writer_post_copy(w, &(struct component_tail *){NULL}, &again),
				 h->code);
		/* A dead one cannot be thawed, a live one can. */
		assert_int_equal(writer_thaw(w, &again), h->killed ? h->code : OK);
		writer_abort(w, NULL);
		assert_int_equal(writer_last_error(w)->code, h->code);
		assert_int_equal(writer_state_of(w), h->killed ? h->state : WRITER_STABLE);
	}
	if (h->killed)
		assert_no_children();
	writer_close(w);
	assert_no_children();
}

static void
test_hostile(void **arg)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(hostiles); i++)
		meet(&hostiles[i]);
}

/* Silence and death at every event of a backup, each with its own state, and VSS's code. */
static void
test_every_event(void **arg)
{
	static const struct {
		const char *event;
		enum writer_state state;
	} all[] = {
		{"identify", WRITER_FAILED_AT_IDENTIFY},
		{"prepare-backup", WRITER_FAILED_AT_PREPARE_BACKUP},
		{"prepare-snapshot", WRITER_FAILED_AT_PREPARE_SNAPSHOT},
		{"freeze", WRITER_FAILED_AT_FREEZE},
		{"thaw", WRITER_FAILED_AT_THAW},
		{"post-snapshot", WRITER_FAILED_AT_POST_SNAPSHOT},
		{"post-copy", WRITER_FAILED_AT_BACKUP_COMPLETE},
		{"backup-complete", WRITER_FAILED_AT_BACKUP_COMPLETE},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct hostile h = {all[i].event, "hang", SHORT_NS,    ERR_WRITER_TIMEOUT,
				    all[i].event, true,   all[i].state};
		meet(&h);
		assert_int_equal(error_hresult(h.code), 0x800423f2);
		h.what = "kill";
		h.timeout_ns = LONG_NS;
		h.code = ERR_WRITER_DIED;
		h.says = "signal 9";
		meet(&h);
		assert_int_equal(error_hresult(h.code), 0x800423f3);
	}
	assert_int_equal(error_hresult(ERR_WRITER_FAILED), 0x800423f4);
	assert_int_equal(error_hresult(ERR_PROTOCOL), 0x800423f4);
}

/* A writer that goes into the background has ended, even if what goes on there answers: what it froze
 * could not be ended with it. Noticed at once, or by the next event if the answer was quicker. */
static void
test_daemon(void **arg)
{
	struct error err = ERROR_INIT;
	struct writer *w = started("fake", "freeze", "daemon", LONG_NS);

	(void)arg;
	assert_int_equal(run_to_end(w, &err), ERR_WRITER_DIED);
	assert_non_null(strstr(err.msg, "ended with exit code 5"));
	assert_no_children();
	writer_close(w);
}

/* What was frozen is thawed, or its writer dead, at the deadline of the freeze, whatever other limits
 * say. */
static void
test_freeze_deadline(void **arg)
{
	static const char *const at[] = {"freeze", "thaw"};
	const struct writer_moment moment = {.provider = "direct", .label = "label"};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		struct error err = ERROR_INIT;
		struct writer *w = started("fake", at[i], "hang", LONG_NS);
		struct component *c = NULL;

		assert_int_equal(writer_identify(w, &err), OK);
		assert_int_equal(writer_prepare_backup(w, "full", &err), OK);
		assert_int_equal(writer_prepare_snapshot(w, &moment, &c, &err), OK);
		component_free(c);
		uint64_t deadline_ns = clock_boot_ns() + SHORT_NS;
		int rc = writer_freeze(w, deadline_ns, &err);
		if (rc == OK)
			rc = writer_thaw(w, &err);
		assert_int_equal(rc, ERR_WRITER_TIMEOUT);
		assert_true(clock_boot_ns() >= deadline_ns);
		assert_true(clock_boot_ns() - deadline_ns < AT_ONCE_NS);
		assert_no_children();
		writer_close(w);
	}
}

/* A second reply to one request may be met by this call or the next: either way it ends there. */
static void
test_two_replies(void **arg)
{
	struct error err = ERROR_INIT;
	struct writer *w = started("fake", "freeze", "twice", LONG_NS);

	(void)arg;
	assert_int_equal(run_to_end(w, &err), ERR_PROTOCOL);
	assert_non_null(strstr(err.msg, "which is not open"));
	writer_close(w);
	assert_no_children();
}

/* A failure between two events is noticed by looking, without any request. */
static void
test_lost_is_seen(void **arg)
{
	struct error err = ERROR_INIT;
	struct writer *w = started("fake", "post-snapshot", "then-lost", LONG_NS);
	uint64_t until_ns = clock_boot_ns() + LONG_NS;

	(void)arg;
	assert_int_equal(run_to_snapshot(w, &err), OK);
	while (writer_check(w, &err) == OK)
		assert_true(clock_boot_ns() < until_ns);
	assert_int_equal(err.code, ERR_DB_SESSION_LOST);
	assert_string_equal(err.msg, "writer 'fake': the server went away");
	assert_string_equal(err.hint, "again");
	assert_int_equal(writer_state_of(w), WRITER_FAILED_AT_BACKUP_COMPLETE);
	/* It stays so however often one looks, until the abort. */
	assert_int_equal(writer_check(w, &err), ERR_DB_SESSION_LOST);
	writer_abort(w, NULL);
	assert_int_equal(writer_check(w, &err), OK);
	assert_int_equal(writer_identify(w, &err), OK);
	assert_int_equal(writer_prepare_backup(w, "full", &err), OK);
	assert_int_equal(writer_last_error(w)->code, OK);
	writer_close(w);
	assert_no_children();
}

/* A writer that does not read cannot hold a large request for longer than its deadline. */
static void
test_deaf(void **arg)
{
	struct error err = ERROR_INIT;
	struct writer *w = started("fake", "start", "then-deaf", LONG_NS);
	char *text = calloc(1, 1 << 20);
	json_t *metadata;

	(void)arg;
	assert_non_null(text);
	memset(text, 'x', (1 << 20) - 1);
	metadata = json_pack("{s:s}", "text", text);
	writer_set_timeout(w, SHORT_NS);
	assert_int_equal(writer_pre_restore(
				 w, &(struct writer_restore){metadata, "/good", NULL, NULL}, &err),
			 ERR_WRITER_TIMEOUT);
	json_decref(metadata);
	free(text);
	writer_close(w);
	assert_no_children();
}

static void
test_does_not_leave(void **arg)
{
	struct error err = ERROR_INIT;
	struct writer *w = started("fake", "", "stay", LONG_NS);
	uint64_t began_ns = clock_boot_ns();

	(void)arg;
	assert_int_equal(run_to_end(w, &err), OK);
	writer_close(w);
	assert_true(clock_boot_ns() - began_ns < AT_ONCE_NS);
	assert_no_children();
}

static void
test_cannot_start(void **arg)
{
	struct error err = ERROR_INIT;
	struct writer *w = NULL;

	(void)arg;
	assert_int_equal(start("absent", "", "", LONG_NS, &w, &err), ERR_SPAWN);
	assert_non_null(strstr(err.msg, "holdfast-writer-absent': No such file"));
	assert_non_null(strstr(err.hint, "install the program"));
	assert_int_equal(start("../fake", "", "", LONG_NS, &w, &err), ERR_CONFIG);
	assert_int_equal(start("", "", "", LONG_NS, &w, &err), ERR_CONFIG);
	assert_int_equal(start("fake", "start", "exit", LONG_NS, &w, &err), ERR_WRITER_DIED);
	assert_int_equal(start("fake", "start", "empty", LONG_NS, &w, &err), ERR_PROTOCOL);
	assert_int_equal(start("fake", "start", "hang", SHORT_NS, &w, &err), ERR_WRITER_TIMEOUT);
	assert_null(w);
	writer_close(NULL);
	assert_no_children();
}

static int
setup(void **state)
{
	(void)state;
	dir = fake_dir_new();
	return dir != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	fake_dir_remove(dir);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_every_event),
		cmocka_unit_test(test_freeze_deadline),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_two_replies),
		cmocka_unit_test(test_lost_is_seen),
		cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_does_not_leave),
		cmocka_unit_test(test_cannot_start),
	};
	int status;

	if (argc > 0 && fake_run(argv[0], &status))
		return status;
	/* So that what a writer leaves behind is ours to find. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, setup, teardown);
}
