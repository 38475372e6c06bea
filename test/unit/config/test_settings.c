/* SPDX-License-Identifier: Apache-2.0 */

/* Settings: precedence, checking, lists, sections of writers. */
#include "config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static int
make(void **state)
{
	struct error err = ERROR_INIT;
	struct settings *s;

	if (settings_new(&s, &err) != OK)
		return -1;
	*state = s;
	return 0;
}

static int
drop(void **state)
{
	settings_free(*state);
	return 0;
}

static void
set(struct settings *s, enum option_id id, const char *value, enum setting_source source)
{
	struct error err = ERROR_INIT;

	if (settings_set(s, id, value, source, "here", &err) != OK)
		fail_msg("%s", err.msg);
}

static struct setting_view
view_of(const struct settings *s, const char *section, const char *key)
{
	struct setting_view v;

	for (size_t i = 0; settings_at(s, i, &v); i++)
		if (strcmp(v.section, section) == 0 && strcmp(v.key, key) == 0)
			return v;
	fail_msg("no %s.%s", section, key);
	return (struct setting_view){0};
}

static void
test_precedence(void **state)
{
	struct settings *s = *state;

	assert_int_equal(settings_number(s, OPTION_BACKUP_MEMORY_LIMIT), 128 << 20);
	assert_string_equal(view_of(s, "backup", "memory_limit").origin, "default");
	set(s, OPTION_BACKUP_MEMORY_LIMIT, "40MiB", SETTING_ENVIRONMENT);
	set(s, OPTION_BACKUP_MEMORY_LIMIT, "50MiB", SETTING_FILE);
	assert_int_equal(settings_number(s, OPTION_BACKUP_MEMORY_LIMIT), 40 << 20);
	set(s, OPTION_BACKUP_MEMORY_LIMIT, "60MiB", SETTING_FLAG);
	set(s, OPTION_BACKUP_MEMORY_LIMIT, "70MiB", SETTING_OPTION);
	assert_int_equal(settings_number(s, OPTION_BACKUP_MEMORY_LIMIT), 60 << 20);
	assert_int_equal(settings_source(s, OPTION_BACKUP_MEMORY_LIMIT), SETTING_FLAG);
	assert_string_equal(view_of(s, "backup", "memory_limit").origin, "here");
}

/* A lower source changes nothing, but a wrong value in it is still an error. */
static void
test_every_source_is_checked(void **state)
{
	struct settings *s = *state;
	struct error err = ERROR_INIT;

	set(s, OPTION_BACKUP_WORKERS, "4", SETTING_FLAG);
	assert_int_equal(settings_set(s, OPTION_BACKUP_WORKERS, "four", SETTING_FILE, "f:3", &err),
			 ERR_CONFIG);
	assert_string_equal(err.msg, "f:3: backup.workers: 'four' is not a whole number");
	assert_int_equal(settings_number(s, OPTION_BACKUP_WORKERS), 4);
	assert_int_equal(
		settings_set(s, OPTION_BACKUP_WORKERS, "1000", SETTING_FLAG, "--workers", &err),
		ERR_USAGE);
	assert_non_null(strstr(err.msg, "0 to 256"));
	assert_int_equal(settings_set(s, OPTION_OUTPUT_PROGRESS, "some", SETTING_FILE, "f:4", &err),
			 ERR_CONFIG);
	assert_non_null(strstr(err.msg, "auto, always, never"));
}

static void
test_lists(void **state)
{
	struct settings *s = *state;
	const char *const *values;
	size_t n;

	(void)settings_list(s, OPTION_BACKUP_EXCLUDE, &n);
	assert_int_equal(n, 0);
	set(s, OPTION_BACKUP_EXCLUDE, "a", SETTING_FILE);
	set(s, OPTION_BACKUP_EXCLUDE, "b", SETTING_FILE);
	values = settings_list(s, OPTION_BACKUP_EXCLUDE, &n);
	assert_int_equal(n, 2);
	assert_string_equal(values[1], "b");
	/* A later source replaces the list. */
	set(s, OPTION_BACKUP_EXCLUDE, "c", SETTING_FLAG);
	values = settings_list(s, OPTION_BACKUP_EXCLUDE, &n);
	assert_int_equal(n, 1);
	assert_string_equal(values[0], "c");
}

static void
test_unknown_names(void **state)
{
	struct settings *s = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(
		settings_set_named(s, "backup", "memory_limits", "1GiB", SETTING_FILE, "f:1", &err),
		ERR_CONFIG);
	assert_string_equal(err.msg, "f:1: there is no setting 'backup.memory_limits'");
	assert_string_equal(err.hint, "did you mean 'backup.memory_limit'?");
	/* A known writer's section is checked like any other. */
	assert_int_equal(
		settings_set_named(s, "writer.postgresql", "hots", "x", SETTING_FILE, "f:2", &err),
		ERR_CONFIG);
	assert_string_equal(err.hint, "did you mean 'writer.postgresql.host'?");
}

static void
test_assignments(void **state)
{
	struct settings *s = *state;
	struct error err = ERROR_INIT;
	static const char *const bad[] = {"",           "backup",    "backup.workers",
					  ".workers=1", "backup.=1", "workers=1",
					  "=1",         "a=b.c"};

	assert_int_equal(settings_set_assignment(s, "writer.postgresql.host=/run=x", &err), OK);
	assert_string_equal(settings_text(s, OPTION_POSTGRESQL_HOST), "/run=x");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (settings_set_assignment(s, bad[i], &err) != ERR_USAGE)
			fail_msg("'%s' was accepted", bad[i]);
}

static void
test_environment(void **state)
{
	struct settings *s = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(setenv("HOLDFAST_REPOSITORY", "/env", 1), 0);
	assert_int_equal(setenv("HOLDFAST_PRUNE_GRACE", "2h", 1), 0);
	assert_int_equal(setenv("HOLDFAST_KEY_FILE", "", 1), 0);
	assert_int_equal(settings_set_environment(s, &err), OK);
	assert_string_equal(settings_text(s, OPTION_REPOSITORY_LOCATION), "/env");
	assert_int_equal(settings_number(s, OPTION_PRUNE_GRACE), 7200);
	assert_null(settings_text(s, OPTION_REPOSITORY_KEY_FILE));
	assert_string_equal(view_of(s, "prune", "grace").origin,
			    "environment HOLDFAST_PRUNE_GRACE");
	assert_int_equal(setenv("HOLDFAST_PRUNE_GRACE", "2", 1), 0);
	assert_int_equal(settings_set_environment(s, &err), ERR_CONFIG);
	assert_non_null(strstr(err.msg, "environment HOLDFAST_PRUNE_GRACE"));
	(void)unsetenv("HOLDFAST_REPOSITORY");
	(void)unsetenv("HOLDFAST_PRUNE_GRACE");
	(void)unsetenv("HOLDFAST_KEY_FILE");
}

static void
test_writers(void **state)
{
	struct settings *s = *state;
	struct error err = ERROR_INIT;
	json_t *j = NULL;

	set(s, OPTION_POSTGRESQL_CONNECT_TIMEOUT, "1m", SETTING_FILE);
	assert_int_equal(settings_writer(s, "postgresql", &j, &err), OK);
	assert_string_equal(json_string_value(json_object_get(j, "connect_timeout")), "60");
	assert_string_equal(json_string_value(json_object_get(j, "port")), "5432");
	assert_null(json_object_get(j, "host"));
	json_decref(j);

	/* Writers the table does not know get what stands in their section, unchecked. */
	assert_int_equal(settings_set_named(s, "writer.mydb", "password_key", "hidden",
					    SETTING_FILE, "f:9", &err),
			 OK);
	assert_int_equal(settings_writer(s, "mydb", &j, &err), OK);
	assert_string_equal(json_string_value(json_object_get(j, "password_key")), "hidden");
	json_decref(j);
	assert_true(view_of(s, "writer.mydb", "password_key").secret);
}

/* By its older name a timeout is a number of seconds, or what any duration is. */
static void
test_alias(void **state)
{
	struct settings *s = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(settings_set_named(s, "backup", "VSSGuestSnapshotTimeout", "1800",
					    SETTING_FILE, "f:1", &err),
			 OK);
	assert_int_equal(settings_number(s, OPTION_BACKUP_SNAPSHOT_TIMEOUT), 1800);
	assert_int_equal(settings_set_named(s, "backup", "vssguestsnapshottimeout", "2h",
					    SETTING_FILE, "f:2", &err),
			 OK);
	assert_int_equal(settings_number(s, OPTION_BACKUP_SNAPSHOT_TIMEOUT), 7200);
	assert_int_equal(settings_set_named(s, "backup", "snapshot_timeout", "1800", SETTING_FILE,
					    "f:3", &err),
			 ERR_CONFIG);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_precedence, make, drop),
		cmocka_unit_test_setup_teardown(test_every_source_is_checked, make, drop),
		cmocka_unit_test_setup_teardown(test_lists, make, drop),
		cmocka_unit_test_setup_teardown(test_unknown_names, make, drop),
		cmocka_unit_test_setup_teardown(test_assignments, make, drop),
		cmocka_unit_test_setup_teardown(test_environment, make, drop),
		cmocka_unit_test_setup_teardown(test_writers, make, drop),
		cmocka_unit_test_setup_teardown(test_alias, make, drop),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
