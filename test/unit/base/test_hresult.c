/* SPDX-License-Identifier: Apache-2.0 */

/* VSS's codes: numbers and names find each other, and every code that an error has is explained. */
#include "base/hresult.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void
test_table(void **state)
{
	uint32_t code;

	(void)state;
	for (size_t i = 0; (code = hresult_at(i)) != 0; i++) {
		char text[HRESULT_TEXT_MAX];

		assert_int_equal(hresult_find(hresult_name(code)), code);
		assert_non_null(strstr(hresult_text(code, text), hresult_name(code)));
		assert_true(strlen(hresult_meaning(code)) > 0);
		assert_non_null(hresult_advice(code));
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(hresult_at(k), code);
	}
	assert_null(hresult_name(1));
	assert_null(hresult_meaning(1));
	assert_false(hresult_retryable(1));
	assert_int_equal(hresult_find("nothing"), 0);
}

static void
test_text(void **state)
{
	char text[HRESULT_TEXT_MAX];

	(void)state;
	assert_string_equal(hresult_text(0x800423f3, text),
			    "0x800423f3 - VSS_E_WRITERERROR_RETRYABLE");
	assert_string_equal(hresult_text(0, text), "0x00000000");
	assert_int_equal(hresult_find("writererror_timeout"), 0x800423f2);
	assert_int_equal(hresult_find("CO_E_OBJNOTCONNECTED"), 0x800401fd);
	assert_true(hresult_retryable(0x800423f2));
	assert_false(hresult_retryable(0x800423f4));
}

static void
test_every_error_has_a_known_one(void **state)
{
	enum err code;

	(void)state;
	for (size_t i = 0; (code = error_code_at(i)) != OK; i++)
		if (error_hresult(code) != 0)
			assert_non_null(hresult_name(error_hresult(code)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_every_error_has_a_known_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
