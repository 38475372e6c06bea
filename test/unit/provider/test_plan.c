/* SPDX-License-Identifier: Apache-2.0 */

/* The plan, and what is the same for every provider. */
#include "provider/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct provider_settings settings;

static void
test_direct_promises_what_it_can(void **state)
{
	struct volume v = {.type = "ext4"};
	struct plan_choice choice = plan_choose(&v, &settings, false);

	(void)state;
	assert_string_equal(choice.provider->name, "direct");
	assert_int_equal(choice.expected, CONSISTENCY_NONE);
	assert_non_null(strstr(choice.why, "no snapshot"));
	assert_int_equal(plan_choose(&v, &settings, true).expected, CONSISTENCY_APPLICATION);
}

/* What provider.h demands of each, as far as it needs no file system. */
static void
test_every_provider(void **state)
{
	const struct provider_ops *ops;
	struct volume v = {.type = "ext4"};
	size_t n = 0;

	(void)state;
	for (; (ops = provider_at(n)) != NULL; n++) {
		const char *why = NULL;

		assert_true(ops->name[0] != '\0' && ops->cost[0] != '\0');
		assert_true(strlen(ops->name) < SNAPSHOT_PROVIDER_MAX);
		assert_ptr_equal(provider_find_by_name(ops->name), ops);
		assert_true(ops->promise(&v, &settings, true, &why) >=
			    ops->promise(&v, &settings, false, &why));
		assert_non_null(why);
	}
	assert_true(n > 0);
	assert_null(provider_find_by_name("vss"));
}

static int
init(void **state)
{
	(void)state;
	provider_settings_init(&settings);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct_promises_what_it_can),
		cmocka_unit_test(test_every_provider),
	};

	return cmocka_run_group_tests_name("plan", tests, init, NULL);
}
