/* SPDX-License-Identifier: Apache-2.0 */

/* Errors there and back, and what a stranger may put into a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "writer/wire.h"

static int
parse(const char *text, struct error *err)
{
	json_t *j = NULL;

	int rc = wire_parse(SLICE(text, strlen(text)), &j, err);
	json_decref(j);
	return rc;
}

static void
test_parse(void **arg)
{
	struct error err = ERROR_INIT;
	char deep[256];

	(void)arg;
	assert_int_equal(parse("{\"a\":[{}]}", &err), OK);
	assert_int_equal(parse("", &err), ERR_PROTOCOL);
	assert_int_equal(parse("3", &err), ERR_PROTOCOL);
	assert_int_equal(parse("{} {}", &err), ERR_PROTOCOL);
	assert_int_equal(parse("{\"a\":1,\"a\":2}", &err), ERR_PROTOCOL);
	assert_int_equal(parse("{\"a\":\"\xff\"}", &err), ERR_PROTOCOL);
	/* Brackets inside strings are no depth. */
	assert_int_equal(parse("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[\"}", &err),
			 OK);
	for (int depth = 15; depth <= 16; depth++) {
		int n = snprintf(deep, sizeof(deep), "{\"a\":");
		memset(deep + n, '[', (size_t)depth);
		memset(deep + n + depth, ']', (size_t)depth);
		(void)snprintf(deep + n + 2 * depth, 2, "}");
		assert_int_equal(parse(deep, &err), depth == 15 ? OK : ERR_PROTOCOL);
	}
}

/* A code meant for writers comes back as itself; any other as one of the two general ones. */
static void
test_codes(void **arg)
{
	static const enum err own[] = {ERR_DB_CONNECT,      ERR_DB_AUTH,    ERR_DB_CONFIG,
				       ERR_DB_SESSION_LOST, ERR_PERMISSION, ERR_BAD_STATE,
				       ERR_TARGET,          ERR_BUSY,       ERR_WRITER_FAILED};
	static const enum err foreign[] = {ERR_PASSWORD, ERR_USAGE, ERR_INCOMPLETE, ERR_STORE_FULL,
					   ERR_POINT};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(own) + ARRAY_SIZE(foreign); i++) {
		struct error told = ERROR_INIT, back, err = ERROR_INIT;
		bool ours = i < ARRAY_SIZE(own);
		enum err code = ours ? own[i] : foreign[i - ARRAY_SIZE(own)];
		char text[16];

		(void)error_set(&told, code, "what '%s' said", "it");
		(void)error_hint(&told, "do this");
		json_t *j = wire_error_pack(&told);
		(void)snprintf(text, sizeof(text), "0x%08x", (unsigned)error_hresult(code));
		assert_string_equal(json_string_value(json_object_get(j, "hresult")), text);
		assert_int_equal(wire_error_unpack(j, &back, &err), OK);
		if (ours)
			assert_int_equal(back.code, code);
		else
			assert_int_equal(back.code, error_retryable(code) ? ERR_WRITER_RETRYABLE
									  : ERR_WRITER_FAILED);
		assert_string_equal(back.msg, "what 'it' said");
		assert_string_equal(back.hint, "do this");
		json_decref(j);
	}
}

static void
test_not_utf8(void **arg)
{
	struct error told = ERROR_INIT;

	(void)arg;
	(void)error_set(&told, ERR_DB_CONFIG, "\xff");
	json_t *j = wire_error_pack(&told);
	assert_string_equal(json_string_value(json_object_get(j, "message")),
			    error_sentence(ERR_DB_CONFIG));
	json_decref(j);
}

static void
test_controls(void **arg)
{
	struct error back, err = ERROR_INIT;
	json_t *j = json_pack("{s:s, s:s, s:s, s:b}", "code", "X", "message",
			      "a\x1b[31m\nb\x7f\xc2\x9b\xc3\xa4", "hint", "\t!", "retryable", 1);

	(void)arg;
	assert_int_equal(wire_error_unpack(j, &back, &err), OK);
	assert_int_equal(back.code, ERR_WRITER_RETRYABLE);
	assert_string_equal(back.msg, "a [31m b   \xc3\xa4");
	assert_string_equal(back.hint, " !");
	json_decref(j);
}

static void
test_wrong(void **arg)
{
	static const char *const texts[] = {
		"[]",
		"{\"message\":\"m\"}",
		"{\"code\":1,\"message\":\"m\"}",
		"{\"code\":\"X\"}",
		"{\"code\":\"X\",\"message\":\"m\",\"hint\":1}",
		"{\"code\":\"X\",\"message\":\"m\",\"retryable\":\"no\"}",
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error back = ERROR_INIT, err = ERROR_INIT;
		json_t *j = json_loads(texts[i], 0, NULL);

		assert_int_equal(wire_error_unpack(j, &back, &err), ERR_PROTOCOL);
		assert_int_equal(back.code, OK);
		json_decref(j);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),    cmocka_unit_test(test_codes),
		cmocka_unit_test(test_not_utf8), cmocka_unit_test(test_controls),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
