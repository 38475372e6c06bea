/* SPDX-License-Identifier: Apache-2.0 */

/* Paths made absolute, and lists of them. */
#include "cli/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"

static char folder[] = "/tmp/hf-paths-XXXXXX";

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL || chdir(folder) < 0 || mkdir("real", 0700) < 0 ||
	    mkdir("real/sub", 0700) < 0 || symlink("real/sub", "link") < 0)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return fs_remove_tree(-1, folder, &err);
}

static void
expect(const char *path, const char *below)
{
	struct error err = ERROR_INIT;
	char wanted[256];
	char *got = NULL;

	(void)snprintf(wanted, sizeof(wanted), "%s%s", below[0] == '/' ? "" : folder, below);
	if (below[0] == '.')
		(void)snprintf(wanted, sizeof(wanted), "%s%s", folder, below + 1);
	if (paths_absolute(path, &got, &err) != OK)
		fail_msg("%s: %s", path, err.msg);
	assert_string_equal(got, wanted);
	free(got);
}

static void
test_absolute(void **state)
{
	(void)state;
	expect("/a/b", "/a/b");
	expect("//a/./b///", "/a/b");
	expect("/", "/");
	expect("/./", "/");
	expect("real", "./real");
	expect("./real/.", "./real");
	expect(".", ".");
	/* The last part is not followed ... */
	expect("link", "./link");
	/* ... and ".." means what the system says: link/.. is real. */
	expect("link/..", "./real");
	expect("link/../sub", "./real/sub");
	expect("real/../link", "./link");
	expect("real/../dangling", "./dangling");
}

static void
test_refused(void **state)
{
	struct error err = ERROR_INIT;
	char *got;

	(void)state;
	assert_int_equal(paths_absolute("", &got, &err), ERR_USAGE);
	assert_int_equal(paths_absolute("nowhere/../x", &got, &err), ERR_SOURCE);
}

static void
test_lists(void **state)
{
	static const char *const given[] = {"/b", "/a/", "//b", "/a"};
	struct error err = ERROR_INIT;
	struct path_list l = {0};

	(void)state;
	assert_int_equal(paths_list(given, ARRAY_SIZE(given), &l, &err), OK);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.paths[0], "/a");
	assert_string_equal(l.paths[1], "/b");
	paths_done(&l);
	assert_int_equal(paths_list(NULL, 0, &l, &err), OK);
	assert_int_equal(l.n, 0);
	paths_done(&l);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests_name("paths", tests, setup, teardown);
}
