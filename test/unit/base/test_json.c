/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parsing, writing, fields with errors that name them, and names of any bytes.
 */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct slice
text(const char *s)
{
	return SLICE(s, strlen(s));
}

static json_t *
parsed(const char *s)
{
	json_t *j = NULL;

	assert_int_equal(json_parse(text(s), "test", &j, NULL), OK);
	assert_non_null(j);
	return j;
}

static void
test_parse_and_write(void **state)
{
	static const char *const same[] = {
		"{}",
		"[]",
		"12",
		"\"x\"",
		"true",
		"null",
		"{\"b\":1,\"a\":[1,2,{\"c\":null}],\"0\":\"\xc3\xa4\"}",
		"9223372036854775807",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		CLEAN(json_done) json_t *j = parsed(same[i]);
		CLEAN(buf_done) struct buf b = BUF_INIT(1000);
		assert_int_equal(json_write(j, &b, NULL), OK);
		assert_int_equal(b.n, strlen(same[i]));
		assert_memory_equal(b.p, same[i], b.n);
	}
	CLEAN(json_done) json_t *spaced = parsed(" { \"a\" : 1 }\n");
	assert_true(json_is_object(spaced));
}

static void
test_parse_refuses(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"{",
		"{}x",
		"{} {}",
		"{\"a\":1,\"a\":2}",
		"\"\\u0000\"",
		"\"\xff\"",
		"{\"a\":9223372036854775808}",
		"nul",
		"{'a':1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *j = NULL;
		struct error err = ERROR_INIT;
		assert_int_equal(json_parse(text(cases[i]), "plan", &j, &err), ERR_PROTOCOL);
		assert_memory_equal(err.msg, "plan: ", 6);
		assert_null(j);
	}
	json_t *j = NULL;
	assert_int_equal(json_parse(SLICE(NULL, 0), "plan", &j, NULL), ERR_PROTOCOL);
	assert_int_equal(json_parse(SLICE("1\0", 2), "plan", &j, NULL), ERR_PROTOCOL);
	assert_int_equal(json_parse(SLICE("{}\0{", 4), "plan", &j, NULL), ERR_PROTOCOL);
	/* Only as much as the slice says. */
	assert_int_equal(json_parse(SLICE("12x", 2), "plan", &j, NULL), OK);
	assert_int_equal(json_integer_value(j), 12);
	json_decref(j);
}

static void
test_parse_refuses_depth(void **state)
{
	struct error err = ERROR_INIT;
	char deep[100000];
	json_t *j = NULL;

	(void)state;
	memset(deep, '[', sizeof(deep));
	assert_int_equal(json_parse(SLICE(deep, sizeof(deep)), "x", &j, &err), ERR_PROTOCOL);
	assert_non_null(strstr(err.msg, "depth"));
}

static void
test_write_limits(void **state)
{
	CLEAN(json_done) json_t *j = parsed("{\"key\":\"value\"}");
	CLEAN(buf_done) struct buf b = BUF_INIT(16);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(buf_append(&b, "ab", 2, &err), OK);
	assert_int_equal(json_write(j, &b, &err), ERR_LIMIT);
	assert_int_equal(b.n, 2);
	buf_reset(&b);
	assert_int_equal(json_write(j, &b, &err), OK);
	assert_int_equal(b.n, 15);
}

static void
test_write_what_is_no_json(void **state)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(100);
	CLEAN(json_done) json_t *j = json_array();
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(json_array_append_new(j, json_integer(1)), 0);
	assert_int_equal(json_array_append_new(j, json_string_nocheck("\xff")), 0);
	assert_int_equal(json_write(j, &b, &err), ERR_INTERNAL);
	assert_int_equal(b.n, 0);
}

static void
test_required_fields(void **state)
{
	CLEAN(json_done)
	json_t *o = parsed("{\"s\":\"x\",\"n\":7,\"neg\":-1,\"o\":{\"k\":1},\"a\":[1],\"r\":1.0,"
			   "\"z\":null}");
	const char *s = NULL;
	uint64_t n = 99;
	json_t *j = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(json_get_str(o, "s", &s, &err), OK);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_u64(o, "n", &n, &err), OK);
	assert_int_equal(n, 7);
	assert_int_equal(json_get_obj(o, "o", &j, &err), OK);
	assert_int_equal(json_object_size(j), 1);
	assert_int_equal(json_get_arr(o, "a", &j, &err), OK);
	assert_int_equal(json_array_size(j), 1);

	/* Absent, and of another type; outputs keep what they had. */
	json_t *before = j;
	assert_int_equal(json_get_str(o, "none", &s, &err), ERR_PROTOCOL);
	assert_string_equal(err.msg, "field 'none' is missing (a string expected)");
	assert_int_equal(json_get_str(o, "n", &s, &err), ERR_PROTOCOL);
	assert_string_equal(err.msg, "field 'n' is not a string");
	assert_int_equal(json_get_str(o, "z", &s, &err), ERR_PROTOCOL);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_u64(o, "none", &n, &err), ERR_PROTOCOL);
	assert_int_equal(json_get_u64(o, "s", &n, &err), ERR_PROTOCOL);
	assert_int_equal(json_get_u64(o, "neg", &n, &err), ERR_PROTOCOL);
	assert_int_equal(json_get_u64(o, "r", &n, &err), ERR_PROTOCOL);
	assert_int_equal(n, 7);
	assert_int_equal(json_get_obj(o, "none", &j, &err), ERR_PROTOCOL);
	assert_int_equal(json_get_obj(o, "a", &j, &err), ERR_PROTOCOL);
	assert_int_equal(json_get_arr(o, "none", &j, &err), ERR_PROTOCOL);
	assert_int_equal(json_get_arr(o, "o", &j, &err), ERR_PROTOCOL);
	assert_ptr_equal(j, before);
}

static void
test_not_an_object(void **state)
{
	CLEAN(json_done) json_t *a = parsed("[1]");
	const char *s = NULL;

	(void)state;
	assert_int_equal(json_get_str(a, "s", &s, NULL), ERR_PROTOCOL);
	assert_int_equal(json_get_str(NULL, "s", &s, NULL), ERR_PROTOCOL);
}

static void
test_optional_fields(void **state)
{
	CLEAN(json_done) json_t *o = parsed("{\"s\":\"x\",\"n\":7,\"t\":true,\"f\":false}");
	const char *s = NULL;
	uint64_t n = 99;
	bool b = false;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(json_opt_str(o, "s", "no", &s, &err), OK);
	assert_string_equal(s, "x");
	assert_int_equal(json_opt_str(o, "none", "no", &s, &err), OK);
	assert_string_equal(s, "no");
	assert_int_equal(json_opt_str(o, "none", NULL, &s, &err), OK);
	assert_null(s);
	assert_int_equal(json_opt_str(o, "n", "no", &s, &err), ERR_PROTOCOL);
	assert_int_equal(json_opt_u64(o, "n", 1, &n, &err), OK);
	assert_int_equal(n, 7);
	assert_int_equal(json_opt_u64(o, "none", UINT64_MAX, &n, &err), OK);
	assert_true(n == UINT64_MAX);
	assert_int_equal(json_opt_u64(o, "s", 1, &n, &err), ERR_PROTOCOL);
	assert_int_equal(json_opt_bool(o, "t", false, &b, &err), OK);
	assert_true(b);
	assert_int_equal(json_opt_bool(o, "f", true, &b, &err), OK);
	assert_false(b);
	assert_int_equal(json_opt_bool(o, "none", true, &b, &err), OK);
	assert_true(b);
	assert_int_equal(json_opt_bool(o, "n", true, &b, &err), ERR_PROTOCOL);
	assert_string_equal(err.msg, "field 'n' is not true or false");
}

static void
test_bytes_round_trip(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool as_text;
	} cases[] = {
		{"", 0, true},
		{"plain", 5, true},
		{"\xc3\xa4", 2, true},
		{"\xff", 1, false},
		{"\xc3", 1, false},
		{"a\0b", 3, false},
		{"\xed\xa0\x80", 3, false}, /* half a surrogate pair */
		{"\xc0\xaf", 2, false}, /* "/" in disguise */
		{"\x01\x1f\"\\", 4, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEAN(json_done) json_t *j = json_bytes(cases[i].bytes, cases[i].n);
		CLEAN(buf_done) struct buf wire = BUF_INIT(100), back = BUF_INIT(100);
		assert_non_null(j);
		assert_int_equal(json_is_string(j), cases[i].as_text);
		/* Through the wire, since that is what it is for. */
		assert_int_equal(json_write(j, &wire, NULL), OK);
		CLEAN(json_done) json_t *read = NULL;
		assert_int_equal(json_parse(buf_slice(&wire), "x", &read, NULL), OK);
		assert_int_equal(json_bytes_get(read, &back, NULL), OK);
		assert_int_equal(back.n, cases[i].n);
		if (back.n > 0)
			assert_memory_equal(back.p, cases[i].bytes, back.n);
	}
	CLEAN(json_done) json_t *nothing = json_bytes(NULL, 0);
	assert_true(json_is_string(nothing));
}

static void
test_bytes_refused(void **state)
{
	static const char *const cases[] = {
		"1",
		"null",
		"[]",
		"{}",
		"{\"bytes\":1}",
		"{\"bytes\":\"Zg\"}",
		"{\"bytes\":\"Zg==\",\"x\":1}",
		"{\"byte\":\"Zg==\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEAN(json_done) json_t *j = parsed(cases[i]);
		CLEAN(buf_done) struct buf b = BUF_INIT(100);
		assert_int_equal(json_bytes_get(j, &b, NULL), ERR_PROTOCOL);
		assert_int_equal(b.n, 0);
	}
	CLEAN(buf_done) struct buf b = BUF_INIT(2);
	CLEAN(json_done) json_t *longer = parsed("\"abc\"");
	assert_int_equal(json_bytes_get(longer, &b, NULL), ERR_LIMIT);
	assert_int_equal(json_bytes_get(NULL, &b, NULL), ERR_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_write),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_refuses_depth),
		cmocka_unit_test(test_write_limits),
		cmocka_unit_test(test_write_what_is_no_json),
		cmocka_unit_test(test_required_fields),
		cmocka_unit_test(test_not_an_object),
		cmocka_unit_test(test_optional_fields),
		cmocka_unit_test(test_bytes_round_trip),
		cmocka_unit_test(test_bytes_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
