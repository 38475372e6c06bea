/* SPDX-License-Identifier: Apache-2.0 */

/* The attribute that tells what a clone was cloned from. */
#include "provider/origin.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/xattr.h>

#include <cmocka.h>

static void
test_there_and_back(void **state)
{
	const struct provider_origin o = {UINT64_MAX - 1, 1, 1700000000123456789};
	struct provider_origin back = {0};
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	int fd = fileno(file);
	assert_int_equal(provider_origin_read(fd, &back), 0);
	if (provider_origin_write(fd, &o) == 0) { /* takes root, and a file system that can */
		assert_int_equal(provider_origin_read(fd, &back), 1);
		assert_memory_equal(&back, &o, sizeof(o));
		assert_int_equal(fsetxattr(fd, PROVIDER_ORIGIN_XATTR, "short", 5, 0), 0);
		assert_int_equal(provider_origin_read(fd, &back), 0);
	}
	(void)fclose(file);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
