/* SPDX-License-Identifier: Apache-2.0 */

/* The configuration file: what it may hold, what is refused, and that the line is named. */
#include "config/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int
parse(const char *text, struct settings **ret, struct error *err)
{
	struct settings *s;

	*err = ERROR_INIT;
	assert_int_equal(settings_new(&s, err), OK);
	int r = config_file_parse(s, "x.conf", SLICE(text, strlen(text)), err);

	*ret = s;
	return r;
}

static void
refused(const char *text, const char *message)
{
	struct settings *s;
	struct error err;

	if (parse(text, &s, &err) != ERR_CONFIG)
		fail_msg("accepted: %s", text);
	if (strstr(err.msg, message) == NULL)
		fail_msg("'%s' lacks '%s'", err.msg, message);
	settings_free(s);
}

static void
test_a_good_file(void **state)
{
	struct settings *s;
	struct error err;
	struct setting_view v;
	size_t n;

	(void)state;
	assert_int_equal(parse("# comment\n"
			       "\n"
			       "[repository]\n"
			       "location = /srv/backup\t\r\n"
			       "; another\n"
			       "[backup]\n"
			       "exclude = *.tmp ; said why\n"
			       "exclude=/var/cache\n"
			       "  # indented comment\n"
			       "[writer.postgresql]\n"
			       "host = /run/postgresql",
			       &s, &err),
			 OK);
	assert_string_equal(settings_text(s, OPTION_REPOSITORY_LOCATION), "/srv/backup");
	const char *const *exclude = settings_list(s, OPTION_BACKUP_EXCLUDE, &n);
	assert_int_equal(n, 2);
	assert_string_equal(exclude[0], "*.tmp");
	assert_string_equal(settings_text(s, OPTION_POSTGRESQL_HOST), "/run/postgresql");
	assert_true(settings_at(s, OPTION_REPOSITORY_LOCATION - 1, &v));
	assert_string_equal(v.origin, "x.conf:4");
	settings_free(s);

	assert_int_equal(parse("", &s, &err), OK);
	settings_free(s);
}

static void
test_refused(void **state)
{
	char line[400];

	(void)state;
	refused("location = /x\n", "x.conf:1: a setting before the first [section]");
	refused("[backup]\nworkers = 1\nworkers = 2\n", "x.conf:3: the setting was given above");
	refused("[backup]\nwrokers = 1\n", "x.conf:2: there is no setting 'backup.wrokers'");
	refused("[nothing]\nx = 1\n", "there is no setting 'nothing.x'");
	refused("[backup]\nworkers\n", "x.conf:2: neither 'key = value' nor '[section]'");
	refused("[backup\nworkers = 1\n", "x.conf:1");
	refused("[backup]\nworkers = x\n", "x.conf:2: backup.workers: 'x' is not a whole number");
	refused("[backup]\n host = x\n", "x.conf:2: a line must not begin with a blank");
	refused("[backup]\nhost = a\001b\n", "control character");
	refused("[backup]\nmemory_limit = 1KiB\n", "32MiB to 64GiB");

	(void)snprintf(line, sizeof(line), "[backup]\nhost = %0250d\n", 1);
	refused(line, "x.conf:2: the line is longer than 198 bytes");
	(void)snprintf(line, sizeof(line), "[%060d]\nhost = x\n", 1);
	refused(line, "section's name is too long");
	(void)snprintf(line, sizeof(line), "[writer.x]\n%060d = x\n", 1);
	refused(line, "the key is too long");
}

/* The first mistake is reported, not the last. */
static void
test_first_error_wins(void **state)
{
	(void)state;
	refused("[backup]\nworkers = x\nzzz = 1\n", "x.conf:2");
}

static void
test_longest_line(void **state)
{
	struct settings *s;
	struct error err;
	char text[400];

	(void)state;
	(void)snprintf(text, sizeof(text), "[backup]\nhost = %0191d\n", 7);
	assert_int_equal(parse(text, &s, &err), OK);
	assert_int_equal(strlen(settings_text(s, OPTION_BACKUP_HOST)), 191);
	settings_free(s);
}

static void
test_missing_files(void **state)
{
	struct error err = ERROR_INIT;
	struct settings *s;

	(void)state;
	assert_int_equal(settings_new(&s, &err), OK);
	assert_int_equal(config_file_read(s, "/nonexistent/x.conf", false, &err), 0);
	assert_int_equal(config_file_read(s, "/nonexistent/x.conf", true, &err), ERR_CONFIG);
	assert_non_null(strstr(err.msg, "/nonexistent/x.conf"));
	settings_free(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_file),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_first_error_wins), cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_missing_files),
	};

	return cmocka_run_group_tests_name("config_file", tests, NULL, NULL);
}
