/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The recipes of backup and restore, with a repository in memory and a writer of our own: what a
 * restore point says of itself, that a failure at any step leaves none and aborts the writer, and
 * that what comes back is what went in.
 */
#include "requester/backup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "repo/rig.h"
#include "requester/dbwriter.h"
#include "requester/restore.h"

struct scene {
	struct rig *rig;
	char folder[64]; /* everything of this test lies in it */
	char writers[96], source[96], away[96], target[96], moved[96], log[96];
	const char *fail;
	const struct backup_watch *watch;
	unsigned warnings, serious;
	struct error err;
};

static void
put(const char *folder, const char *name, const char *text)
{
	struct error err = ERROR_INIT;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(fs_write_file(AT_FDCWD, path, SLICE(text, strlen(text)), 0640, &err), OK);
}

static bool
has(const char *folder, const char *name, const char *text)
{
	struct buf b = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	char path[256];
	bool same;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	same = fs_read_file(AT_FDCWD, path, &b, &err) == OK && b.n == strlen(text) &&
	       (b.n == 0 || memcmp(b.p, text, b.n) == 0);
	buf_done(&b);
	return same;
}

static int
setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	char self[4096], link[128];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (s == NULL || n < 0)
		return -1;
	self[n] = '\0';
	s->rig = rig_new(false);
	(void)rig_folder(s->folder);
	(void)snprintf(s->writers, sizeof(s->writers), "%s/writers", s->folder);
	(void)snprintf(s->source, sizeof(s->source), "%s/source", s->folder);
	(void)snprintf(s->away, sizeof(s->away), "%s/away", s->folder);
	(void)snprintf(s->target, sizeof(s->target), "%s/target", s->folder);
	(void)snprintf(s->moved, sizeof(s->moved), "%s/moved", s->folder);
	(void)snprintf(s->log, sizeof(s->log), "%s/log", s->folder);
	(void)snprintf(link, sizeof(link), "%s/holdfast-writer-db", s->writers);
	if (mkdir(s->writers, 0755) < 0 || mkdir(s->source, 0750) < 0 || mkdir(s->away, 0700) < 0 ||
	    symlink(self, link) < 0)
		return -1;
	(void)snprintf(link, sizeof(link), "%s/away", s->source);
	if (symlink(s->away, link) < 0)
		return -1;
	put(s->source, "table", "rows");
	put(s->away, "far", "more rows");
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *s = *state;
	struct error err = ERROR_INIT;
	int r = fs_remove_tree(AT_FDCWD, s->folder, &err);

	rig_free(s->rig);
	free(s);
	return r;
}

static int
settings_of(void *arg, const char *name, json_t **ret, struct error *err)
{
	const struct scene *s = arg;

	(void)name;
	*ret = json_pack("{s:s, s:s, s:s}", "source", s->source, "log", s->log, "fail",
			 s->fail != NULL ? s->fail : "");
	return *ret != NULL ? OK : (int)error_no_memory(err);
}

static void
warn(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	struct scene *s = arg;

	(void)path;
	(void)code;
	(void)message;
	s->warnings++;
	s->serious += serious;
}

static struct writers_setup
setup_of(struct scene *s)
{
	return (struct writers_setup){
		.dir = s->writers, .settings = settings_of, .settings_arg = s};
}

/* A backup of the given paths and, if `db`, of the writer. */
static int
back_up(struct scene *s, const char *const *paths, size_t n_paths, bool db,
	struct backup_result *ret)
{
	static const char *const writers[] = {"db"};
	static const char *const tags[] = {"nightly"};
	struct progress progress = {0};
	struct backup_job job = {
		.host = "h",
		.order =
			{
				.n_paths = n_paths,
				.paths = paths,
				.n_writers = db ? 1 : 0,
				.writers = writers,
			},
		.n_tags = 1,
		.tags = tags,
		.mover = {.workers = 2, .progress = &progress},
		.warn = warn,
		.warn_arg = s,
		.watch = s->watch,
	};

	struct session_setup setup = {.writers = setup_of(s)};
	int r;

	s->err = ERROR_INIT;
	if (guest_local_open(&setup, &job.guest, &s->err) < 0)
		return s->err.code;
	r = backup_run(s->rig->repo, &job, ret, &s->err);
	guest_closep(&job.guest);
	return r;
}

static void
must(struct scene *s, int r, const char *what)
{
	if (r < 0)
		fail_msg("%s: %s", what, s->err.msg);
}

static int
restore(struct scene *s, const char *what, const json_t *map)
{
	struct progress progress = {0};
	struct restore_result result;
	struct restore_job job = {
		.what = what,
		.target = s->target,
		.mode = RESTORE_EMPTY,
		.workers = 2,
		.no_owner = geteuid() != 0,
		.map = map,
		.setup = setup_of(s),
		.progress = &progress,
		.warn = warn,
		.warn_arg = s,
	};

	s->err = ERROR_INIT;
	return restore_run(s->rig->repo, &job, &result, &s->err);
}

static size_t
points(struct scene *s)
{
	struct point_list l;
	size_t n;

	must(s, point_list_read(s->rig->repo, &l, &s->err), "list");
	n = l.n;
	point_list_done(&l);
	return n;
}

static void
test_a_component_comes_back(void **state)
{
	struct scene *s = *state;
	struct backup_result result;
	struct point *p;
	struct stat st;
	json_t *map = json_pack("{s:s}", s->away, s->moved);
	const json_t *root;

	must(s, back_up(s, NULL, 0, true, &result), "backup");
	assert_int_equal(result.consistency, CONSISTENCY_APPLICATION);
	assert_false(result.incomplete);
	assert_true(has(s->folder, "log",
			"start\nidentify\nprepare-backup\nprepare-snapshot\nfreeze\nthaw\n"
			"post-snapshot\npost-copy\nbackup-complete\n"));

	must(s, point_resolve(s->rig->repo, "latest", &p, &s->err), "resolve");
	assert_string_equal(p->id_text, result.id_text);
	assert_string_equal(p->host, "h");
	root = json_array_get(json_object_get(p->json, "roots"), 0);
	assert_string_equal(json_string_value(json_object_get(root, "name")), "db");
	assert_string_equal(json_string_value(json_object_get(root, "provider")), "direct");
	/* What the writer said before and after the copy. */
	assert_string_equal(json_string_value(json_object_get(p->roots[0].component, "made")),
			    "before");
	assert_string_equal(json_string_value(json_object_get(p->roots[0].component, "ended")),
			    "well");
	point_free(p);

	must(s, restore(s, "latest", map), "restore");
	assert_true(has(s->target, "table", "rows"));
	assert_true(has(s->target, "label", "after\n"));
	assert_true(has(s->target, "restored", ""));
	assert_true(has(s->moved, "far", "more rows"));
	assert_int_equal(stat(s->target, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(s->warnings, 0);
	json_decref(map);
}

/* A failure at any event: no restore point, the writer aborted, its code and words passed on. */
static void
test_a_failing_writer_leaves_nothing(void **state)
{
	static const char *const events[] = {"identify", "prepare-backup", "prepare-snapshot",
					     "freeze",   "thaw",           "post-snapshot",
					     "post-copy"};
	struct scene *s = *state;
	struct backup_result result;

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct buf log = BUF_INIT(4096);

		s->fail = events[i];
		(void)unlink(s->log);
		assert_int_equal(back_up(s, NULL, 0, true, &result), ERR_WRITER_RETRYABLE);
		assert_non_null(strstr(s->err.msg, "told to fail"));
		assert_int_equal(points(s), 0);
		assert_int_equal(fs_read_file(AT_FDCWD, s->log, &log, &s->err), OK);
		if (i >= 2 && (log.n < 6 || memcmp(log.p + log.n - 6, "abort\n", 6) != 0))
			fail_msg("after %s: no abort: %.*s", events[i], (int)log.n,
				 (const char *)log.p);
		buf_done(&log);
	}
	/* The next backup works, and has everything. */
	s->fail = NULL;
	must(s, back_up(s, NULL, 0, true, &result), "backup");
	assert_int_equal(points(s), 1);
}

struct seen {
	enum err code; /* what the watch knows, once it is asked */
	unsigned asked;
};

static int
watch_check(void *arg, struct error *err)
{
	(void)arg;
	(void)err;
	return OK;
}

static int
watch_prove(void *arg, const json_t *roots, json_t *record, struct error *err)
{
	(void)roots;
	(void)record;
	return watch_check(arg, err);
}

static int
watch_explain(void *arg, const struct error *failure, struct error *err)
{
	struct seen *seen = arg;

	assert_int_equal(failure->code, ERR_WRITER_RETRYABLE);
	seen->asked++;
	return seen->code != OK ? (int)error_set(err, seen->code, "promoted") : OK;
}

/* Something that the watch would have seen a moment later: that is what the backup failed of. */
static void
test_a_failing_writer_is_explained(void **state)
{
	struct scene *s = *state;
	struct seen seen = {.code = ERR_GROUP_ROLE};
	const struct backup_watch watch = {watch_check, watch_prove, watch_explain, &seen};
	struct backup_result result;

	s->watch = &watch;
	s->fail = "post-snapshot";
	assert_int_equal(back_up(s, NULL, 0, true, &result), ERR_GROUP_ROLE);
	assert_string_equal(s->err.msg, "promoted");
	assert_int_equal(points(s), 0);
	/* The watch has nothing to say: it is the writer's own failure. */
	seen.code = OK;
	assert_int_equal(back_up(s, NULL, 0, true, &result), ERR_WRITER_RETRYABLE);
	assert_non_null(strstr(s->err.msg, "told to fail"));
	assert_int_equal(seen.asked, 2);
	/* Nobody is asked why a backup was good. */
	s->fail = NULL;
	must(s, back_up(s, NULL, 0, true, &result), "backup");
	assert_int_equal(seen.asked, 2);
}

/* When the point is stored the backup is good, whatever the writer says then. */
static void
test_a_failure_after_the_end_is_a_warning(void **state)
{
	struct scene *s = *state;
	struct backup_result result;

	s->fail = "backup-complete";
	must(s, back_up(s, NULL, 0, true, &result), "backup");
	assert_int_equal(s->warnings, 1);
	assert_int_equal(s->serious, 0);
	assert_false(result.incomplete);
	assert_int_equal(points(s), 1);
}

static void
test_folders_and_component_together(void **state)
{
	struct scene *s = *state;
	const char *paths[] = {s->away};
	struct backup_result first, second;
	char name[256];

	must(s, back_up(s, paths, 1, true, &first), "backup");
	/* The least of the two. */
	assert_int_equal(first.consistency, CONSISTENCY_NONE);
	assert_string_equal(first.parent_text, "");
	must(s, back_up(s, paths, 1, true, &second), "second backup");
	assert_string_equal(second.parent_text, first.id_text);
	assert_true(second.write.bytes_new < first.write.bytes_new);

	(void)snprintf(name, sizeof(name), "%s/moved", s->folder);
	json_t *map = json_pack("{s:s}", s->away, name);

	must(s, restore(s, "latest", map), "restore");
	(void)snprintf(name, sizeof(name), "%s%s", s->target, s->away);
	assert_true(has(name, "far", "more rows"));
	(void)snprintf(name, sizeof(name), "%s/db", s->target);
	assert_true(has(name, "table", "rows"));
	json_decref(map);
}

static void
test_paths_of_a_point(void **state)
{
	struct scene *s = *state;
	const char *paths[] = {s->source, s->away};
	struct backup_result result;
	char what[256];

	must(s, back_up(s, paths, 2, false, &result), "backup");
	(void)snprintf(what, sizeof(what), "latest:%s/table", s->source);
	must(s, restore(s, what, NULL), "restore a file");
	assert_true(has(s->target, "table", "rows"));
	assert_int_equal(fs_remove_tree(AT_FDCWD, s->target, &s->err), OK);
	(void)snprintf(what, sizeof(what), "%.6s:%s//./", result.id_text, s->away);
	must(s, restore(s, what, NULL), "restore a folder");
	assert_true(has(s->target, "far", "more rows"));

	struct stat st;
	assert_int_equal(stat(s->target, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);

	assert_int_equal(restore(s, "latest:/nowhere", NULL), ERR_NOT_FOUND);
	assert_int_equal(restore(s, "latest:mysql/x", NULL), ERR_NOT_FOUND);
	assert_non_null(strstr(s->err.hint, "'/'"));
	assert_int_equal(restore(s, "latest:", NULL), ERR_USAGE);
	assert_int_equal(restore(s, "latest:/a/../b", NULL), ERR_USAGE);
	assert_int_equal(restore(s, "zz", NULL), ERR_POINT);
}

static void
test_missing_paths(void **state)
{
	struct scene *s = *state;
	const char *paths[] = {"/nonexistent/a", s->source};
	struct backup_result result;

	must(s, back_up(s, paths, 2, false, &result), "backup");
	assert_true(result.incomplete);
	assert_int_equal(s->serious, 1);
	assert_int_equal(back_up(s, paths, 1, false, &result), ERR_SOURCE);
	assert_non_null(strstr(s->err.msg, "/nonexistent/a"));
	assert_int_equal(back_up(s, NULL, 0, false, &result), ERR_USAGE);
	assert_int_equal(points(s), 1);
}

static void
test_a_map_that_fits_nothing(void **state)
{
	struct scene *s = *state;
	struct backup_result result;
	json_t *map = json_pack("{s:s}", "/elsewhere", s->moved);

	must(s, back_up(s, NULL, 0, true, &result), "backup");
	assert_int_equal(restore(s, "latest", map), ERR_USAGE);
	assert_non_null(strstr(s->err.hint, s->away));
	assert_int_equal(access(s->target, F_OK), -1);
	json_decref(map);
}

static void
test_no_program_to_restore_with(void **state)
{
	struct scene *s = *state;
	struct backup_result result;
	char link[128];

	must(s, back_up(s, NULL, 0, true, &result), "backup");
	(void)snprintf(link, sizeof(link), "%s/holdfast-writer-db", s->writers);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(restore(s, "latest", NULL), ERR_SPAWN);
	assert_non_null(strstr(s->err.hint, "holdfast-writer-db"));
	/* Files by themselves need no writer. */
	must(s, restore(s, "latest:db/table", NULL), "restore a file");
	assert_true(has(s->target, "table", "rows"));
}

static void
test_names_of_writers(void **state)
{
	static const char *const bad[] = {"../db", "", "DB", "a/b", "x y"};
	struct scene *s = *state;
	struct writers_setup setup = setup_of(s);
	struct writer *w;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(writers_start_one(&setup, bad[i], &w, &s->err), ERR_USAGE);
}

int
main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_component_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_failing_writer_leaves_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_failing_writer_is_explained, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_failure_after_the_end_is_a_warning, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_folders_and_component_together, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_paths_of_a_point, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_map_that_fits_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_program_to_restore_with, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_of_writers, setup, teardown),
	};
	int status;

	if (argc > 0 && dbwriter_run(argv[0], &status))
		return status;
	return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
