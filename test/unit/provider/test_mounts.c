/* SPDX-License-Identifier: Apache-2.0 */

/* The parser of mountinfo. */
#include "provider/mounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

static void
test_mountinfo(void **state)
{
	char text[] = "22 28 0:20 / /sys rw - sysfs sysfs rw\n"
		      "28 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw\n"
		      "31 28 0:30 /vol /mnt/with\\040blank ro,noatime - btrfs /dev/sd\\134b rw\n"
		      "40 28 broken\n"
		      "41 28 0:41 / /x rw no dash here\n"
		      "42 28 0:42 / /y rw - ext4 cut\n"
		      "43 28 7:3 / /z rw,norom - xfs /dev/loop3 noatime,ro\n";
	CLEAN(mounts_done) struct mounts m = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mounts_parse(text, &m, &err), OK);
	assert_int_equal(m.n, 4);
	assert_string_equal(mounts_find(&m, 31)->type, "btrfs");
	assert_string_equal(mounts_find(&m, 31)->point, "/mnt/with blank");
	assert_string_equal(mounts_find(&m, 31)->source, "/dev/sd\\b");
	assert_string_equal(mounts_find(&m, 31)->root, "/vol");
	assert_int_equal(mounts_find(&m, 31)->parent, 28);
	assert_true(mounts_find(&m, 31)->read_only);
	assert_string_equal(mounts_find(&m, 28)->point, "/");
	assert_int_equal(mounts_find(&m, 28)->device, makedev(8, 1));
	assert_false(mounts_find(&m, 28)->read_only);
	assert_true(mounts_find(&m, 43)->read_only);
	for (uint64_t id = 39; id < 43; id++)
		assert_null(mounts_find(&m, id));
}

static void
test_this_machine(void **state)
{
	CLEAN(mounts_done) struct mounts m = {0};
	struct error err = ERROR_INIT;
	bool proc = false;

	(void)state;
	assert_int_equal(mounts_read(&m, &err), OK);
	for (size_t i = 0; i < m.n; i++)
		proc = proc || strcmp(m.list[i].point, "/proc") == 0;
	assert_true(proc);
	assert_true(mounts_is_pseudo("proc") && !mounts_is_pseudo("btrfs"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mountinfo),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}
