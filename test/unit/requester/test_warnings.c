/* SPDX-License-Identifier: Apache-2.0 */

/* Warnings: counted without limit, kept and shown within one. */
#include "requester/warnings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
count(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	(void)path;
	(void)code;
	(void)serious;
	(void)message;
	++*(unsigned *)arg;
}

static void
test_limits(void **state)
{
	struct warnings w;
	struct error err = ERROR_INIT;
	unsigned shown = 0;

	(void)state;
	assert_int_equal(warnings_init(&w, count, &shown, &err), OK);
	for (int i = 0; i < WARNINGS_KEPT + 5; i++)
		warnings_add(&w, "/x", ERR_BUSY, false, "changed");
	/* Many small ones must not hide a serious one. */
	warnings_add(&w, "/y\xff", ERR_SOURCE, true, "unreadable");
	assert_int_equal(w.count, WARNINGS_KEPT + 6);
	assert_int_equal(w.serious, 1);
	assert_int_equal(w.dropped, 5);
	assert_int_equal(shown, WARNINGS_KEPT + 1);
	assert_int_equal(json_array_size(w.kept), WARNINGS_KEPT + 1);

	const json_t *last = json_array_get(w.kept, WARNINGS_KEPT);
	assert_string_equal(json_string_value(json_object_get(last, "code")), "SOURCE");
	assert_true(json_is_true(json_object_get(last, "serious")));
	assert_true(json_is_object(json_object_get(last, "path")));
	warnings_done(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits)};

	return cmocka_run_group_tests_name("warnings", tests, NULL, NULL);
}
