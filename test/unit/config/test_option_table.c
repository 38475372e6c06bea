/* SPDX-License-Identifier: Apache-2.0 */

/* The table of settings is consistent: every entry is there, complete, and its default is valid. */
#include "config/option_table.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/settings.h"

static void
test_entries_are_complete(void **state)
{
	(void)state;
	for (int id = OPTION_NONE + 1; id < OPTION_COUNT; id++) {
		const struct option_def *o = option_of((enum option_id)id);

		if (o->section == NULL)
			fail_msg("setting %d has no entry", id);
		assert_int_equal(option_id_of(o), id);
		assert_true(o->key != NULL && o->help != NULL && o->text != NULL);
		assert_true(o->fallback != NULL && o->since != NULL && o->type != 0);
		assert_true(o->type != OPTION_TYPE_NUMBER || o->unit != NULL);
		assert_true((o->type == OPTION_TYPE_CHOICE) == (o->choices != NULL));
		assert_true(o->max == 0 || o->min <= o->max);
		/* Sentences: the pages add capitals and full stops themselves. */
		assert_true(o->help[0] != '\0' && !isupper((unsigned char)o->help[0]));
		assert_true(o->help[strlen(o->help) - 1] != '.');
		assert_true(o->text[0] == '\0' || o->text[strlen(o->text) - 1] == '.');
	}
	assert_null(option_of(OPTION_NONE));
	assert_null(option_of(OPTION_COUNT));
}

static void
test_names_are_unique_and_found(void **state)
{
	char env[2][96];

	(void)state;
	for (int a = OPTION_NONE + 1; a < OPTION_COUNT; a++) {
		const struct option_def *o = option_of((enum option_id)a);

		assert_ptr_equal(option_find(o->section, o->key), o);
		for (int b = a + 1; b < OPTION_COUNT; b++)
			assert_string_not_equal(
				option_env(o, env[0], sizeof(env[0])),
				option_env(option_of((enum option_id)b), env[1], sizeof(env[1])));
	}
	assert_null(option_find("backup", "nothing"));
}

static void
test_sections_have_entries(void **state)
{
	const struct option_section *s;
	size_t described = 0;

	(void)state;
	for (size_t i = 0; (s = option_section_at(i)) != NULL; i++) {
		bool any = false;

		for (int id = OPTION_NONE + 1; id < OPTION_COUNT; id++)
			if (strcmp(option_of((enum option_id)id)->section, s->name) == 0) {
				any = true;
				described++;
			}
		if (!any)
			fail_msg("[%s] has no settings", s->name);
	}
	assert_int_equal(described, OPTION_COUNT - 1);
}

/* settings_new() checks every default against its own entry's type and range. */
static void
test_defaults_are_valid(void **state)
{
	struct error err = ERROR_INIT;
	struct settings *s = NULL;

	(void)state;
	if (settings_new(&s, &err) != OK)
		fail_msg("%s", err.msg);
	settings_free(s);
}

static void
test_nearest(void **state)
{
	char text[64];

	(void)state;
	assert_string_equal(option_nearest("backup", "memory_limt", text, sizeof(text)),
			    "backup.memory_limit");
	/* The right key in the wrong section. */
	assert_string_equal(option_nearest("repository", "one_file_system", text, sizeof(text)),
			    "backup.one_file_system");
	assert_null(option_nearest("zzzz", "qqqqqqqqqqqqqqqqqq", text, sizeof(text)));
}

static void
test_variables(void **state)
{
	char text[96];

	(void)state;
	assert_string_equal(
		option_env(option_of(OPTION_POSTGRESQL_OS_USER), text, sizeof(text)),
		"HOLDFAST_WRITER_POSTGRESQL_OS_USER");
	assert_string_equal(option_of(OPTION_REPOSITORY_LOCATION)->env, "HOLDFAST_REPOSITORY");
}

/* The name that administrators know from a registry, in any case of letters. */
static void
test_alias(void **state)
{
	const struct option_def *timeout = option_of(OPTION_BACKUP_SNAPSHOT_TIMEOUT);

	(void)state;
	assert_ptr_equal(option_find("backup", "VSSGuestSnapshotTimeout"), timeout);
	assert_ptr_equal(option_find("backup", "vssguestsnapshottimeout"), timeout);
	assert_null(option_find("writer", "VSSGuestSnapshotTimeout"));
	assert_null(option_find("backup", "Snapshot_Timeout"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_are_complete),
		cmocka_unit_test(test_names_are_unique_and_found),
		cmocka_unit_test(test_sections_have_entries),
		cmocka_unit_test(test_defaults_are_valid),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_alias),
	};

	return cmocka_run_group_tests_name("option_table", tests, NULL, NULL);
}
