/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The outbox without a pump: the test is the remote party, step by step. What waits does so in a
 * thread; the test knows when by the operation it is handed.
 */
#include "store/outbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "store/frame.h"
#include "store/storeop.h"

enum { SECOND_CONNECTION = 2 };

static struct outbox *
open_box(const struct outbox_options *options)
{
	struct error err = ERROR_INIT;
	struct outbox *o = NULL;

	assert_int_equal(outbox_open(options, &o, &err), OK);
	return o;
}

/* Handed over on connection `conn`, after waiting for it if need be. */
struct handed {
	int rc;
	struct storeop op;
	struct buf frame;
	struct slice data;
};

static void
handed_done(struct handed *h)
{
	buf_done(&h->frame);
}

static struct handed
next(struct outbox *o, uint64_t conn)
{
	struct handed h = {.frame = BUF_INIT(FRAME_MAX)};
	CLEAN(json_done) json_t *header = NULL;
	struct error err = ERROR_INIT;

	h.rc = outbox_next(o, conn, &h.frame, &err);
	assert_true(h.rc >= 0);
	assert_int_equal(frame_read(buf_slice(&h.frame), &header, &h.data, &err), OK);
	if (h.rc == 1)
		assert_int_equal(storeop_unpack(json_object_get(header, "Operation"), &h.op, &err),
				 OK);
	else
		assert_true(json_is_null(json_object_get(header, "Operation")));
	assert_int_equal(json_is_true(json_object_get(header, "Closed")), h.rc == 2);
	return h;
}

/* Only what kind of reply it is. */
static int
next_rc(struct outbox *o, uint64_t conn)
{
	CLEAN(handed_done) struct handed h = next(o, conn);

	return h.rc;
}

static struct handed
wait_next(struct outbox *o, uint64_t conn)
{
	outbox_wait(o, clock_boot_ns() + 20 * NS_PER_S);
	return next(o, conn);
}

static void
answer(struct outbox *o, const struct storeop_answer *a, const char *data)
{
	CLEAN(json_done) json_t *j = storeop_answer_pack(a);
	struct error err = ERROR_INIT;

	assert_int_equal(outbox_answer(o, j, SLICE(data, strlen(data)), &err), OK);
}

static void
answer_ok(struct outbox *o, const struct storeop *op)
{
	answer(o, &(struct storeop_answer){.id = op->id}, "");
}

static void
answer_error(struct outbox *o, const struct storeop *op, enum err code)
{
	struct storeop_answer a = {.id = op->id};

	error_set(&a.error, code, "so it is");
	answer(o, &a, "");
}

/* A thread that does one thing with the store. */
struct doing {
	pthread_t thread;
	struct outbox *o;
	int (*what)(struct doing *d);
	char text[16];
	size_t n;
	int rc;
	struct error err;
};

static void *
doing_main(void *arg)
{
	struct doing *d = arg;

	d->rc = d->what(d);
	return NULL;
}

static void
begin(struct doing *d, struct outbox *o, int (*what)(struct doing *d))
{
	d->o = o;
	d->what = what;
	assert_int_equal(pthread_create(&d->thread, NULL, doing_main, d), 0);
}

static int
end(struct doing *d)
{
	assert_int_equal(pthread_join(d->thread, NULL), 0);
	return d->rc;
}

static int
read_four(struct doing *d)
{
	return store_read(outbox_store(d->o), "index/aa", 3, d->text, 4, &d->err);
}

static int
put_small(struct doing *d)
{
	return store_put(outbox_store(d->o), "index/bb", SLICE("abc", 3), &d->err);
}

static int
put_large(struct doing *d)
{
	CLEAN(free_ptr) uint8_t *p = calloc(1, d->n);

	return p == NULL ? ERR_NO_MEMORY
			 : store_put(outbox_store(d->o), "packs/aa/aa", SLICE(p, d->n), &d->err);
}

static void
one_operation(void **state)
{
	CLEAN(outbox_freep) struct outbox *o = open_box(NULL);
	struct doing d = {0};

	(void)state;
	assert_int_equal(next_rc(o, 1), 0);
	begin(&d, o, read_four);
	CLEAN(handed_done) struct handed h = wait_next(o, 1);
	assert_int_equal(h.rc, 1);
	assert_int_equal(h.op.kind, STOREOP_READ);
	assert_string_equal(h.op.name, "index/aa");
	assert_int_equal(h.op.offset, 3);
	assert_int_equal(h.op.n, 4);
	answer(o, &(struct storeop_answer){.id = h.op.id}, "wxyz");
	assert_int_equal(end(&d), OK);
	assert_memory_equal(d.text, "wxyz", 4);
}

static void
answers_of_the_wrong_size(void **state)
{
	CLEAN(outbox_freep) struct outbox *o = open_box(NULL);
	static const char *const wrong[] = {"", "abc", "abcde"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct doing d = {0};

		begin(&d, o, read_four);
		CLEAN(handed_done) struct handed h = wait_next(o, 1);
		answer(o, &(struct storeop_answer){.id = h.op.id}, wrong[i]);
		assert_int_equal(end(&d), ERR_PROTOCOL);
		assert_int_equal(d.text[0], '\0');
	}
}

/* The connection dies, by being closed, or by asking again without an answer. */
static void
handed_out_again(void **state)
{
	CLEAN(outbox_freep) struct outbox *o = open_box(NULL);
	struct outbox_stats stats;
	struct doing d = {0};

	(void)state;
	begin(&d, o, put_small);
	CLEAN(handed_done) struct handed first = wait_next(o, 1);
	assert_int_equal(next_rc(o, SECOND_CONNECTION), 0);
	outbox_lost(o, 1);
	CLEAN(handed_done) struct handed second = next(o, SECOND_CONNECTION);
	assert_int_equal(second.rc, 1);
	assert_int_equal(second.op.id, first.op.id);
	assert_int_equal(second.op.kind, STOREOP_COMMIT);
	assert_memory_equal(second.data.p, "abc", 3);
	CLEAN(handed_done) struct handed third = next(o, SECOND_CONNECTION);
	assert_int_equal(third.op.id, first.op.id);
	/* Whoever is first with the answer; others are ignored. */
	answer_ok(o, &first.op);
	answer_error(o, &second.op, ERR_STORE_FULL);
	assert_int_equal(end(&d), OK);
	outbox_stats(o, &stats);
	assert_int_equal(stats.again, 2);
	assert_int_equal(stats.ignored, 1);
	assert_int_equal(stats.sent_bytes, 3);
	assert_int_equal(stats.held_bytes, 0);
	/* Its own ids only. */
	answer_ok(o, &(struct storeop){.id = 4711});
}

static void
handed_out_again_in_time(void **state)
{
	const struct outbox_options options = {.again_ns = 10 * NS_PER_S};
	CLEAN(outbox_freep) struct outbox *o = open_box(&options);
	struct doing d = {0};

	(void)state;
	begin(&d, o, put_small);
	CLEAN(handed_done) struct handed first = wait_next(o, 1);
	clock_fake_set(clock_boot_ns(), clock_wall_ns());
	assert_int_equal(next_rc(o, SECOND_CONNECTION), 0);
	clock_fake_advance(11 * NS_PER_S);
	CLEAN(handed_done) struct handed second = next(o, SECOND_CONNECTION);
	clock_fake_off();
	assert_int_equal(second.op.id, first.op.id);
	answer_ok(o, &first.op);
	assert_int_equal(end(&d), OK);
}

/* More than may lie here: the writer goes on only as parts are taken, and they come in order. */
static void
memory_is_bounded(void **state)
{
	enum { LIMIT = 300000, SIZE = 2000000 };
	const struct outbox_options options = {.memory_max = LIMIT};
	CLEAN(outbox_freep) struct outbox *o = open_box(&options);
	struct doing d = {.n = SIZE};
	struct outbox_stats stats;
	uint64_t at = 0;

	(void)state;
	begin(&d, o, put_large);
	for (bool more = true; more;) {
		CLEAN(handed_done) struct handed h = wait_next(o, 1);
		assert_int_equal(h.rc, 1);
		assert_int_equal(h.op.offset, at);
		assert_true(h.data.n <= LIMIT);
		at += h.data.n;
		more = h.op.kind == STOREOP_PART;
		answer_ok(o, &h.op);
	}
	assert_int_equal(end(&d), OK);
	assert_int_equal(at, SIZE);
	outbox_stats(o, &stats);
	assert_true(stats.held_peak <= LIMIT);
	assert_int_equal(stats.held_bytes, 0);
}

/* Somebody else's upload holds all the memory, and is at rest: it must not starve the writer. */
static void
nobody_starves(void **state)
{
	const struct outbox_options options = {.memory_max = 1000};
	CLEAN(outbox_freep) struct outbox *o = open_box(&options);
	struct store_upload *idle = NULL;
	struct error err = ERROR_INIT;
	struct doing d = {0};
	uint8_t bytes[1000] = {0};

	(void)state;
	assert_int_equal(store_begin(outbox_store(o), "packs/bb/bb", &idle, &err), OK);
	assert_int_equal(store_write(idle, bytes, sizeof(bytes), &err), OK);
	assert_int_equal(next_rc(o, 1), 0);
	begin(&d, o, put_small);
	CLEAN(handed_done) struct handed part = wait_next(o, 1);
	assert_string_equal(part.op.name, "packs/bb/bb");
	assert_int_equal(part.data.n, sizeof(bytes));
	answer_ok(o, &part.op);
	CLEAN(handed_done) struct handed commit = wait_next(o, 1);
	assert_string_equal(commit.op.name, "index/bb");
	answer_ok(o, &commit.op);
	assert_int_equal(end(&d), OK);
	store_abort(idle);
	CLEAN(handed_done) struct handed dropped = wait_next(o, 1);
	assert_int_equal(dropped.op.kind, STOREOP_ABORT);
	assert_int_equal(dropped.op.upload, part.op.upload);
	answer_ok(o, &dropped.op);
	outbox_close(o);
	assert_int_equal(next_rc(o, 1), 2);
}

static void
a_part_fails(void **state)
{
	CLEAN(outbox_freep) struct outbox *o = open_box(NULL);
	struct doing d = {.n = 20 << 20};

	(void)state;
	begin(&d, o, put_large);
	CLEAN(handed_done) struct handed h = wait_next(o, 1);
	assert_int_equal(h.op.kind, STOREOP_PART);
	answer_error(o, &h.op, ERR_STORE_FULL);
	assert_int_equal(end(&d), ERR_STORE_FULL);
	assert_string_equal(d.err.msg, "so it is");
}

static void
the_session_ends(void **state)
{
	CLEAN(outbox_freep) struct outbox *o = open_box(NULL);
	struct doing reading = {0}, storing = {.n = 1 << 20}, late = {0};
	struct error why = ERROR_INIT;

	(void)state;
	begin(&reading, o, read_four);
	CLEAN(handed_done) struct handed h = wait_next(o, 1);
	begin(&storing, o, put_large);
	outbox_wait(o, clock_boot_ns() + 20 * NS_PER_S);
	error_set(&why, ERR_LEASE_ENDED, "snapshot timeout occurred");
	outbox_end(o, &why);
	assert_int_equal(end(&reading), ERR_LEASE_ENDED);
	assert_string_equal(reading.err.msg, "snapshot timeout occurred");
	assert_int_equal(end(&storing), ERR_LEASE_ENDED);
	begin(&late, o, put_small);
	assert_int_equal(end(&late), ERR_LEASE_ENDED);
	assert_int_equal(next_rc(o, 1), 2);
	answer(o, &(struct storeop_answer){.id = h.op.id}, "late");
	assert_int_equal(reading.text[0], '\0');
}

static void
deadline(void **state)
{
	const struct outbox_options options = {.timeout_ns = 20 * NS_PER_MS};
	CLEAN(outbox_freep) struct outbox *o = open_box(&options);
	struct doing reading = {0}, storing = {0};

	(void)state;
	begin(&reading, o, read_four);
	assert_int_equal(end(&reading), ERR_TIMEOUT);
	begin(&storing, o, put_small);
	assert_int_equal(end(&storing), ERR_TIMEOUT);
	/* Nothing of them is left to do. */
	assert_int_equal(next_rc(o, 1), 0);
}

static void
count(void *arg)
{
	++*(unsigned *)arg;
}

static void
told_when_ready(void **state)
{
	CLEAN(outbox_freep) struct outbox *o = open_box(NULL);
	struct store_upload *u = NULL;
	struct error err = ERROR_INIT;
	unsigned told = 0;
	CLEAN(free_ptr) uint8_t *p = calloc(1, 2 << 20);

	(void)state;
	outbox_set_ready(o, count, &told);
	assert_int_equal(store_begin(outbox_store(o), "packs/bb/bb", &u, &err), OK);
	assert_int_equal(told, 0);
	assert_int_equal(store_write(u, p, 2 << 20, &err), OK);
	assert_int_equal(told, 1);
	store_abort(u);
	outbox_close(o);
	assert_int_equal(told, 2);
	outbox_set_ready(o, NULL, NULL);
	outbox_close(o);
	assert_int_equal(told, 2);
	assert_int_equal(next_rc(o, 1), 2);
}

static void
no_answers(void **state)
{
	CLEAN(outbox_freep) struct outbox *o = open_box(NULL);
	CLEAN(json_done) json_t *j = json_object();
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(outbox_answer(o, j, SLICE(NULL, 0), &err), ERR_PROTOCOL);
	outbox_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_operation),     cmocka_unit_test(answers_of_the_wrong_size),
		cmocka_unit_test(handed_out_again),  cmocka_unit_test(handed_out_again_in_time),
		cmocka_unit_test(memory_is_bounded), cmocka_unit_test(nobody_starves),
		cmocka_unit_test(a_part_fails),      cmocka_unit_test(the_session_ends),
		cmocka_unit_test(deadline),          cmocka_unit_test(told_when_ready),
		cmocka_unit_test(no_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
