/* SPDX-License-Identifier: Apache-2.0 */

/* What was in the page cache stays there, what was not leaves it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "mover/cachecare.h"

enum { MIB = 1 << 20, SIZE = 5 * MIB + 1000 };

static bool
resident(int fd, size_t from, size_t length)
{
	uint8_t vec[MIB / 4096] = {0};
	void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)from);
	bool any = false;

	assert_true(map != MAP_FAILED);
	assert_int_equal(mincore(map, length, vec), 0);
	(void)munmap(map, length);
	for (size_t i = 0; i < ARRAY_SIZE(vec); i++)
		any = any || (vec[i] & 1);
	return any;
}

static void
read_all(int fd, struct cachecare *c, size_t start, size_t end)
{
	static uint8_t data[MIB];

	for (size_t at = start; at < end; at += MIB) {
		size_t n;

		cachecare_ahead(c, at);
		assert_int_equal(fs_pread(fd, data, MIN((size_t)MIB, end - at), at, &n, NULL), OK);
		cachecare_behind(c, at + n);
	}
}

static void
left_as_it_was(void **state)
{
	char path[] = "/var/tmp/holdfast-cachecare-XXXXXX";
	int fd = mkstemp(path);
	uint8_t *data = calloc(1, SIZE);
	struct cachecare c;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_non_null(data);
	assert_int_equal(fs_pwrite(fd, data, SIZE, 0, NULL), OK);
	free(data);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	if (resident(fd, 0, MIB)) { /* a file system that lives in the cache */
		(void)close(fd);
		skip();
	}
	/* Without the kernel reading ahead on its own: two megabytes are hot, the others cold. */
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
	for (off_t at = 2 * MIB; at < 4 * MIB; at += 4096)
		assert_int_equal(pread(fd, path, 1, at), 1);

	cachecare_begin(&c, fd, 0, SIZE);
	read_all(fd, &c, 0, SIZE);
	assert_false(resident(fd, 0, MIB));
	assert_false(resident(fd, MIB, MIB));
	assert_true(resident(fd, 2 * MIB, MIB));
	assert_true(resident(fd, 3 * MIB, MIB));
	assert_false(resident(fd, 4 * MIB, MIB));
	assert_false(resident(fd, 5 * MIB, 1000));
	(void)close(fd);
}

static void
nothing_and_beyond(void **state)
{
	struct cachecare c;

	(void)state;
	cachecare_begin(&c, -1, 0, 0);
	cachecare_ahead(&c, 0);
	cachecare_behind(&c, 0);
	cachecare_begin(&c, -1, 64 * MIB, UINT64_MAX / 2); /* a bad descriptor changes nothing */
	cachecare_ahead(&c, 70 * MIB);
	cachecare_behind(&c, 71 * MIB);
	assert_true(c.end == UINT64_C(128) * MIB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(left_as_it_was),
		cmocka_unit_test(nothing_and_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
