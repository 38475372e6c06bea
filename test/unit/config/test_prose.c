/* SPDX-License-Identifier: Apache-2.0 */

/* Wrapping and mdoc source, and what the pages made with them must never contain. */
#include "config/prose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "config/completion.h"
#include "config/errors_doc.h"
#include "config/help.h"
#include "config/man.h"

static const char *
text_of(struct buf *b)
{
	struct error err = ERROR_INIT;

	assert_int_equal(buf_u8(b, 0, &err), OK);
	b->n--;
	return (const char *)b->p;
}

static void
test_wrap(void **state)
{
	struct buf b = BUF_INIT(HELP_MAX);
	struct error err = ERROR_INIT;
	char long_word[120];

	(void)state;
	assert_int_equal(prose_wrap(&b, "one two\n\nthree", 0, 2, &err), OK);
	assert_string_equal(text_of(&b), "one two\n\n  three\n");
	buf_reset(&b);
	/* A word that fits nowhere stands on a line of its own. */
	memset(long_word, 'x', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	assert_int_equal(prose_wrap(&b, "a", 10, 10, &err), OK);
	assert_int_equal(prose_wrap(&b, long_word, 0, 0, &err), OK);
	assert_int_equal(b.n, 2 + 120);
	buf_done(&b);
}

static void
test_mdoc(void **state)
{
	struct buf b = BUF_INIT(HELP_MAX);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(prose_mdoc(&b, ".dot first. Then \\ here.\n\nNew one.", &err), OK);
	assert_string_equal(text_of(&b), "\\&.dot first.\nThen \\e here.\n.Pp\nNew one.\n");
	buf_done(&b);
}

/* No line of any help text is wider than a terminal, but for examples that cannot be broken. */
static void
test_help_fits(void **state)
{
	struct buf b = BUF_INIT(HELP_MAX);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(help_overview(&b, NULL, &err), OK);
	assert_int_equal(help_settings(&b, &err), OK);
	for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++)
		assert_int_equal(help_command(&b, command_of((enum command_id)id), &err), OK);
	assert_int_equal(errors_doc_text(&b, &err), OK);
	for (const char *p = text_of(&b); *p != '\0';) {
		size_t n = strcspn(p, "\n");

		if (n > PROSE_WIDTH)
			fail_msg("%zu wide: %.*s", n, (int)n, p);
		p += n + 1;
	}
	buf_done(&b);
}

/* Every setting is in the page of the file, every flag in its command's, every error in the list. */
static void
test_nothing_is_left_out(void **state)
{
	struct buf b = BUF_INIT(HELP_MAX);
	struct error err = ERROR_INIT;
	enum flag_id flag;
	enum err code;

	(void)state;
	assert_int_equal(man_settings(&b, &err), OK);
	for (int id = OPTION_NONE + 1; id < OPTION_COUNT; id++)
		assert_non_null(strstr(text_of(&b), option_of((enum option_id)id)->key));
	for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++) {
		const struct command *c = command_of((enum command_id)id);

		buf_reset(&b);
		assert_int_equal(man_command(&b, c, &err), OK);
		for (size_t i = 0; (flag = command_flag_at(c, i)) != FLAG_NONE; i++) {
			char name[64];

			(void)snprintf(name, sizeof(name), "Fl -%s", command_flag(flag)->name);
			assert_non_null(strstr(text_of(&b), name));
		}
	}
	buf_reset(&b);
	assert_int_equal(errors_doc_markdown(&b, &err), OK);
	for (size_t i = 0; (code = error_code_at(i)) != OK; i++)
		assert_non_null(strstr(text_of(&b), error_name(code)));
	buf_reset(&b);
	assert_int_equal(completion_bash(&b, &err), OK);
	assert_non_null(strstr(text_of(&b), "\"key\") words=\"add list remove\""));
	buf_done(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_mdoc),
		cmocka_unit_test(test_help_fits),
		cmocka_unit_test(test_nothing_is_left_out),
	};

	return cmocka_run_group_tests_name("prose", tests, NULL, NULL);
}
