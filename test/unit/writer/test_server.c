/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writer's end: a writer that notes what it is called for, driven by raw lines over pipes from
 * this thread while the server runs in another.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "writer/server.h"

/* The writer under the server's control. Written by the server's thread, read after it has
 * ended. */
struct subject {
	char called[256]; /* names of the operations, each with a blank */
	const char *fail_at; /* the operation that fails */
	int alarm[2]; /* poll_fd: a byte there makes the next tick fail */
	unsigned ticks;
	uint64_t tick_every_ns;
};

static int
note(struct subject *s, const char *name, struct error *err)
{
	size_t n = strlen(s->called);

	(void)snprintf(s->called + n, sizeof(s->called) - n, "%s ", name);
	if (s->fail_at != NULL && strcmp(s->fail_at, name) == 0)
		return error_set(err, ERR_DB_CONFIG, "%s refused", name);
	return OK;
}

#define OPERATION(name)                                                                            \
	static int op_##name(void *self, const struct writer_request *request, json_t *reply,      \
			     struct error *err)                                                    \
	{                                                                                          \
		(void)request;                                                                     \
		(void)json_object_set_new(reply, "by", json_string(#name));                        \
		return note(self, #name, err);                                                     \
	}

OPERATION(start)
OPERATION(identify)
OPERATION(prepare_backup)
OPERATION(prepare_snapshot)
OPERATION(thaw)
OPERATION(post_copy)
OPERATION(backup_complete)
OPERATION(abort)

static int
subject_poll_fd(void *self)
{
	struct subject *s = self;

	return s->alarm[0];
}

static int
subject_tick(void *self, uint64_t *ret_next_ns, struct error *err)
{
	struct subject *s = self;
	char c;

	(void)__atomic_add_fetch(&s->ticks, 1, __ATOMIC_RELAXED);
	*ret_next_ns = clock_boot_ns() + s->tick_every_ns;
	if (read(s->alarm[0], &c, 1) == 1)
		return error_set(err, ERR_DB_SESSION_LOST, "gone");
	return OK;
}

static const struct writer_ops ops = {
	.name = "subject",
	.start = op_start,
	.identify = op_identify,
	.prepare_backup = op_prepare_backup,
	.prepare_snapshot = op_prepare_snapshot,
	.post_copy = op_post_copy,
	.backup_complete = op_backup_complete,
	.abort = op_abort,
	.thaw = op_thaw,
	.poll_fd = subject_poll_fd,
	.tick = subject_tick,
};

struct run {
	struct subject subject;
	pthread_t thread;
	int in, out; /* the server's */
	int to; /* ours */
	FILE *from;
	int rc;
	struct error err;
};

static void *
serve(void *arg)
{
	struct run *r = arg;

	r->rc = server_run(&ops, &r->subject, r->in, r->out, &r->err);
	(void)close(r->out);
	return NULL;
}

static struct run *
run_new(const char *fail_at)
{
	struct run *r = calloc(1, sizeof(*r));
	int in[2], out[2];

	assert_non_null(r);
	r->subject.fail_at = fail_at;
	r->subject.tick_every_ns = 3600 * NS_PER_S;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe2(r->subject.alarm, O_NONBLOCK), 0);
	r->in = in[0];
	r->to = in[1];
	r->out = out[1];
	r->from = fdopen(out[0], "r");
	assert_non_null(r->from);
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
	return r;
}

/* Send a line; returns the next one from the server. */
static json_t *
ask(struct run *r, const char *text)
{
	char *line = NULL;
	size_t cap = 0;

	if (text != NULL) {
		assert_int_equal(write(r->to, text, strlen(text)), strlen(text));
		assert_int_equal(write(r->to, "\n", 1), 1);
	}
	assert_true(getline(&line, &cap, r->from) > 0);
	json_t *j = json_loads(line, 0, NULL);
	assert_non_null(j);
	free(line);
	return j;
}

static void
expect(struct run *r, const char *text, json_int_t seq, json_int_t state, const char *code)
{
	json_t *j = ask(r, text);
	const char *got = json_string_value(json_object_get(json_object_get(j, "error"), "code"));

	assert_int_equal(json_integer_value(json_object_get(j, "seq")), seq);
	assert_int_equal(json_integer_value(json_object_get(j, "state")), state);
	if (code != NULL) {
		assert_non_null(got);
		assert_string_equal(got, code);
		/* Nothing of a failed operation's answer. */
		assert_null(json_object_get(j, "by"));
	} else {
		assert_true(json_is_null(json_object_get(j, "error")));
	}
	json_decref(j);
}

/* Close the server's input and wait for its end. */
static void
run_end(struct run *r, int want_rc)
{
	if (r->to >= 0)
		(void)close(r->to);
	assert_int_equal(pthread_join(r->thread, NULL), 0);
	assert_int_equal(r->rc, want_rc);
	(void)fclose(r->from);
	(void)close(r->in);
	(void)close(r->subject.alarm[0]);
	(void)close(r->subject.alarm[1]);
}

#define START "{\"event\":\"start\",\"seq\":1,\"protocol\":1,\"settings\":{}}"

static void
to_ready(struct run *r)
{
	expect(r, START, 1, 1, NULL);
	expect(r, "{\"event\":\"identify\",\"seq\":2}", 2, 1, NULL);
	expect(r, "{\"event\":\"prepare-backup\",\"seq\":3}", 3, 1, NULL);
	expect(r, "{\"event\":\"prepare-snapshot\",\"seq\":4}", 4, 2, NULL);
}

static void
test_whole_course(void **arg)
{
	struct run *r = run_new(NULL);

	(void)arg;
	to_ready(r);
	expect(r, "{\"event\":\"freeze\",\"seq\":10}", 10, 3, NULL);
	expect(r, "{\"event\":\"thaw\",\"seq\":11}", 11, 4, NULL);
	expect(r, "{\"event\":\"post-snapshot\",\"seq\":12}", 12, 5, NULL);
	expect(r, "{\"event\":\"freeze\",\"seq\":13}", 13, 5, "BAD_STATE");
	expect(r, "{\"event\":\"post-copy\",\"seq\":14}", 14, 5, NULL);
	expect(r, "{\"event\":\"backup-complete\",\"seq\":15}", 15, 1, NULL);
	run_end(r, OK);
	assert_string_equal(r->subject.called, "start identify prepare_backup prepare_snapshot "
					       "thaw post_copy backup_complete ");
	free(r);
}

static void
test_reply_has_the_fields(void **arg)
{
	struct run *r = run_new(NULL);

	(void)arg;
	json_t *j = ask(r, START);
	assert_string_equal(json_string_value(json_object_get(j, "by")), "start");
	assert_string_equal(json_string_value(json_object_get(j, "name")), "subject");
	assert_int_equal(json_integer_value(json_object_get(j, "protocol")), 1);
	json_decref(j);
	run_end(r, OK);
	/* Nothing had begun: nothing to undo. */
	assert_string_equal(r->subject.called, "start ");
	free(r);
}

static void
test_failure_and_abort(void **arg)
{
	struct run *r = run_new("prepare_snapshot");

	(void)arg;
	expect(r, START, 1, 1, NULL);
	expect(r, "{\"event\":\"identify\",\"seq\":2}", 2, 1, NULL);
	expect(r, "{\"event\":\"prepare-backup\",\"seq\":3}", 3, 1, NULL);
	expect(r, "{\"event\":\"prepare-snapshot\",\"seq\":4}", 4, 8, "DB_CONFIG");
	expect(r, "{\"event\":\"freeze\",\"seq\":5}", 5, 8, "BAD_STATE");
	expect(r, "{\"event\":\"thaw\",\"seq\":6}", 6, 8, NULL);
	expect(r, "{\"event\":\"abort\",\"seq\":7}", 7, 1, NULL);
	expect(r, "{\"event\":\"abort\",\"seq\":8}", 8, 1, NULL);
	run_end(r, OK);
	assert_string_equal(r->subject.called, "start identify prepare_backup prepare_snapshot "
					       "thaw abort abort ");
	free(r);
}

/* The requester goes away in the middle: the writer undoes what it did. */
static void
test_end_of_input_aborts(void **arg)
{
	struct run *r = run_new(NULL);

	(void)arg;
	to_ready(r);
	run_end(r, OK);
	assert_string_equal(r->subject.called,
			    "start identify prepare_backup prepare_snapshot abort ");
	free(r);
}

/* The application's session breaks between two events: told at once, unasked. */
static void
test_lost(void **arg)
{
	struct run *r = run_new(NULL);

	(void)arg;
	to_ready(r);
	assert_int_equal(write(r->subject.alarm[1], "x", 1), 1);
	json_t *j = ask(r, NULL);
	assert_null(json_object_get(j, "seq"));
	assert_int_equal(json_integer_value(json_object_get(j, "state")), 9);
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "error"), "code")),
			    "DB_SESSION_LOST");
	json_decref(j);
	expect(r, "{\"event\":\"freeze\",\"seq\":5}", 5, 9, "BAD_STATE");
	expect(r, "{\"event\":\"abort\",\"seq\":6}", 6, 1, NULL);
	expect(r, "{\"event\":\"identify\",\"seq\":7}", 7, 1, NULL);
	run_end(r, OK);
	free(r);
}

static void
test_ticks_come(void **arg)
{
	struct run *r = run_new(NULL);

	(void)arg;
	r->subject.tick_every_ns = NS_PER_MS;
	to_ready(r);
	/* Each tick asks for the next; an alarm after many of them proves that they came. */
	for (;;) {
		unsigned ticks = __atomic_load_n(&r->subject.ticks, __ATOMIC_RELAXED);
		if (ticks > 20)
			break;
	}
	run_end(r, OK);
	free(r);
}

static void
test_broken_protocol(void **arg)
{
	static const char *const lines[] = {
		"hello",
		"{\"event\":\"freeze\"}",
		"{\"seq\":5}",
		"{\"event\":\"dance\",\"seq\":5}",
		"{\"event\":\"freeze\",\"seq\":4}",
		"{\"event\":\"freeze\",\"seq\":\"5\"}",
		"{\"event\":\"freeze\",\"seq\":5,\"timeout_ms\":-1}",
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct run *r = run_new(NULL);

		to_ready(r);
		expect(r, lines[i], 0, 9, "PROTOCOL");
		run_end(r, ERR_PROTOCOL);
		assert_non_null(strstr(r->subject.called, "prepare_snapshot abort "));
		free(r);
	}
}

static void
test_wrong_version(void **arg)
{
	struct run *r = run_new(NULL);

	(void)arg;
	expect(r, "{\"event\":\"start\",\"seq\":1,\"protocol\":2}", 1, 6, "PROTOCOL");
	run_end(r, OK);
	assert_null(strstr(r->subject.called, "start"));
	free(r);
}

/* A requester that stops reading and goes away does not take the writer down with SIGPIPE. */
static void
test_nobody_reads(void **arg)
{
	struct run *r = run_new(NULL);

	(void)arg;
	to_ready(r);
	(void)fclose(r->from);
	r->from = fopen("/dev/null", "r");
	assert_int_equal(write(r->to, "{\"event\":\"freeze\",\"seq\":5}\n", 27), 27);
	assert_int_equal(pthread_join(r->thread, NULL), 0);
	assert_int_equal(r->rc, ERR_IO);
	assert_non_null(strstr(r->subject.called, "prepare_snapshot abort "));
	(void)fclose(r->from);
	(void)close(r->to);
	(void)close(r->in);
	(void)close(r->subject.alarm[0]);
	(void)close(r->subject.alarm[1]);
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_course),
		cmocka_unit_test(test_reply_has_the_fields),
		cmocka_unit_test(test_failure_and_abort),
		cmocka_unit_test(test_end_of_input_aborts),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_ticks_come),
		cmocka_unit_test(test_broken_protocol),
		cmocka_unit_test(test_wrong_version),
		cmocka_unit_test(test_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
