/* SPDX-License-Identifier: Apache-2.0 */

/* Errors as JSON, there and back. */
#include "base/error_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static void
every_code_comes_back(void **state)
{
	enum err code;

	(void)state;
	for (size_t i = 0; (code = error_code_at(i)) != OK; i++) {
		struct error e = ERROR_INIT, back = ERROR_INIT, err = ERROR_INIT;

		error_set(&e, code, "it went wrong at '%s'", "x");
		error_hint(&e, "Try again.");
		CLEAN(json_done) json_t *j = error_json_pack(&e);
		assert_non_null(j);
		assert_int_equal(json_object_get(j, "hresult") != NULL, error_hresult(code) != 0);
		assert_int_equal(error_json_unpack(j, &back, &err), OK);
		assert_int_equal(back.code, code);
		assert_string_equal(back.msg, e.msg);
		assert_string_equal(back.hint, e.hint);
	}
}

static void
text_that_is_none(void **state)
{
	struct error e = ERROR_INIT, back, err = ERROR_INIT;

	(void)state;
	error_set(&e, ERR_SOURCE, "open '\xff'");
	CLEAN(json_done) json_t *j = error_json_pack(&e);
	assert_non_null(j);
	assert_int_equal(error_json_unpack(j, &back, &err), OK);
	assert_string_equal(back.msg, error_sentence(ERR_SOURCE));
}

static int
unpack(const char *text, struct error *ret)
{
	CLEAN(json_done) json_t *j = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(json_parse(SLICE(text, strlen(text)), "test", &j, &err), OK);
	return error_json_unpack(j, ret, &err);
}

static void
from_strangers(void **state)
{
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(unpack("{\"code\":\"NEWER\",\"message\":\"\\u001b[2Jm\"}", &e), OK);
	assert_int_equal(e.code, ERR_PROTOCOL);
	assert_string_equal(e.msg, "NEWER:  [2Jm");
	assert_int_equal(unpack("{\"code\":\"BUSY\",\"message\":\"\",\"more\":[]}", &e), OK);
	assert_int_equal(e.code, ERR_BUSY);
	assert_string_equal(e.msg, error_sentence(ERR_BUSY));
	assert_int_equal(unpack("[]", &e), ERR_PROTOCOL);
	assert_int_equal(unpack("{\"message\":\"m\"}", &e), ERR_PROTOCOL);
	assert_int_equal(unpack("{\"code\":1,\"message\":\"m\"}", &e), ERR_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_comes_back),
		cmocka_unit_test(text_that_is_none),
		cmocka_unit_test(from_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
