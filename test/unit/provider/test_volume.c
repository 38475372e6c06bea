/* SPDX-License-Identifier: Apache-2.0 */

/* What a path lies on, on this machine. */
#include "provider/volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

static void
test_this_machine(void **state)
{
	struct volume v = {0};
	struct error err = ERROR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(volume_of("/proc/self", &v, &err), OK);
	assert_string_equal(v.type, "proc");
	assert_string_equal(v.mount_point, "/proc");
	assert_int_equal(stat("/proc", &st), 0);
	assert_int_equal(v.device, st.st_dev);
	/* Of a link only its folder is followed. */
	assert_string_equal(v.real, "/proc/self");
	assert_false(v.reflink || v.lvm || v.subvolume != NULL || v.block_device != 0);
	volume_done(&v);
	assert_int_equal(volume_of("/proc/self/..", &v, &err), OK);
	assert_string_equal(v.real, "/proc");
	volume_done(&v);
	assert_int_equal(volume_of("/nonexistent/x", &v, &err), ERR_SOURCE);
	assert_non_null(strstr(err.msg, "/nonexistent/x"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests_name("volume", tests, NULL, NULL);
}
