/* SPDX-License-Identifier: Apache-2.0 */

/* A pg_control as PostgreSQL 15 writes it, as far as it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "postgresql/control.h"

static void
put(uint8_t *file, size_t at, uint64_t v, size_t n)
{
	memcpy(file + at, &v, n);
}

static void
test_parse(void **arg)
{
	uint8_t file[512] = {0};
	struct control c;
	struct error err = ERROR_INIT;

	(void)arg;
	put(file, 0, UINT64_C(7711120711986370404), 8);
	put(file, 8, 1300, 4);
	put(file, 12, 202209061, 4);
	put(file, 40, 0x3000028, 8);
	put(file, 48, 2, 4);
	put(file, 136, 0x5000100, 8);
	put(file, 144, 3, 4);
	assert_int_equal(control_parse(SLICE(file, sizeof(file)), &c, &err), OK);
	assert_int_equal(c.system_identifier, UINT64_C(7711120711986370404));
	assert_int_equal(c.catalog_version, 202209061);
	assert_int_equal(c.redo_lsn, 0x3000028);
	assert_int_equal(c.timeline, 2);
	assert_int_equal(c.min_recovery_lsn, 0x5000100);
	assert_int_equal(c.min_recovery_timeline, 3);
	assert_int_equal(control_parse(SLICE(file, 148), &c, &err), OK);
	for (size_t n = 0; n < 148; n++)
		assert_int_equal(control_parse(SLICE(file, n), &c, &err), ERR_CORRUPT);
	put(file, 8, 1201, 4);
	assert_int_equal(control_parse(SLICE(file, sizeof(file)), &c, &err), ERR_CORRUPT);
	assert_string_equal(err.msg, "global/pg_control has version 1201 and not 1300");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
