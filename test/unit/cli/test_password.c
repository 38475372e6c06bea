/* SPDX-License-Identifier: Apache-2.0 */

/* Password files and key files: what is taken from them, and what is refused. */
#include "cli/password.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"

static char folder[] = "/tmp/hf-password-XXXXXX";
/* With quiet JSON off: warnings go to standard error, which no result depends on. */
static const struct cli cli = {.quiet = true};

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chdir(folder) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return fs_remove_tree(AT_FDCWD, folder, &err);
}

static void
put(const char *text, size_t n)
{
	struct error err = ERROR_INIT;

	assert_int_equal(fs_write_file(AT_FDCWD, "file", SLICE(text, n), 0600, &err), OK);
}

static void
taken(const char *text, const char *password)
{
	struct secret *s = NULL;
	struct error err = ERROR_INIT;

	put(text, strlen(text));
	if (password_from_file(&cli, "file", &s, &err) != OK)
		fail_msg("%s", err.msg);
	assert_int_equal(secret_size(s), strlen(password));
	assert_memory_equal(secret_view(s), password, strlen(password));
	secret_free(s);
}

static void
refused(const char *text, size_t n, enum err code)
{
	struct secret *s = NULL;
	struct error err = ERROR_INIT;

	put(text, n);
	assert_int_equal(password_from_file(&cli, "file", &s, &err), code);
	/* The secret itself must not be in the message. */
	assert_null(strstr(err.msg, "hunter"));
}

static void
test_passwords(void **state)
{
	static char long_one[PASSWORD_MAX + 10];

	(void)state;
	taken("hunter2\n", "hunter2");
	taken("hunter2\r\n", "hunter2");
	taken("hunter2", "hunter2");
	taken(" with blanks \n", " with blanks ");
	refused("", 0, ERR_USAGE);
	refused("\n", 1, ERR_USAGE);
	refused("hunter2\nhunter3\n", 16, ERR_USAGE);
	refused("hunter\0002", 8, ERR_USAGE);
	memset(long_one, 'x', sizeof(long_one));
	refused(long_one, sizeof(long_one), ERR_LIMIT);
}

static void
test_missing_and_wrong_files(void **state)
{
	struct secret *s = NULL;
	struct error err = ERROR_INIT;
	bool created;

	(void)state;
	assert_int_equal(password_from_file(&cli, "absent", &s, &err), ERR_NOT_FOUND);
	assert_int_equal(password_from_file(&cli, "/", &s, &err), ERR_USAGE);
	assert_int_equal(password_key_file(&cli, "absent", false, &s, &created, &err),
			 ERR_NOT_FOUND);
	put("too short", 9);
	assert_int_equal(password_key_file(&cli, "file", true, &s, &created, &err), ERR_USAGE);
	assert_non_null(strstr(err.msg, "9 bytes"));
}

static void
test_key_files_are_made(void **state)
{
	struct secret *made = NULL, *read_back = NULL;
	struct error err = ERROR_INIT;
	struct stat st;
	bool created;

	(void)state;
	assert_int_equal(password_key_file(&cli, "key", true, &made, &created, &err), OK);
	assert_true(created);
	assert_int_equal(stat("key", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, KEY_FILE_NEW);
	assert_int_equal(password_key_file(&cli, "key", true, &read_back, &created, &err), OK);
	assert_false(created);
	assert_int_equal(secret_size(read_back), KEY_FILE_NEW);
	assert_memory_equal(secret_view(made), secret_view(read_back), KEY_FILE_NEW);
	secret_free(made);
	secret_free(read_back);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_missing_and_wrong_files),
		cmocka_unit_test(test_key_files_are_made),
	};

	return cmocka_run_group_tests_name("password", tests, setup, teardown);
}
