/* SPDX-License-Identifier: Apache-2.0 */

/* The failing store: that it fails what it was told to, nothing else, and as it was told to. What
 * happened inside is looked at in the wrapped store. */
#include "store/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "store/mem.h"

static struct store *inner, *s;
static struct error err;

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(store_mem_open(&inner, &err), OK);
	assert_int_equal(store_fault_open(inner, &s, &err), OK);
	assert_int_equal(store_put(inner, "points/a", SLICE("abcdefgh", 8), &err), OK);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	store_close(s);
	return 0;
}

static int
nothing(void *arg, const struct store_entry *entry, struct error *e)
{
	(void)entry;
	(void)e;
	++*(int *)arg;
	return OK;
}

/* One operation of each kind; the n-th returns its result. */
static int
operation(unsigned n)
{
	struct store_upload *u = NULL;
	char text[8];
	int rc, listed = 0;

	switch (n) {
	case 0:
		return store_read(s, "points/a", 0, text, 8, &err);
	case 1:
		return store_stat(s, "points/a", NULL, &err);
	case 2:
		return store_list(s, "", nothing, &listed, &err);
	case 3:
		return store_remove(s, "points/none", &err);
	case 4:
		return store_tidy(s, 0, &err);
	default:
		rc = store_begin(s, "points/u", &u, &err);
		store_abort(u);
		return rc;
	}
}

static void
counts_and_fails_the_nth(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 6; n++) {
		store_fault_arm(s, STORE_FAULT_ERROR, n, false);
		for (unsigned i = 0; i < 6; i++) {
			int rc = operation(i);
			if (i + 1 != n)
				assert_true(rc >= 0);
			else
				assert_int_equal(rc, i < 3 ? ERR_STORE_READ : ERR_STORE_WRITE);
		}
		assert_int_equal(store_fault_count(s), 6);
		assert_int_equal(store_fault_fired(s), 1);
		assert_non_null(strstr(err.msg, "injected"));
	}
}

static void
persistent_and_disarmed(void **state)
{
	(void)state;
	store_fault_arm(s, STORE_FAULT_ERROR, 3, true);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(operation(i) < 0, i >= 2);
	assert_int_equal(store_fault_fired(s), 4);
	store_fault_arm(s, STORE_FAULT_ERROR, 0, false);
	assert_int_equal(store_fault_count(s), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_true(operation(i) >= 0);
	assert_int_equal(store_fault_count(s), 6);
	assert_int_equal(store_fault_fired(s), 0);
}

static void
full_waits_for_a_write(void **state)
{
	struct store_upload *u = NULL;

	(void)state;
	store_fault_arm(s, STORE_FAULT_FULL, 1, false);
	assert_true(operation(0) >= 0);
	assert_int_equal(store_begin(s, "points/b", &u, &err), OK);
	assert_int_equal(store_write(u, "x", 1, &err), ERR_STORE_FULL);
	/* Whatever the caller tries, the upload is spoilt. */
	assert_int_equal(store_commit(u, &err), ERR_BAD_STATE);
	assert_int_equal(store_stat(inner, "points/b", NULL, &err), 0);

	store_fault_arm(s, STORE_FAULT_FULL, 3, false);
	assert_int_equal(store_put(s, "points/b", SLICE("x", 1), &err), ERR_STORE_FULL);
	assert_int_equal(store_fault_count(s), 3);
	assert_int_equal(store_stat(inner, "points/b", NULL, &err), 0);
	assert_int_equal(store_put(s, "points/b", SLICE("x", 1), &err), OK);
}

static void
short_write(void **state)
{
	struct store_upload *u = NULL;

	(void)state;
	store_fault_arm(s, STORE_FAULT_SHORT, 1, false);
	assert_int_equal(store_begin(s, "points/b", &u, &err), OK);
	assert_int_equal(store_write(u, "abcd", 4, &err), ERR_STORE_WRITE);
	assert_int_equal(store_commit(u, &err), ERR_BAD_STATE);
	assert_int_equal(store_stat(inner, "points/b", NULL, &err), 0);
}

static void
flip_one_bit(void **state)
{
	char text[8], other[8];
	int bits = 0;

	(void)state;
	store_fault_arm(s, STORE_FAULT_FLIP, 1, true);
	assert_int_equal(store_read(s, "points/a", 8, NULL, 0, &err), OK);
	assert_int_equal(store_fault_fired(s), 0);
	assert_int_equal(store_read(s, "points/a", 0, text, 8, &err), OK);
	for (int i = 0; i < 8; i++)
		bits += __builtin_popcount((unsigned)(text[i] ^ "abcdefgh"[i]) & 0xff);
	assert_int_equal(bits, 1);
	/* Another bit next time; the object itself is whole. */
	assert_int_equal(store_read(s, "points/a", 0, other, 8, &err), OK);
	assert_memory_not_equal(text, other, 8);
	assert_int_equal(store_read(inner, "points/a", 0, text, 8, &err), OK);
	assert_memory_equal(text, "abcdefgh", 8);
	/* Errors stay errors. */
	assert_int_equal(store_read(s, "points/a", 4, text, 8, &err), ERR_CORRUPT);
}

static void
lost_replies(void **state)
{
	int listed = 0;

	(void)state;
	store_fault_arm(s, STORE_FAULT_LOST_REPLY, 3, false);
	assert_int_equal(store_put(s, "points/b", SLICE("x", 1), &err), ERR_STORE_WRITE);
	assert_non_null(strstr(err.msg, "unknown"));
	assert_int_equal(store_stat(inner, "points/b", NULL, &err), 1);

	store_fault_arm(s, STORE_FAULT_LOST_REPLY, 1, false);
	assert_int_equal(store_remove(s, "points/b", &err), ERR_STORE_WRITE);
	assert_int_equal(store_stat(inner, "points/b", NULL, &err), 0);

	store_fault_arm(s, STORE_FAULT_LOST_REPLY, 1, false);
	assert_int_equal(store_list(s, "", nothing, &listed, &err), ERR_STORE_READ);
	assert_int_equal(listed, 1);

	/* The wrapped store's own error comes through. */
	store_fault_arm(s, STORE_FAULT_LOST_REPLY, 3, false);
	assert_int_equal(store_put(s, "points/a", SLICE("x", 1), &err), ERR_EXISTS);

	/* Nobody can commit what nobody was given. */
	store_fault_arm(s, STORE_FAULT_LOST_REPLY, 1, false);
	assert_int_equal(store_put(s, "points/b", SLICE("x", 1), &err), ERR_STORE_WRITE);
	assert_int_equal(store_stat(inner, "points/b", NULL, &err), 0);
}

/* However many threads, an order for one fault makes one fault. */
enum { THREADS = 4, ROUNDS = 200 };

static void *
work(void *arg)
{
	struct error mine;
	intptr_t failed = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		failed += store_stat(s, "points/a", NULL, &mine) < 0;
	return (void *)failed;
}

static void
threads(void **state)
{
	pthread_t ids[THREADS];
	intptr_t failed = 0;

	(void)state;
	store_fault_arm(s, STORE_FAULT_ERROR, THREADS * ROUNDS / 2, false);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, work, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		void *result;
		assert_int_equal(pthread_join(ids[i], &result), 0);
		failed += (intptr_t)result;
	}
	assert_int_equal(failed, 1);
	assert_int_equal(store_fault_count(s), THREADS * ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_and_fails_the_nth, setup, teardown),
		cmocka_unit_test_setup_teardown(persistent_and_disarmed, setup, teardown),
		cmocka_unit_test_setup_teardown(full_waits_for_a_write, setup, teardown),
		cmocka_unit_test_setup_teardown(short_write, setup, teardown),
		cmocka_unit_test_setup_teardown(flip_one_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
