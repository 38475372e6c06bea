/* SPDX-License-Identifier: Apache-2.0 */

/* The set must say what fnmatch says for each pattern by itself, and be quick about it. */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "writer/patterns.h"

static struct patterns *
set_of(const char *const *list, size_t n)
{
	struct error err = ERROR_INIT;
	struct patterns *p;

	if (patterns_new(list, n, &p, &err) < 0)
		fail_msg("%s", err.msg);
	return p;
}

static void
test_agrees_with_fnmatch(void **arg)
{
	static const char *const list[] = {
		"pg_wal/*",
		"postmaster.pid",
		"base/*/t[0-9]*_[0-9]*",
		"base/5/16384",
		"base/5/16384_[!i]*",
		"*/x",
		"?b",
		"base/pgsql_tmp*",
		"a\\*b",
		"",
	};
	static const char *const paths[] = {
		"pg_wal",
		"pg_wal/0",
		"pg_wal/a/b",
		"postmaster.pid",
		"postmaster.pi",
		"postmaster.pid2",
		"base/5/t3_16384",
		"base/5/16384",
		"base/5/163840",
		"base/5/16384_vm",
		"base/5/16384_init",
		"a/x",
		"a/b/x",
		"x",
		"ab",
		"b",
		"a*b",
		"a+b",
		"base/pgsql_tmp",
		"base/pgsql_tmp1.2",
		"",
		"base/5/t3_16384.1",
		"base/5/16384.1",
	};
	struct patterns *p = set_of(list, ARRAY_SIZE(list));

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		bool want = false;

		for (size_t k = 0; k < ARRAY_SIZE(list); k++)
			want = want || fnmatch(list[k], paths[i], FNM_PATHNAME) == 0;
		if (patterns_match(p, paths[i]) != want)
			fail_msg("'%s' should%s match", paths[i], want ? "" : " not");
	}
	patterns_free(p);

	p = set_of(NULL, 0);
	assert_false(patterns_match(p, "a"));
	patterns_free(p);
	patterns_free(NULL);
}

static void
test_quote(void **arg)
{
	static const char *const names[] = {"plain", "a*b", "[x]", "\\", "what?", "a\\*b[", ""};
	char quoted[64];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *list[] = {patterns_quote(names[i], quoted)};
		struct patterns *p = set_of(list, 1);

		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			assert_int_equal(patterns_match(p, names[k]), i == k);
		patterns_free(p);
	}
}

/* Twenty thousand unlogged tables and as many files: seconds if each pattern were tried. */
static void
test_many(void **arg)
{
	enum { N = 20000 };
	char **list = calloc(N, sizeof(*list));
	char path[64];

	(void)arg;
	assert_non_null(list);
	for (int i = 0; i < N; i++)
		assert_true(asprintf(&list[i], "base/5/%d_[!i]*", 16384 + i) > 0);
	struct patterns *p = set_of((const char *const *)list, N);
	uint64_t began_ns = clock_cpu_ns();
	for (int i = 0; i < N; i++) {
		(void)snprintf(path, sizeof(path), "base/5/%d_vm", 16384 + i);
		assert_true(patterns_match(p, path));
		(void)snprintf(path, sizeof(path), "base/5/%d_init", 16384 + i);
		assert_false(patterns_match(p, path));
	}
	assert_true(clock_cpu_ns() - began_ns < 5 * NS_PER_S);
	patterns_free(p);
	for (int i = 0; i < N; i++)
		free(list[i]);
	free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_fnmatch),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
