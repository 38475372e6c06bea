/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The component of a small made-up cluster, parsed and asked the way the mover does. Every file of
 * the cluster is listed with whether it belongs to a backup.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "writer/component.h"
#include "writer/postgresql/layout.h"

static char top[] = "/tmp/hf-layout-XXXXXX";
static char data[64], spc[64], in_data[64], wal[64];

static const struct file {
	const char *name;
	bool kept;
	bool paged;
} files[] = {
	{"PG_VERSION", true, false},
	{"postgresql.conf", true, false},
	{"postgresql.auto.conf", true, false},
	{"postgresql.auto.conf.tmp", false, false},
	{"postmaster.pid", false, false},
	{"postmaster.opts", false, false},
	{"standby.signal", false, false},
	{"recovery.signal", false, false},
	{"backup_label", false, false},
	{"backup_label.old", true, false},
	{"tablespace_map", false, false},
	{"current_logfiles", true, false},
	{"current_logfiles.tmp", false, false},
	{"global/pg_control", true, false},
	{"global/pg_filenode.map", true, false},
	{"global/pg_internal.init", false, false},
	{"global/pg_internal.init.77", false, false},
	{"global/1262", true, true},
	{"global/1262_fsm", true, true},
	{"base/5/PG_VERSION", true, false},
	{"base/5/pg_filenode.map", true, false},
	{"base/5/1259", true, true},
	{"base/5/1259_vm", true, true},
	{"base/5/1259.1", true, true},
	{"base/5/pg_internal.init", false, false},
	{"base/5/t3_16384", false, false},
	{"base/5/t3_16384_fsm", false, false},
	/* Unlogged: only what it begins again from. */
	{"base/5/16390", false, true},
	{"base/5/16390.1", false, true},
	{"base/5/16390_fsm", false, true},
	{"base/5/16390_vm", false, true},
	{"base/5/16390_init", true, true},
	/* One whose number begins like that is another. */
	{"base/5/163901", true, true},
	{"base/5/163901_vm", true, true},
	{"base/pgsql_tmp/pgsql_tmp7.0", false, false},
	{"pg_wal/000000010000000000000001", false, false},
	{"pg_replslot/s/state", false, false},
	{"pg_stat_tmp/global.stat", false, false},
	{"pg_subtrans/0000", false, false},
	{"pg_xact/0000", true, false},
	{"pg_multixact/offsets/0000", true, false},
	{"pg_logical/replorigin_checkpoint", true, false},
	{"pg_tblspc/16400/PG_15_202209061/5/16500", true, true},
	{"pg_tblspc/16400/PG_15_202209061/5/16501", false, true},
	{"pg_tblspc/16400/PG_15_202209061/5/16501_init", true, true},
	{"pg_tblspc/16400/PG_15_202209061/5/t1_2", false, false},
	{"pg_tblspc/16400/PG_15_202209061/pgsql_tmp/x", false, false},
	{"pg_tblspc/16400/PG_14_202107181/5/1", false, true},
	{"pg_tblspc/16400/lost+found/1", false, false},
	/* In the data folder itself, by a link and by its own name. */
	{"pg_tblspc/16401/PG_15_202209061/5/1", true, true},
	{"my [ts]/PG_15_202209061/5/1", false, false},
	/* In place: no link at all. */
	{"pg_tblspc/16402/PG_15_202209061/5/7", true, true},
	{"pg_tblspc/16402/PG_15_202209061/5/8", false, true},
	{"pg_tblspc/16402/PG_15_202209061/5/8_init", true, true},
};

/* Left out is left out with all that is below. */
static bool
is_kept(const struct component *c, const char *name)
{
	char part[128];

	for (const char *p = name; p != NULL; p = strchr(p + 1, '/')) {
		const char *end = strchr(p == name ? p : p + 1, '/');
		size_t n = end != NULL ? (size_t)(end - name) : strlen(name);

		(void)snprintf(part, sizeof(part), "%.*s", (int)n, name);
		if (component_excludes(c, part))
			return false;
	}
	return true;
}

static void
touch(int dir, const char *name)
{
	struct error err = ERROR_INIT;
	char folder[128];
	const char *slash = strrchr(name, '/');

	if (slash != NULL) {
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name), name);
		assert_int_equal(fs_mkdirs(dir, folder, 0700, &err), OK);
	}
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(top) == NULL)
		return -1;
	(void)snprintf(data, sizeof(data), "%s/data", top);
	(void)snprintf(spc, sizeof(spc), "%s/ts*1", top);
	(void)snprintf(wal, sizeof(wal), "%s/wal", top);
	(void)snprintf(in_data, sizeof(in_data), "%s/data/my [ts]", top);
	if (mkdir(data, 0700) < 0 || mkdir(spc, 0700) < 0 || mkdir(wal, 0700) < 0 ||
	    mkdir(in_data, 0700) < 0)
		return -1;
	int dir = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || mkdirat(dir, "pg_tblspc", 0700) < 0 ||
	    symlinkat(spc, dir, "pg_tblspc/16400") < 0 ||
	    symlinkat(in_data, dir, "pg_tblspc/16401") < 0 || symlinkat(wal, dir, "pg_wal") < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		touch(dir, files[i].name);
	(void)close(dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, top, NULL);
}

static struct component *
component_of(const struct cluster *cl, const struct image *image)
{
	char oid_a[] = "16400", oid_b[] = "16401";
	struct spcmap_entry entries[2] = {{.location = spc}, {.location = in_data}};
	struct spcmap map = {2, entries};
	struct layout l = {cl, &map, 0x2000028, image};
	struct component *c = NULL;
	struct error err = ERROR_INIT;
	json_t *j = NULL;

	memcpy(entries[0].oid, oid_a, sizeof(oid_a));
	memcpy(entries[1].oid, oid_b, sizeof(oid_b));
	if (layout_component(&l, &j, &err) < 0 || component_parse(j, &c, &err) < 0)
		fail_msg("%s", err.msg);
	json_decref(j);
	return c;
}

static struct cluster
some_cluster(void)
{
	return (struct cluster){
		.version_num = 150004,
		.catalog_version = 202209061,
		.block_size = 8192,
		.segment_pages = 131072,
		.checksums = true,
		.data_directory = data,
	};
}

static void
test_files(void **arg)
{
	struct cluster cl = some_cluster();
	struct component *c = component_of(&cl, NULL);

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (is_kept(c, files[i].name) != files[i].kept)
			fail_msg("'%s' should%s be kept", files[i].name,
				 files[i].kept ? "" : " not");
		if (component_is_paged(c, files[i].name) != files[i].paged)
			fail_msg("'%s' should%s be pages", files[i].name,
				 files[i].paged ? "" : " not");
	}
	/* Their folders stay. */
	static const char *const folders[] = {"pg_wal", "pg_replslot", "pg_stat_tmp",
					      "pg_tblspc/16400", "base"};
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		assert_false(component_excludes(c, folders[i]));
	assert_true(component_is_last(c, "global/pg_control"));
	component_free(c);
}

static void
test_paths(void **arg)
{
	struct cluster cl = some_cluster();
	struct component *c = component_of(&cl, NULL);

	(void)arg;
	assert_int_equal(c->n_paths, 4);
	assert_string_equal(c->paths[0].source, data);
	assert_string_equal(c->paths[1].source, wal);
	assert_string_equal(c->paths[1].at, "pg_wal");
	assert_false(c->paths[1].relocatable);
	assert_string_equal(c->paths[2].source, spc);
	assert_string_equal(c->paths[2].at, "pg_tblspc/16400");
	assert_true(c->paths[2].relocatable);
	assert_string_equal(c->paths[3].at, "pg_tblspc/16401");
	assert_string_equal(c->pages.format, "postgresql");
	assert_int_equal(c->pages.page_size, 8192);
	assert_int_equal(c->pages.start_lsn, 0x2000028);
	assert_false(c->atomic);
	component_free(c);
}

/* An image: the logs from where recovery begins are in, and everything else is as in backup mode. */
static void
test_image(void **arg)
{
	static const struct file logs[] = {
		{"pg_wal/000000010000000000000001", false, false},
		{"pg_wal/000000020000000000000002", false, false},
		{"pg_wal/000000020000000000000003", true, false},
		{"pg_wal/000000010000000000000003", true, false},
		{"pg_wal/000000020000000000000004", true, false},
		{"pg_wal/00000002.history", true, false},
		{"pg_wal/archive_status/000000020000000000000003.done", false, false},
		{"pg_wal/xlogtemp.77", false, false},
	};
	struct cluster cl = some_cluster();
	struct image image = {.redo_lsn = 0x3000028, .redo_log = "000000020000000000000003"};
	int dir = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++)
		touch(dir, logs[i].name);
	(void)close(dir);
	struct component *c = component_of(&cl, &image);
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++)
		if (is_kept(c, logs[i].name) != logs[i].kept)
			fail_msg("'%s' should%s be kept", logs[i].name, logs[i].kept ? "" : " not");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (is_kept(c, files[i].name) != files[i].kept)
			fail_msg("'%s' should%s be kept", files[i].name,
				 files[i].kept ? "" : " not");
	assert_false(component_excludes(c, "pg_wal/archive_status"));
	assert_false(component_is_last(c, "global/pg_control"));
	assert_int_equal(c->pages.start_lsn, 0x3000028);
	assert_true(c->atomic);
	component_free(c);
}

static void
test_no_folder(void **arg)
{
	char nowhere[] = "/tmp/hf-layout-none/at/all";
	struct cluster cl = some_cluster();
	struct spcmap map = SPCMAP_INIT;
	struct layout l = {&cl, &map, 1, NULL};
	struct error err = ERROR_INIT;
	json_t *j = NULL;

	(void)arg;
	cl.data_directory = nowhere;
	assert_int_equal(layout_component(&l, &j, &err), ERR_SOURCE);
	assert_null(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_no_folder),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
