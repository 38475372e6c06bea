/* SPDX-License-Identifier: Apache-2.0 */

/* Command lines: every form of flag, and what is refused with which words. */
#include "config/invocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 24, LINE_BYTES = 512 };

/* A command line written as one text, split at blanks. */
struct line {
	char text[LINE_BYTES];
	char *words[WORDS_MAX];
	int n;
	struct invocation inv;
	struct error err;
};

static int
parse(struct line *l, const char *text)
{
	char *rest = NULL;

	*l = (struct line){.err = ERROR_INIT};
	assert_true(strlen(text) < sizeof(l->text));
	memcpy(l->text, text, strlen(text) + 1);
	for (char *w = strtok_r(l->text, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
		l->words[l->n++] = w;
	return invocation_parse(l->n, l->words, &l->inv, &l->err);
}

static void
accepted(struct line *l, const char *text)
{
	if (parse(l, text) != OK)
		fail_msg("'%s': %s", text, l->err.msg);
}

static void
refused(const char *text, const char *message, const char *hint)
{
	struct line l;

	if (parse(&l, text) != ERR_USAGE)
		fail_msg("'%s' was accepted", text);
	if (strstr(l.err.msg, message) == NULL)
		fail_msg("'%s': '%s' lacks '%s'", text, l.err.msg, message);
	if (strstr(l.err.hint, hint) == NULL)
		fail_msg("'%s': hint '%s' lacks '%s'", text, l.err.hint, hint);
}

static void
test_forms_of_flags(void **state)
{
	static const char *const forms[] = {
		"restore latest --to /x -r /repo",
		"restore --to=/x --repository=/repo latest",
		"restore -r/repo latest --to /x",
		"-r /repo restore latest --to /x",
		"restore --repository /repo --to /x -- latest",
	};
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		accepted(&l, forms[i]);
		assert_ptr_equal(l.inv.command, command_of(COMMAND_RESTORE));
		assert_string_equal(invocation_value(&l.inv, FLAG_TO), "/x");
		assert_string_equal(invocation_value(&l.inv, FLAG_REPOSITORY), "/repo");
		assert_int_equal(l.inv.n_operands, 1);
		assert_string_equal(l.inv.operands[0], "latest");
		assert_false(invocation_has(&l.inv, FLAG_DELTA));
		invocation_done(&l.inv);
	}
}

static void
test_lists_and_operands(void **state)
{
	struct line l;

	(void)state;
	accepted(&l, "backup /a --exclude x /b --exclude=y -- --c -");
	assert_int_equal(l.inv.n_operands, 4);
	assert_string_equal(l.inv.operands[2], "--c");
	assert_string_equal(l.inv.operands[3], "-");
	assert_string_equal(invocation_value_at(&l.inv, FLAG_EXCLUDE, 0), "x");
	assert_string_equal(invocation_value_at(&l.inv, FLAG_EXCLUDE, 1), "y");
	assert_null(invocation_value_at(&l.inv, FLAG_EXCLUDE, 2));
	invocation_done(&l.inv);
}

static void
test_commands_of_two_words(void **state)
{
	struct line l;

	(void)state;
	accepted(&l, "key -r /repo add --label me");
	assert_ptr_equal(l.inv.command, command_of(COMMAND_KEY_ADD));
	invocation_done(&l.inv);
	accepted(&l, "key --help");
	assert_true(l.inv.help);
	assert_null(l.inv.command);
	assert_string_equal(l.inv.group, "key");
	invocation_done(&l.inv);
}

/* --help answers whatever else is wrong with the line. */
static void
test_help_goes_first(void **state)
{
	struct line l;

	(void)state;
	accepted(&l, "restore --help");
	assert_true(l.inv.help);
	assert_ptr_equal(l.inv.command, command_of(COMMAND_RESTORE));
	invocation_done(&l.inv);
}

static void
test_refused(void **state)
{
	(void)state;
	refused("", "no command", "holdfast help");
	refused("bakcup /x", "no command 'bakcup'", "holdfast backup");
	refused("key", "'key' needs", "help key");
	refused("key ad", "no command 'key ad'", "key add");
	refused("backup --exlude x", "no flag '--exlude'", "--exclude");
	refused("backup -Z", "no flag '-Z'", "help backup");
	refused("backup --zzzzzzzz", "no flag '--zzzzzzzz'", "help backup");
	refused("restore latest --to", "'--to' needs a value", "help restore");
	refused("restore latest --to --delta", "'--to' needs a value", "help restore");
	refused("restore latest --to=", "DIR is empty", "help restore");
	refused("restore latest --to a --to b", "twice", "help restore");
	refused("restore --delta=yes latest", "takes no value", "help restore");
	refused("key remove", "ID is missing", "help key remove");
	refused("restore --to x a b", "'b' is too much", "help restore");
	refused("stats extra", "'extra' is too much", "help stats");
	refused("-r /repo version", "'version' does not take --repository", "help version");
	refused("list --tag", "needs a value", "help list");
}

static void
test_settings_from_the_line(void **state)
{
	struct error err = ERROR_INIT;
	struct settings *s = NULL;
	struct line l;

	(void)state;
	assert_int_equal(settings_new(&s, &err), OK);
	accepted(&l, "backup /a -r /repo --option backup.workers=3 --option backup.host=a "
		     "--host b --json --exclude x --exclude y");
	assert_int_equal(invocation_set(&l.inv, s, &err), OK);
	assert_int_equal(settings_number(s, OPTION_BACKUP_WORKERS), 3);
	/* The dedicated flag goes before --option. */
	assert_string_equal(settings_text(s, OPTION_BACKUP_HOST), "b");
	assert_string_equal(settings_text(s, OPTION_REPOSITORY_LOCATION), "/repo");
	assert_true(settings_bool(s, OPTION_OUTPUT_JSON));
	size_t n;
	(void)settings_list(s, OPTION_BACKUP_EXCLUDE, &n);
	assert_int_equal(n, 2);
	invocation_done(&l.inv);

	accepted(&l, "forget --keep-last many");
	assert_int_equal(invocation_set(&l.inv, s, &err), ERR_USAGE);
	assert_non_null(strstr(err.msg, "--keep-last"));
	invocation_done(&l.inv);
	settings_free(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms_of_flags),
		cmocka_unit_test(test_lists_and_operands),
		cmocka_unit_test(test_commands_of_two_words),
		cmocka_unit_test(test_help_goes_first),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_settings_from_the_line),
	};

	return cmocka_run_group_tests_name("invocation", tests, NULL, NULL);
}
