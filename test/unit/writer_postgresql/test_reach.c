/* SPDX-License-Identifier: Apache-2.0 */

/* A data folder with its log elsewhere and a tablespace, against sets of sources. (Other devices below
 * a source need mounts: test/e2e/22-writer-postgresql-image.t.) */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "writer/postgresql/reach.h"

static char top[] = "/tmp/hf-reach-XXXXXX";
static char data[64], spc[64];

static int
setup(void **state)
{
	struct error err = ERROR_INIT;
	char link[96], wal[64];

	(void)state;
	if (mkdtemp(top) == NULL)
		return -1;
	(void)snprintf(data, sizeof(data), "%s/data", top);
	(void)snprintf(spc, sizeof(spc), "%s/spc", top);
	(void)snprintf(wal, sizeof(wal), "%s/wal", top);
	(void)snprintf(link, sizeof(link), "%s/pg_wal", data);
	if (fs_mkdirs(AT_FDCWD, data, 0700, &err) < 0 || mkdir(spc, 0700) < 0 ||
	    mkdir(wal, 0700) < 0 || symlink(wal, link) < 0)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, top, NULL);
}

static bool
inside(const char *a, const char *b, char why[REACH_WHY_MAX])
{
	struct spcmap_entry entry = {.oid = "16400", .location = spc};
	struct spcmap map = {1, &entry};
	struct error err = ERROR_INIT;
	CLEAN(json_done) json_t *list = NULL;
	CLEAN(json_done) json_t *sources = json_array();
	bool is_inside;

	if (a != NULL)
		(void)json_array_append_new(sources, json_string(a));
	if (b != NULL)
		(void)json_array_append_new(sources, json_string(b));
	assert_int_equal(reach_list(data, &map, &list, &err), OK);
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(reach_inside(list, sources, &is_inside, why, &err), OK);
	return is_inside;
}

static void
test_inside(void **arg)
{
	char why[REACH_WHY_MAX], wal_only[96], with_slash[96], prefix[96];

	(void)arg;
	(void)snprintf(wal_only, sizeof(wal_only), "%s/wal", top);
	(void)snprintf(with_slash, sizeof(with_slash), "%s/", top);
	(void)snprintf(prefix, sizeof(prefix), "%s/dat", top);
	assert_true(inside(top, NULL, why));
	assert_string_equal(why, "");
	assert_true(inside(with_slash, NULL, why));
	assert_true(inside("/nowhere", top, why));
	assert_false(inside(NULL, NULL, why));
	assert_non_null(strstr(why, "data' is not in the snapshot"));
	assert_false(inside(prefix, NULL, why));
	assert_false(inside(data, NULL, why));
	assert_non_null(strstr(why, "wal' is not in the snapshot"));
	assert_false(inside(data, wal_only, why));
	assert_non_null(strstr(why, "spc' is not in the snapshot"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_inside)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
