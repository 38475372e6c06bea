/* SPDX-License-Identifier: Apache-2.0 */

/* Settings of sections with a name in them: forms, look-up, and that their table is in order. */
#include "config/option_named.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "config/settings.h"

static void
test_entries_are_complete(void **state)
{
	const struct option_def *o;

	(void)state;
	for (size_t i = 0; (o = option_named_at(i)) != NULL; i++) {
		assert_true(o->section != NULL && o->help != NULL && o->text != NULL);
		assert_true(o->fallback != NULL && o->since != NULL && o->type != 0);
		assert_true(o->type != OPTION_TYPE_NUMBER || o->unit != NULL);
		assert_true((o->type == OPTION_TYPE_CHOICE) == (o->choices != NULL));
		assert_true(o->type != OPTION_TYPE_LIST); /* settings.c knows none of those here */
		assert_true(o->max == 0 || o->min <= o->max);
		assert_true(o->help[0] != '\0' && !isupper((unsigned char)o->help[0]));
		assert_true(o->help[strlen(o->help) - 1] != '.');
		assert_true(o->text[0] == '\0' || o->text[strlen(o->text) - 1] == '.');
		for (size_t j = 0; j < i; j++)
			assert_false(strcmp(option_named_at(j)->section, o->section) == 0 &&
				     strcmp(option_named_at(j)->key, o->key) == 0);
	}
}

static void
test_forms(void **state)
{
	(void)state;
	assert_string_equal(option_named_section("group.orders")->name, "group.NAME");
	assert_string_equal(option_named_section("group.Or-d_3rs")->name, "group.NAME");
	assert_string_equal(option_named_section("group.orders.copy.pg1")->name,
			    "group.NAME.copy.COPY");
	assert_null(option_named_section("group"));
	assert_null(option_named_section("group."));
	assert_null(option_named_section("group.a b"));
	assert_null(option_named_section("group.a.b"));
	assert_null(option_named_section("group.a.copy"));
	assert_null(option_named_section("group.a.copy."));
	assert_null(option_named_section("group.a.copy.b.c"));
	assert_null(option_named_section("groups.a"));
	assert_null(option_named_section("group.aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde"));
	assert_non_null(option_named_section("group.aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"));
	assert_true(option_named_is_meant("group.a b"));
	assert_false(option_named_is_meant("groups"));
}

static void
test_find(void **state)
{
	char text[64];

	(void)state;
	assert_string_equal(option_named_find("group.a", "prefer")->key, "prefer");
	assert_string_equal(option_named_find("group.a", "querylograngetimeoutinmsec")->key,
			    "query_log_range_timeout");
	assert_null(option_named_find("group.a", "host"));
	assert_string_equal(option_named_find("group.a.copy.b", "host")->key, "host");
	assert_string_equal(option_named_nearest("group.a", "heartbeet", text, sizeof(text)),
			    "group.a.heartbeat");
	assert_null(option_named_nearest("group.a", "zzzzzzzz", text, sizeof(text)));
}

static void
set(struct settings *s, const char *section, const char *key, const char *value,
    enum setting_source source, enum err expected, const char *part)
{
	struct error err = ERROR_INIT;

	assert_int_equal(settings_set_named(s, section, key, value, source, "x:1", &err), expected);
	if (expected != OK && strstr(err.msg, part) == NULL && strstr(err.hint, part) == NULL)
		fail_msg("\"%s\" (%s) lacks \"%s\"", err.msg, err.hint, part);
}

static struct setting_view
view_of(const struct settings *s, const char *key)
{
	struct setting_view v;

	for (size_t i = 0; settings_at(s, i, &v); i++)
		if (strcmp(v.section, "group.a") == 0 && strcmp(v.key, key) == 0)
			return v;
	fail_msg("no %s", key);
	return (struct setting_view){0};
}

static void
test_settings(void **state)
{
	CLEAN(settings_freep) struct settings *s = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(settings_new(&s, &err), OK);
	/* What was refused leaves nothing behind, no defaults either. */
	set(s, "group.a", "heartbeat", "2", SETTING_FILE, ERR_CONFIG, "give the unit");
	set(s, "group.a", "heartbeat", "1ms", SETTING_FILE, ERR_CONFIG, "100ms to 10m");
	set(s, "group.a", "heartbeat", "", SETTING_FILE, ERR_CONFIG, "duration");
	set(s, "group.a", "prefer", "none", SETTING_FILE, ERR_CONFIG, "passive-only");
	set(s, "group.a", "prefre", "active", SETTING_FILE, ERR_CONFIG, "group.a.prefer");
	set(s, "group.a.kopy.b", "host", "x", SETTING_FILE, ERR_CONFIG, "[group.NAME.copy.COPY]");
	set(s, "group.a", "prefer", "none", SETTING_FLAG, ERR_USAGE, "passive-only");
	for (size_t i = 0; i < 1000; i++) {
		struct setting_view v;

		assert_false(settings_at(s, i, &v) && strncmp(v.section, "group.", 6) == 0);
	}

	set(s, "group.a", "heartbeat", "1500ms", SETTING_FILE, OK, "");
	assert_int_equal(view_of(s, "heartbeat").number, 1500);
	assert_int_equal(view_of(s, "heartbeat").source, SETTING_FILE);
	assert_int_equal(view_of(s, "context_lease").number, 60000);
	assert_int_equal(view_of(s, "context_lease").source, SETTING_DEFAULT);
	assert_int_equal(view_of(s, "engine").n, 0);
	set(s, "group.a", "heartbeat", "1s", SETTING_FILE, ERR_CONFIG, "was given at x:1 already");
	set(s, "group.a", "heartbeat", "3s", SETTING_OPTION, OK, "");
	set(s, "group.a", "heartbeat", "4s", SETTING_OPTION, OK, "");
	assert_int_equal(view_of(s, "heartbeat").number, 4000);
	set(s, "group.a", "slot", "x", SETTING_FILE, OK, "");
	set(s, "group.a", "slot", "", SETTING_OPTION, OK, "");
	assert_int_equal(view_of(s, "slot").n, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_are_complete),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests_name("option_named", tests, NULL, NULL);
}
