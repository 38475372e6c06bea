/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The wording of errors, and that errors.def is a sound table.
 */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_set(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	errno = EBADF;
	assert_int_equal(error_set(&err, ERR_POINT, "point '%s'", "ab12"), ERR_POINT);
	assert_int_equal(errno, EBADF);
	assert_int_equal(err.code, ERR_POINT);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.msg, "point 'ab12'");
	assert_string_equal(err.hint, "'holdfast list' shows the restore points");
	assert_non_null(strstr(err.file, "test_error.c"));
	assert_true(err.line > 0);
}

static void
test_set_twice_replaces_everything(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	errno = ENOSPC;
	assert_int_equal(error_sys(&err, ERR_STORE_FULL, "a very long message at first"),
			 ERR_STORE_FULL);
	assert_int_equal(error_set(&err, ERR_LIMIT, "short"), ERR_LIMIT);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.msg, "short");
	assert_string_equal(err.hint, "");
}

static void
test_null_gives_the_code(void **state)
{
	(void)state;
	errno = EIO;
	assert_int_equal(error_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
	assert_int_equal(error_sys(NULL, ERR_IO, "x"), ERR_IO);
	assert_int_equal(error_prefix(NULL, "x"), ERR_INTERNAL);
	assert_int_equal(error_hint(NULL, "x"), ERR_INTERNAL);
}

static void
test_sys_appends_the_reason(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	errno = ENOENT;
	assert_int_equal(error_sys(&err, ERR_IO, "open '%s'", "/x"), ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.msg, "open '/x': No such file or directory");

	errno = 9999;
	assert_int_equal(error_sys(&err, ERR_IO, "open"), ERR_IO);
	assert_string_equal(err.msg, "open: error number 9999");
}

static void
test_sys_hints(void **state)
{
	static const struct {
		enum err code;
		int sys;
		const char *part; /* of the hint; NULL: the code's own */
	} cases[] = {
		{ERR_IO, ENOSPC, "free space"},   {ERR_STORE_FULL, ENOSPC, "holdfast prune"},
		{ERR_IO, EDQUOT, "quota"},        {ERR_SOURCE, EACCES, "permissions"},
		{ERR_IO, EPERM, "permissions"},   {ERR_IO, EROFS, "read-only"},
		{ERR_IO, EMFILE, "LimitNOFILE"},  {ERR_IO, ENFILE, "fs.file-max"},
		{ERR_IO, ENOMEM, "memory_limit"}, {ERR_SOURCE, EIO, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT, plain = ERROR_INIT;
		errno = cases[i].sys;
		assert_int_equal(error_sys(&err, cases[i].code, "x"), cases[i].code);
		assert_int_equal(error_set(&plain, cases[i].code, "x"), cases[i].code);
		if (cases[i].part != NULL)
			assert_non_null(strstr(err.hint, cases[i].part));
		else
			assert_string_equal(err.hint, plain.hint);
	}
}

static void
test_prefix(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	errno = ENOENT;
	(void)error_sys(&err, ERR_SOURCE, "open 'y'");
	errno = EBADF;
	assert_int_equal(error_prefix(&err, "back up '%s'", "/srv/x"), ERR_SOURCE);
	assert_int_equal(errno, EBADF);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.msg, "back up '/srv/x': open 'y': No such file or directory");
}

/* A prefix on something that forgot to set a code must still make the caller fail. */
static void
test_prefix_without_code(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_prefix(&err, "x"), ERR_INTERNAL);
}

static void
test_prefix_may_use_the_message(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	(void)error_set(&err, ERR_LIMIT, "inner");
	(void)error_prefix(&err, "outer <%s>", err.msg);
	assert_string_equal(err.msg, "outer <inner>: inner");
	(void)error_set(&err, ERR_LIMIT, "again <%s>", err.msg);
	assert_string_equal(err.msg, "again <outer <inner>: inner>");
}

static void
test_long_message_is_cut(void **state)
{
	struct error err = ERROR_INIT;
	char longer[2000];

	(void)state;
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	(void)error_set(&err, ERR_LIMIT, "%s", longer);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_string_equal(err.msg + sizeof(err.msg) - 5, "a...");

	/* The system's reason is kept whole. */
	errno = EIO;
	(void)error_sys(&err, ERR_IO, "%s", longer);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_non_null(strstr(err.msg, "a...: Input/output error"));

	(void)error_hint(&err, "%s", longer);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
}

static void
test_prefix_keeps_the_tail(void **state)
{
	struct error err = ERROR_INIT;
	char longer[500], expected[500];

	(void)state;
	memset(longer, 'b', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	(void)error_set(&err, ERR_LIMIT, "the reason");
	for (int i = 0; i < 5; i++) {
		(void)error_prefix(&err, "%s", longer);
		assert_true(strlen(err.msg) < sizeof(err.msg));
		assert_string_equal(err.msg + strlen(err.msg) - 12, ": the reason");
	}
	/* No room at all: what is there stays as it is. */
	(void)error_set(&err, ERR_LIMIT, "%s%s", longer, longer);
	(void)snprintf(expected, sizeof(expected), "%.499s", err.msg);
	(void)error_prefix(&err, "context");
	assert_memory_equal(err.msg, expected, strlen(expected));
}

static void
test_hint(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	(void)error_set(&err, ERR_POINT, "x");
	assert_int_equal(error_hint(&err, "try '%s'", "y"), ERR_POINT);
	assert_string_equal(err.hint, "try 'y'");
	assert_string_equal(err.msg, "x");
}

static void
test_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(error_exit_code(OK), 0);
	assert_int_equal(error_exit_code(ERR_USAGE), 2);
	assert_int_equal(error_exit_code(ERR_INCOMPLETE), 3);
	assert_int_equal(error_exit_code(ERR_WRITER_TIMEOUT), 75);
	assert_int_equal(error_exit_code(ERR_STORE_WRITE), 75);
	assert_int_equal(error_exit_code(ERR_PASSWORD), 1);
	assert_int_equal(error_exit_code((enum err) - 12345), 1);
}

static void
test_table(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; error_code_at(i) != OK; i++) {
		enum err code = error_code_at(i);
		assert_true(code < 0);
		assert_true(strlen(error_name(code)) > 0);
		assert_true(strlen(error_sentence(code)) > 0);
		for (size_t k = 0; k < i; k++) {
			assert_int_not_equal(error_code_at(k), code);
			assert_string_not_equal(error_name(error_code_at(k)), error_name(code));
		}
		/* Every hint fits into its place. */
		(void)error_set(&err, code, "x");
		assert_null(strstr(err.hint, "..."));
	}
	assert_int_equal(error_code_at(1000), OK);
}

static void
test_facts(void **state)
{
	(void)state;
	assert_string_equal(error_name(ERR_STORE_FULL), "STORE_FULL");
	assert_int_equal(error_hresult(ERR_WRITER_TIMEOUT), 0x800423f2);
	assert_int_equal(error_hresult(ERR_CORRUPT), 0);
	assert_true(error_retryable(ERR_BUSY));
	assert_false(error_retryable(ERR_CORRUPT));
	assert_string_equal(error_name((enum err) - 12345), "INTERNAL");
	assert_string_equal(error_sentence((enum err)77), error_sentence(ERR_INTERNAL));
	assert_string_equal(error_name(OK), "OK");
	assert_false(error_retryable(OK));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_twice_replaces_everything),
		cmocka_unit_test(test_null_gives_the_code),
		cmocka_unit_test(test_sys_appends_the_reason),
		cmocka_unit_test(test_sys_hints),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_prefix_without_code),
		cmocka_unit_test(test_prefix_may_use_the_message),
		cmocka_unit_test(test_long_message_is_cut),
		cmocka_unit_test(test_prefix_keeps_the_tail),
		cmocka_unit_test(test_hint),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
