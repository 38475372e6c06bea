/* SPDX-License-Identifier: Apache-2.0 */

/* The cache of open files: what is kept, what goes first, and that a pin holds. Descriptors are
 * those of pipes' ends, told apart by what fcntl says about them. */
#include "store/fdcache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SLOTS = 3 };

static struct fdcache *cache;

static int
setup(void **state)
{
	struct error err;

	(void)state;
	return fdcache_new(SLOTS, &cache, &err);
}

static int
teardown(void **state)
{
	(void)state;
	fdcache_free(cache);
	return 0;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int
new_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Add and release at once. */
static int
add(const char *name)
{
	struct fdcache_pin pin;

	fdcache_add(cache, name, new_fd(), &pin);
	fdcache_release(cache, &pin);
	return pin.fd;
}

static bool
has(const char *name)
{
	struct fdcache_pin pin;

	if (!fdcache_find(cache, name, &pin))
		return false;
	assert_true(is_open(pin.fd));
	fdcache_release(cache, &pin);
	return true;
}

static void
find_what_was_added(void **state)
{
	struct fdcache_pin pin = {.fd = -7};

	(void)state;
	assert_false(fdcache_find(cache, "a", &pin));
	assert_int_equal(pin.fd, -7);
	int fd = add("a");
	assert_true(fdcache_find(cache, "a", &pin));
	assert_int_equal(pin.fd, fd);
	fdcache_release(cache, &pin);
	assert_false(has("b"));
	assert_false(has(""));
}

static void
oldest_goes_first(void **state)
{
	(void)state;
	int a = add("a");
	(void)add("b");
	(void)add("c");
	assert_true(has("a")); /* now b is the oldest */
	(void)add("d");
	assert_true(has("a"));
	assert_false(has("b"));
	assert_true(has("c"));
	assert_true(has("d"));
	assert_true(is_open(a));
}

static void
eviction_closes(void **state)
{
	(void)state;
	int a = add("a");
	(void)add("b");
	(void)add("c");
	assert_true(is_open(a));
	int d = new_fd();
	struct fdcache_pin pin;
	fdcache_add(cache, "d", d, &pin);
	assert_false(is_open(a));
	fdcache_release(cache, &pin);
	assert_true(is_open(d));
}

static void
pinned_are_not_evicted(void **state)
{
	struct fdcache_pin pins[SLOTS + 2];
	char name[] = "a";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++, name[0]++)
		fdcache_add(cache, name, new_fd(), &pins[i]);
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++)
		assert_true(is_open(pins[i].fd));
	/* What did not fit works, is not found, and ends with its release. */
	assert_true(has("a") && has("b") && has("c"));
	assert_false(has("d") || has("e"));
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++)
		fdcache_release(cache, &pins[i]);
	assert_true(is_open(pins[0].fd));
	assert_false(is_open(pins[SLOTS].fd));
	assert_false(is_open(pins[SLOTS + 1].fd));
}

static void
drop_waits_for_pins(void **state)
{
	struct fdcache_pin one, two, other;

	(void)state;
	fdcache_add(cache, "a", new_fd(), &one);
	assert_true(fdcache_find(cache, "a", &two));
	fdcache_drop(cache, "a");
	assert_false(has("a"));
	assert_true(is_open(one.fd));
	fdcache_release(cache, &one);
	assert_true(is_open(two.fd));
	/* The name may have a new descriptor while the old one is still in use. */
	fdcache_add(cache, "a", new_fd(), &other);
	assert_int_not_equal(other.fd, two.fd);
	fdcache_release(cache, &other);
	fdcache_release(cache, &two);
	assert_false(is_open(two.fd));
	assert_true(has("a"));
	fdcache_drop(cache, "a");
	assert_false(is_open(other.fd));
	fdcache_drop(cache, "a");
	fdcache_drop(cache, "never there");
}

static void
adding_replaces(void **state)
{
	struct fdcache_pin old, new, found;

	(void)state;
	fdcache_add(cache, "a", new_fd(), &old);
	fdcache_add(cache, "a", new_fd(), &new);
	assert_true(is_open(old.fd));
	assert_true(fdcache_find(cache, "a", &found));
	assert_int_equal(found.fd, new.fd);
	fdcache_release(cache, &found);
	fdcache_release(cache, &old);
	assert_false(is_open(old.fd));
	fdcache_release(cache, &new);
	int replaced = new.fd;
	int fd = new_fd();
	fdcache_add(cache, "a", fd, &new);
	assert_false(is_open(replaced));
	fdcache_release(cache, &new);
}

/* Names that share most of their letters are told apart. */
static void
similar_names(void **state)
{
	(void)state;
	(void)add("packs/ab/00000000000000000000000000000001");
	(void)add("packs/ab/00000000000000000000000000000002");
	assert_true(has("packs/ab/00000000000000000000000000000001"));
	assert_false(has("packs/ab/0000000000000000000000000000000"));
	assert_false(has("packs/ab/000000000000000000000000000000010"));
	fdcache_drop(cache, "packs/ab/00000000000000000000000000000001");
	assert_true(has("packs/ab/00000000000000000000000000000002"));
}

/* Many threads over more names than slots: a pinned descriptor is always open, and always the file
 * it was added for: each name has a file of its own, known by its inode. */
enum { THREADS = 4, NAMES = 6, ROUNDS = 3000 };

static int files[NAMES];
static ino_t inodes[NAMES];

static const char *
use(unsigned which)
{
	struct fdcache_pin pin;
	struct stat st;
	char name[16];

	(void)snprintf(name, sizeof(name), "n%u", which);
	if (!fdcache_find(cache, name, &pin)) {
		int fd = fcntl(files[which], F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return "dup";
		fdcache_add(cache, name, fd, &pin);
	}
	const char *wrong = NULL;
	if (fstat(pin.fd, &st) < 0)
		wrong = "a pinned descriptor is closed";
	else if (st.st_ino != inodes[which])
		wrong = "the descriptor of another name";
	fdcache_release(cache, &pin);
	return wrong;
}

static void *
work(void *arg)
{
	unsigned seed = *(unsigned *)arg;
	char name[16];

	for (int i = 0; i < ROUNDS; i++) {
		seed = seed * 1103515245 + 12345;
		unsigned which = seed / 65536 % NAMES;
		if (seed / 16 % 8 == 0) {
			(void)snprintf(name, sizeof(name), "n%u", which);
			fdcache_drop(cache, name);
		}
		const char *wrong = use(which);
		if (wrong != NULL)
			return (void *)(uintptr_t)wrong;
	}
	return NULL;
}

static void
threads(void **state)
{
	unsigned seeds[THREADS];
	pthread_t ids[THREADS];
	struct stat st;

	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		files[i] = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		assert_true(files[i] >= 0);
		assert_int_equal(fstat(files[i], &st), 0);
		inodes[i] = st.st_ino;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		seeds[i] = i + 1;
		assert_int_equal(pthread_create(&ids[i], NULL, work, &seeds[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		void *wrong;
		assert_int_equal(pthread_join(ids[i], &wrong), 0);
		if (wrong != NULL)
			fail_msg("%s", (const char *)wrong);
	}
	for (size_t i = 0; i < NAMES; i++)
		fd_close(&files[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(find_what_was_added, setup, teardown),
		cmocka_unit_test_setup_teardown(oldest_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(eviction_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(pinned_are_not_evicted, setup, teardown),
		cmocka_unit_test_setup_teardown(drop_waits_for_pins, setup, teardown),
		cmocka_unit_test_setup_teardown(adding_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(similar_names, setup, teardown),
		cmocka_unit_test_setup_teardown(threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
