/* SPDX-License-Identifier: Apache-2.0 */

/* The plan, and the contract of every provider. */
#include "provider/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_direct_promises_what_it_can(void **state)
{
	struct volume v = {.type = "ext4"};
	struct plan_choice choice = plan_choose(&v, false);

	(void)state;
	assert_string_equal(choice.provider->name, "direct");
	assert_int_equal(choice.expected, CONSISTENCY_NONE);
	assert_non_null(strstr(choice.why, "no snapshot"));
	assert_int_equal(plan_choose(&v, true).expected, CONSISTENCY_APPLICATION);
}

/* What provider.h demands of each. */
static void
test_contract(void **state)
{
	const struct provider_ops *ops;
	struct volume v = {.type = "ext4"};
	struct error err = ERROR_INIT;
	size_t n = 0;

	(void)state;
	for (; (ops = provider_at(n)) != NULL; n++) {
		struct provider *p = NULL;
		const char *why = NULL;

		assert_true(ops->name[0] != '\0' && ops->cost[0] != '\0');
		assert_true(ops->promise(&v, true, &why) >= ops->promise(&v, false, &why));
		assert_non_null(why);
		assert_int_equal(ops->begin(&p, &err), OK);
		assert_ptr_equal(p->ops, ops);
		assert_int_equal(ops->snapshot(p, &err), OK);
		ops->end(p);
		ops->end(NULL);
	}
	assert_true(n > 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct_promises_what_it_can),
		cmocka_unit_test(test_contract),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
