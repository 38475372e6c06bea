/* SPDX-License-Identifier: Apache-2.0 */

/* Lines of postgresql.conf: what PostgreSQL's parser would take back out is what was put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "writer/postgresql/pgconfig.h"

static void
test_lines(void **arg)
{
	static const char *const lines[][3] = {
		{"port", "5432", "port = '5432'\n"},
		{"a.b", "", "a.b = ''\n"},
		{"cluster_name", "it's", "cluster_name = 'it''s'\n"},
		{"archive_command", "cp %p 'C:\\x'", "archive_command = 'cp %p ''C:\\\\x'''\n"},
		{"x", "a\nb", "x = 'a\\nb'\n"},
		{"x", "# no comment", "x = '# no comment'\n"},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		CLEAN(buf_done) struct buf out = BUF_INIT(256);
		struct error err = ERROR_INIT;

		assert_int_equal(pgconfig_line(lines[i][0], lines[i][1], &out, &err), OK);
		assert_int_equal(out.n, strlen(lines[i][2]));
		assert_memory_equal(out.p, lines[i][2], out.n);
	}
}

static void
test_too_long(void **arg)
{
	CLEAN(buf_done) struct buf out = BUF_INIT(16);
	struct error err = ERROR_INIT;

	(void)arg;
	assert_int_equal(pgconfig_line("name", "long enough", &out, &err), ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
