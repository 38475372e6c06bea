/* SPDX-License-Identifier: Apache-2.0 */

/* The section [writer.postgresql], right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "writer/postgresql/pgsettings.h"

static void
test_all(void **arg)
{
	struct pgsettings s;
	struct error err = ERROR_INIT;
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "host", "/run/pg", "port",
			      "5433", "user", "bk", "database", "d", "passfile", "/etc/p",
			      "os_user", "pg", "connect_timeout", "3");

	(void)arg;
	assert_int_equal(pgsettings_parse(j, &s, &err), OK);
	assert_string_equal(s.host, "/run/pg");
	assert_string_equal(s.port, "5433");
	assert_string_equal(s.user, "bk");
	assert_string_equal(s.database, "d");
	assert_string_equal(s.passfile, "/etc/p");
	assert_string_equal(s.os_user, "pg");
	assert_int_equal(s.connect_timeout_s, 3);
	pgsettings_done(&s);
	json_decref(j);
}

static void
test_none(void **arg)
{
	struct pgsettings s;
	struct error err = ERROR_INIT;
	json_t *j = json_pack("{s:s, s:s}", "host", "", "connect_timeout", "");

	(void)arg;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pgsettings_parse(i == 0 ? NULL : j, &s, &err), OK);
		assert_null(s.host);
		assert_null(s.os_user);
		assert_int_equal(s.connect_timeout_s, PGSETTINGS_CONNECT_TIMEOUT_S);
		pgsettings_done(&s);
	}
	json_decref(j);
}

static void
test_wrong(void **arg)
{
	static const char *const wrong[][3] = {
		{"hots", "x", "writer.postgresql.hots: there is no such setting"},
		{"port", "0", "writer.postgresql.port: '0' is not a number from 1 to 65535"},
		{"port", "65536", "writer.postgresql.port"},
		{"port", "5432x", "writer.postgresql.port"},
		{"port", " 1", "writer.postgresql.port"},
		{"port", "-1", "writer.postgresql.port"},
		{"connect_timeout", "soon", "writer.postgresql.connect_timeout"},
		{"connect_timeout", "3601", "from 1 to 3600"},
		{"connect_timeout", "99999999999999999999", "writer.postgresql.connect_timeout"},
	};
	struct pgsettings s;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct error err = ERROR_INIT;
		json_t *j = json_pack("{s:s, s:s}", "user", "u", wrong[i][0], wrong[i][1]);

		assert_int_equal(pgsettings_parse(j, &s, &err), ERR_CONFIG);
		if (strstr(err.msg, wrong[i][2]) == NULL)
			fail_msg("%s", err.msg);
		json_decref(j);
	}
	struct error err = ERROR_INIT;
	json_t *j = json_pack("{s:i}", "port", 5432);
	assert_int_equal(pgsettings_parse(j, &s, &err), ERR_CONFIG);
	assert_non_null(strstr(err.msg, "not text"));
	json_decref(j);
	j = json_array();
	assert_int_equal(pgsettings_parse(j, &s, &err), ERR_CONFIG);
	json_decref(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
