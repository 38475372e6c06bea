/* SPDX-License-Identifier: Apache-2.0 */

/* What a path lies on: what mountinfo says, and this machine. */
#include "provider/volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

static void
test_mountinfo(void **state)
{
	static const char lines[] =
		"22 28 0:20 / /sys rw - sysfs sysfs rw\n"
		"28 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw\n"
		"31 28 0:30 /vol /mnt/with\\040blank rw - btrfs /dev/sd\\134b rw\n"
		"40 28 broken\n"
		"41 28 0:41 / /x rw no dash here\n";
	struct volume v = {0};
	struct error err = ERROR_INIT;
	char text[sizeof(lines)];

	(void)state;
	memcpy(text, lines, sizeof(lines));
	assert_int_equal(volume_parse_mountinfo(text, 31, &v, &err), 1);
	assert_string_equal(v.type, "btrfs");
	assert_string_equal(v.mount_point, "/mnt/with blank");
	assert_string_equal(v.source, "/dev/sd\\b");
	volume_done(&v);
	memcpy(text, lines, sizeof(lines));
	assert_int_equal(volume_parse_mountinfo(text, 28, &v, &err), 1);
	assert_string_equal(v.type, "ext4");
	assert_string_equal(v.mount_point, "/");
	volume_done(&v);
	for (uint64_t id = 39; id < 43; id++) {
		memcpy(text, lines, sizeof(lines));
		assert_int_equal(volume_parse_mountinfo(text, id, &v, &err), 0);
	}
}

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
	volume_done(&v);
	assert_int_equal(volume_of("/nonexistent/x", &v, &err), ERR_SOURCE);
	assert_non_null(strstr(err.msg, "/nonexistent/x"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mountinfo),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests_name("volume", tests, NULL, NULL);
}
