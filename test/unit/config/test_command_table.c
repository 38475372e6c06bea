/* SPDX-License-Identifier: Apache-2.0 */

/* The tables of commands and flags are consistent, with each other and with the settings. */
#include "config/command_table.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "config/flag_table.h"

static void
test_commands_are_complete(void **state)
{
	const struct command *c;

	(void)state;
	for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++) {
		c = command_of((enum command_id)id);
		if (c->name == NULL)
			fail_msg("command %d has no entry", id);
		assert_int_equal(command_id_of(c), id);
		assert_ptr_equal(command_find(c->name), c);
		assert_true(islower((unsigned char)c->summary[0]));
		assert_true(c->summary[strlen(c->summary) - 1] != '.');
		assert_true(c->text[strlen(c->text) - 1] == '.');
		assert_true((c->operands.name == NULL) == (c->operands.max == 0));
		assert_true(c->operands.name == NULL || c->operands.help != NULL);
		assert_non_null(c->examples[0].command);
		for (size_t i = 0; i < COMMAND_EXAMPLES_MAX && c->examples[i].command; i++)
			assert_non_null(strstr(c->examples[i].command, c->name));
	}
}

static void
test_flags_are_complete(void **state)
{
	(void)state;
	for (int id = FLAG_NONE + 1; id < FLAG_COUNT; id++) {
		const struct flag *f = command_flag((enum flag_id)id);

		if (f->name == NULL)
			fail_msg("flag %d has no entry", id);
		assert_true(f->kind != 0);
		assert_true((f->kind == FLAG_SWITCH) == (f->value == NULL));
		assert_true(f->help != NULL && !isupper((unsigned char)f->help[0]));
		assert_true(f->help[strlen(f->help) - 1] != '.');
	}
}

/* A flag that stands for a setting must be able to carry its values. */
static void
test_flags_fit_their_settings(void **state)
{
	(void)state;
	for (int id = FLAG_NONE + 1; id < FLAG_COUNT; id++) {
		const struct flag *f = command_flag((enum flag_id)id);
		const struct option_def *o = option_of(f->option);

		if (f->option == OPTION_NONE)
			continue;
		assert_non_null(o);
		if ((f->kind == FLAG_SWITCH) != (o->type == OPTION_TYPE_BOOL) ||
		    (f->kind == FLAG_LIST) != (o->type == OPTION_TYPE_LIST))
			fail_msg("--%s does not fit %s.%s", f->name, o->section, o->key);
	}
}

static bool
used(enum flag_id id)
{
	enum flag_id f;

	for (int c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		for (size_t i = 0;
		     (f = command_flag_at(command_of((enum command_id)c), i)) != FLAG_NONE; i++)
			if (f == id)
				return true;
	return false;
}

static void
test_flags_are_used_and_unambiguous(void **state)
{
	enum flag_id a, b;

	(void)state;
	for (int id = FLAG_NONE + 1; id < FLAG_COUNT; id++)
		if (!used((enum flag_id)id))
			fail_msg("no command takes --%s", command_flag((enum flag_id)id)->name);
	for (int c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++) {
		const struct command *command = command_of((enum command_id)c);

		for (size_t i = 0; (a = command_flag_at(command, i)) != FLAG_NONE; i++)
			for (size_t j = i + 1; (b = command_flag_at(command, j)) != FLAG_NONE; j++) {
				const struct flag *f = command_flag(a), *g = command_flag(b);

				if (strcmp(f->name, g->name) == 0 ||
				    (f->letter != 0 && f->letter == g->letter))
					fail_msg("%s: --%s and --%s clash", command->name, f->name,
						 g->name);
			}
	}
}

static void
test_groups(void **state)
{
	(void)state;
	assert_true(command_is_group("key"));
	assert_true(command_is_group("config"));
	assert_false(command_is_group("ke"));
	assert_false(command_is_group("backup"));
	assert_string_equal(command_nearest("bakup"), "backup");
	assert_null(command_nearest("frobnicate"));
}

static void
test_exit_codes_rise(void **state)
{
	struct exit_note e;
	int last;

	(void)state;
	for (int c = COMMAND_NONE; c < COMMAND_COUNT; c++) {
		size_t n = 0;

		last = -1;
		for (; command_exit_at(command_of((enum command_id)c), n, &e); n++) {
			assert_true(e.code > last);
			last = e.code;
		}
		assert_true(n >= 4);
		assert_int_equal(last, 75);
	}
	/* A command's own words go before the common ones. */
	assert_true(command_exit_at(command_of(COMMAND_VERIFY), 1, &e));
	assert_int_equal(e.code, 1);
	assert_non_null(strstr(e.meaning, "damaged"));
	assert_true(command_exit_at(command_of(COMMAND_BACKUP), 3, &e));
	assert_int_equal(e.code, 3);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_are_complete),
		cmocka_unit_test(test_flags_are_complete),
		cmocka_unit_test(test_flags_fit_their_settings),
		cmocka_unit_test(test_flags_are_used_and_unambiguous),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_exit_codes_rise),
	};

	return cmocka_run_group_tests_name("command_table", tests, NULL, NULL);
}
