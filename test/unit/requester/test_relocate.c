/* SPDX-License-Identifier: Apache-2.0 */

/* Tablespaces and the administrator's map. */
#include "requester/relocate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static json_t *
parse(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	assert_non_null(j);
	return j;
}

static int
resolve(const char *root_text, const char *map_text, struct relocations *ret, struct error *err)
{
	json_t *root = parse(root_text), *map = map_text != NULL ? parse(map_text) : NULL;

	*err = ERROR_INIT;
	int r = relocate_resolve(root, map, ret, err);

	json_decref(root);
	json_decref(map);
	return r;
}

static const char two[] = "{\"relocatable\": [{\"at\": \"t/1\", \"source\": \"/a\"},"
			  "{\"at\": \"t/2\", \"source\": {\"bytes\": \"L/8=\"}}]}";

static void
test_back_or_elsewhere(void **state)
{
	struct relocations r;
	struct error err;

	(void)state;
	assert_int_equal(resolve(two, "{\"/a\": \"/b\"}", &r, &err), OK);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.list[0].at, "t/1");
	assert_string_equal(r.list[0].to, "/b");
	/* Not in the map, and not UTF-8: back to where it was. */
	assert_string_equal(r.list[1].to, "/\xff");
	relocate_done(&r);

	assert_int_equal(resolve("{}", NULL, &r, &err), OK);
	assert_int_equal(r.n, 0);
	relocate_done(&r);
}

static void
test_refused(void **state)
{
	struct relocations r;
	struct error err;

	(void)state;
	assert_int_equal(resolve(two, "{\"/A\": \"/b\"}", &r, &err), ERR_USAGE);
	assert_non_null(strstr(err.hint, "'/a'"));
	assert_int_equal(resolve(two, "{\"/a\": \"b\"}", &r, &err), ERR_USAGE);
	assert_int_equal(resolve("{}", "{\"/a\": \"/b\"}", &r, &err), ERR_USAGE);
	assert_non_null(strstr(err.hint, "no folder"));
	assert_true(resolve("{\"relocatable\": [{\"at\": \"x\"}]}", NULL, &r, &err) < 0);
	assert_true(resolve("{\"relocatable\": [{\"at\": \"\", \"source\": \"/a\"}]}", NULL, &r,
			    &err) < 0);
	assert_true(
		resolve("{\"relocatable\": [{\"at\": \"x\", \"source\": {\"bytes\": \"AA==\"}}]}",
			NULL, &r, &err) < 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_or_elsewhere),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("relocate", tests, NULL, NULL);
}
