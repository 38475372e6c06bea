/* SPDX-License-Identifier: Apache-2.0 */

/* Which version is spoken to how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "writer/postgresql/dialect.h"

static bool
session_has(const struct dialect *d, const char *what)
{
	for (const char *const *s = d->session; *s != NULL; s++)
		if (strstr(*s, what) != NULL)
			return true;
	return false;
}

static void
test_choice(void **arg)
{
	static const struct {
		int version;
		const char *start, *stop;
		bool new_quoting, idle_timeout, transaction_timeout;
	} known[] = {
		{130000, "pg_start_backup($1, $2::boolean, false)", "pg_stop_backup(false, false)",
		 false, false, false},
		{130022, "pg_start_backup(", "pg_stop_backup(", false, false, false},
		{140000, "pg_start_backup(", "pg_stop_backup(", true, true, false},
		{149999, "pg_start_backup(", "pg_stop_backup(", true, true, false},
		{150000, "pg_backup_start($1, $2::boolean)", "pg_backup_stop(false)", true, true,
		 false},
		{150020, "pg_backup_start(", "pg_backup_stop(", true, true, false},
		{160004, "pg_backup_start(", "pg_backup_stop(", true, true, false},
		{170000, "pg_backup_start(", "pg_backup_stop(", true, true, true},
		{179999, "pg_backup_start(", "pg_backup_stop(", true, true, true},
	};
	struct error err = ERROR_INIT;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct dialect *d;

		assert_int_equal(dialect_find(known[i].version, &d, &err), OK);
		assert_non_null(strstr(d->start, known[i].start));
		assert_non_null(strstr(d->stop, known[i].stop));
		assert_int_equal(d->map_escapes_backslash, known[i].new_quoting);
		assert_int_equal(session_has(d, "idle_session_timeout"), known[i].idle_timeout);
		assert_int_equal(session_has(d, "client_connection_check_interval"),
				 known[i].idle_timeout);
		assert_int_equal(session_has(d, "SET transaction_timeout"),
				 known[i].transaction_timeout);
		/* What is granted is what is called. */
		assert_non_null(strstr(d->start_function, d->start_name));
		assert_non_null(strstr(d->start, d->start_name));
	}
}

static void
test_unknown(void **arg)
{
	const struct dialect *d = NULL;
	struct error err = ERROR_INIT;

	(void)arg;
	assert_int_equal(dialect_find(129999, &d, &err), ERR_DB_CONFIG);
	assert_string_equal(err.msg, "PostgreSQL 12 is too old for this writer");
	assert_int_equal(dialect_find(90624, &d, &err), ERR_DB_CONFIG);
	assert_int_equal(dialect_find(180000, &d, &err), ERR_DB_CONFIG);
	assert_string_equal(err.msg, "PostgreSQL 18 is newer than this writer");
	assert_int_equal(dialect_find(0, &d, &err), ERR_DB_CONFIG);
	assert_null(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
