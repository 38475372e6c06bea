/* SPDX-License-Identifier: Apache-2.0 */

/* From SQLSTATE to our codes; above all, what is worth another try and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "postgresql/sqlstate.h"

static void
test_codes(void **arg)
{
	static const struct {
		const char *state;
		enum err code;
		bool retryable;
	} known[] = {
		{"08006", ERR_DB_SESSION_LOST, true},  {"28P01", ERR_DB_AUTH, false},
		{"28000", ERR_DB_AUTH, false},         {"3D000", ERR_DB_CONFIG, false},
		{"40001", ERR_WRITER_RETRYABLE, true}, {"42501", ERR_PERMISSION, false},
		{"42601", ERR_WRITER_FAILED, false},   {"53100", ERR_WRITER_RETRYABLE, true},
		{"53300", ERR_DB_CONNECT, true},       {"53400", ERR_DB_CONFIG, false},
		{"55000", ERR_DB_CONFIG, false},       {"55P03", ERR_WRITER_RETRYABLE, true},
		{"57014", ERR_WRITER_RETRYABLE, true}, {"57P01", ERR_DB_SESSION_LOST, true},
		{"57P02", ERR_DB_SESSION_LOST, true},  {"57P03", ERR_DB_CONNECT, true},
		{"57P05", ERR_DB_SESSION_LOST, true},  {"58P01", ERR_WRITER_FAILED, false},
		{"XX000", ERR_WRITER_FAILED, false},   {"XX001", ERR_DB_CORRUPT, false},
		{"", ERR_DB_SESSION_LOST, true},       {NULL, ERR_DB_SESSION_LOST, true},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *hint = "as it was";
		enum err code = sqlstate_code(known[i].state, &hint);

		if (code != known[i].code)
			fail_msg("%s: %s", known[i].state, error_name(code));
		assert_int_equal(error_retryable(code), known[i].retryable);
		assert_non_null(hint);
	}
}

static void
test_in_text(void **arg)
{
	const char *sentence;
	char state[SQLSTATE_LEN + 1];

	(void)arg;
	assert_true(sqlstate_in_text("connection to server at \"127.0.0.1\", port 5432 failed: "
				     "FATAL:  28P01: password authentication failed\nLOCATION:  "
				     "auth_failed, auth.c:335\n",
				     state, &sentence));
	assert_string_equal(state, "28P01");
	assert_memory_equal(sentence, "password authentication", 23);
	/* Whatever the language of the severity. */
	assert_true(sqlstate_in_text("SCHWERWIEGEND:  57P03: das Datenbanksystem startet", state,
				     &sentence));
	assert_string_equal(state, "57P03");
	/* Not the first two blanks after a colon there are. */
	assert_true(sqlstate_in_text("a:  b: c FATAL:  28000: x", state, &sentence));
	assert_string_equal(state, "28000");

	static const char *const none[] = {"",
					   "connection to server on socket \"/tmp/x\" failed",
					   "x:  28P0: y",
					   "x:  28P011: y",
					   "x:  28P01",
					   "x:  28P01:y",
					   "x: 28P01: y",
					   ":  "};
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_false(sqlstate_in_text(none[i], state, &sentence));
	assert_string_equal(state, "28000");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_in_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
