/* SPDX-License-Identifier: Apache-2.0 */

/* The order in which file systems freeze, and what this machine says of its devices. */
#include "provider/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct error err;

static void
need(struct order_facts *f, uint64_t from, uint64_t to)
{
	assert_int_equal(order_facts_add(f, from, to, &err), OK);
}

static void
test_inner_before_outer(void **state)
{
	CLEAN(order_facts_done) struct order_facts f = {0};
	static const uint64_t devices[] = {1, 2, 3, 4};
	size_t order[4];

	(void)state;
	/* 3 is an image on 2 (by way of loop device 30), 2 is on md 20 of 1's disk. */
	need(&f, 3, 30);
	need(&f, 30, 2);
	need(&f, 2, 20);
	need(&f, 20, 1);
	need(&f, 20, 1);
	assert_int_equal(f.n, 4);
	assert_true(order_needs(&f, 3, 1));
	assert_false(order_needs(&f, 1, 3));
	assert_int_equal(order_sort(&f, devices, 4, order, &err), OK);
	assert_int_equal(order[0], 2);
	assert_int_equal(order[1], 1);
	assert_int_equal(order[2], 0);
	assert_int_equal(order[3], 3);
	assert_int_equal(order_sort(&f, devices, 0, order, &err), OK);
}

static void
test_circles_are_refused(void **state)
{
	CLEAN(order_facts_done) struct order_facts f = {0};
	static const uint64_t devices[] = {1, 2};
	size_t order[2];

	(void)state;
	need(&f, 1, 10);
	need(&f, 10, 2);
	need(&f, 2, 1);
	assert_int_equal(order_sort(&f, devices, 2, order, &err), ERR_BAD_STATE);
	assert_int_equal(order_sort(&f, devices, 1, order, &err), ERR_BAD_STATE);
}

static void
test_a_circle_elsewhere_does_no_harm(void **state)
{
	CLEAN(order_facts_done) struct order_facts f = {0};
	static const uint64_t devices[] = {1, 2};
	size_t order[2];

	(void)state;
	need(&f, 1, 2);
	need(&f, 2, 7);
	need(&f, 7, 8);
	need(&f, 8, 7);
	assert_int_equal(order_sort(&f, devices, 2, order, &err), OK);
	assert_int_equal(order[0], 0);
}

static void
test_the_unknown_is_refused(void **state)
{
	struct order_facts f = {.unknown = 7};
	static const uint64_t devices[] = {1, 2};
	size_t order[2];

	(void)state;
	assert_int_equal(order_sort(&f, devices, 2, order, &err), ERR_BAD_STATE);
	assert_int_equal(order_sort(&f, devices, 1, order, &err), OK);
}

static void
test_this_machine(void **state)
{
	CLEAN(mounts_done) struct mounts mounts = {0};
	CLEAN(order_facts_done) struct order_facts f = {0};

	(void)state;
	assert_int_equal(mounts_read(&mounts, &err), OK);
	for (size_t i = 0; i < mounts.n; i++) {
		order_facts_done(&f);
		assert_int_equal(order_facts_gather(&mounts, &mounts.list[i].device, 1, &f, &err),
				 OK);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inner_before_outer),
		cmocka_unit_test(test_circles_are_refused),
		cmocka_unit_test(test_a_circle_elsewhere_does_no_harm),
		cmocka_unit_test(test_the_unknown_is_refused),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
