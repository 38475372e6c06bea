/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From the cluster's folders to the component. What to leave out follows what PostgreSQL's own
 * pg_basebackup leaves out, each with its reason below.
 *
 * Unlogged relations: after a crash, and a restored cluster starts as after a crash, PostgreSQL
 * empties them from their "_init" fork, so only that is kept. They are found by looking for such
 * forks once, when the backup begins. One created later is copied in vain, which is harmless.
 *
 * Logs from before the last checkpoint are in pg_wal because a slot, an archive or wal_keep_size
 * wants them there; recovery of an image does not.
 */
#include "writer/postgresql/layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "writer/component.h"
#include "writer/patterns.h"
#include "writer/postgresql/reach.h"

/* Beyond this many patterns the rest of the unlogged relations is copied; see above. */
enum { UNLOGGED_PATTERNS_MAX = COMPONENT_LIST_MAX - 4096, NAME_TEXT_MAX = 300 };

/* In backup mode the logs are held by the slot and come with post-copy, those and no others. */
static const char *const exclude_logs[] = {
	"pg_wal/*",
};

/* In an image the logs are part of it; not what tells which were archived, since the copy must not
 * send any to the original's archive, nor what is in the making. */
static const char *const exclude_beside_logs[] = {
	"pg_wal/archive_status/*", "pg_wal/summaries/*",     "pg_wal/xlogtemp.*",
	"pg_wal/RECOVERYXLOG",     "pg_wal/RECOVERYHISTORY",
};

static const char *const exclude[] = {
	/* Slots and the state of running transactions mean nothing in another cluster. */
	"pg_replslot/*",
	"pg_dynshmem/*",
	"pg_notify/*",
	"pg_serial/*",
	"pg_snapshots/*",
	"pg_stat_tmp/*",
	"pg_subtrans/*",
	/* Temporary files and relations. */
	"pgsql_tmp*",
	"base/pgsql_tmp*",
	"base/*/pgsql_tmp*",
	"pg_tblspc/*/*/pgsql_tmp*",
	"base/*/t[0-9]*_[0-9]*",
	"pg_tblspc/*/*/*/t[0-9]*_[0-9]*",
	/* Caches that are rebuilt, and that must not be older than what they cache. */
	"global/pg_internal.init*",
	"base/*/pg_internal.init*",
	"pg_tblspc/*/*/*/pg_internal.init*",
	/* The running server's own. */
	"postmaster.pid",
	"postmaster.opts",
	"current_logfiles.tmp",
	"postgresql.auto.conf.tmp",
	/* Ours come with post-copy; what lies here is of another backup. */
	"backup_label",
	"tablespace_map",
	"backup_manifest",
	/* A copy of a standby must not come up as one, trying to follow the old primary, nor
	 * wait for an archive that may be gone: it is restored as a cluster of its own. */
	"standby.signal",
	"recovery.signal",
	/* Of a restore to a moment, whose recovery was cut off when it had just ended. */
	"holdfast_recovery",
};

static const char *const last[] = {
	/* On a standby it says up to where the logs must be replayed: it has to be newer than every
	 * page that was copied. */
	"global/pg_control",
};

static const char *const paged[] = {
	"global/[0-9]*",
	"base/*/[0-9]*",
	"pg_tblspc/*/*/*/[0-9]*",
};

const char *const layout_needed_dirs[] = {
	"pg_wal",
	"pg_wal/archive_status",
	"pg_replslot",
	"pg_dynshmem",
	"pg_notify",
	"pg_serial",
	"pg_snapshots",
	"pg_stat",
	"pg_stat_tmp",
	"pg_subtrans",
	"pg_twophase",
	"pg_commit_ts",
	"pg_tblspc",
	"pg_logical",
	"pg_logical/snapshots",
	"pg_logical/mappings",
	NULL,
};

struct building {
	const struct layout *l;
	json_t *paths;
	json_t *exclude;
	char version_dir[40];
};

char *
layout_version_dir(int version_num, uint64_t catalog_version, char text[40])
{
	(void)snprintf(text, 40, "PG_%d_%" PRIu64, version_num / 10000, catalog_version);
	return text;
}

static int
add_text(json_t *list, const char *text, struct error *err)
{
	return json_array_append_new(list, json_bytes(text, strlen(text))) == 0
		       ? OK
		       : (int)error_no_memory(err);
}

static int
add_texts(json_t *list, const char *const *texts, size_t n, struct error *err)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++)
		rc = add_text(list, texts[i], err);
	return rc;
}

/* A pattern for exactly this path, plus `tail`, which may have special characters. */
static int
add_exact(struct building *b, const char *path, const char *tail, struct error *err)
{
	CLEAN(free_ptr) char *quoted = malloc(2 * strlen(path) + 1);
	CLEAN(free_ptr) char *pattern = NULL;

	if (quoted == NULL || asprintf(&pattern, "%s%s", patterns_quote(path, quoted), tail) < 0)
		return error_no_memory(err);
	return add_text(b->exclude, pattern, err);
}

static int
add_path(struct building *b, const char *source, const char *at, bool relocatable,
	 struct error *err)
{
	json_t *path = json_pack("{s:o, s:o, s:b}", "source", json_bytes(source, strlen(source)),
				 "at", json_bytes(at, strlen(at)), "relocatable", (int)relocatable);

	return json_array_append_new(b->paths, path) == 0 ? OK : (int)error_no_memory(err);
}

/* Unlogged relations. */

/* "16384_init" is the fork to keep of relation 16384. */
static size_t
unlogged_digits(const char *name)
{
	size_t n = strspn(name, "0123456789");

	return n > 0 && strcmp(name + n, "_init") == 0 ? n : 0;
}

static int
leave_out_unlogged(struct building *b, const char *at, const char *name, size_t digits,
		   struct error *err)
{
	CLEAN(free_ptr) char *relation = NULL;

	if (json_array_size(b->exclude) + 3 > UNLOGGED_PATTERNS_MAX)
		return OK;
	if (asprintf(&relation, "%s/%.*s", at, (int)digits, name) < 0)
		return error_no_memory(err);
	/* Its main fork, further segments of that, and every other fork. */
	int rc = add_exact(b, relation, "", err);
	if (rc == OK)
		rc = add_exact(b, relation, ".[0-9]*", err);
	if (rc == OK)
		rc = add_exact(b, relation, "_[!i]*", err);
	return rc;
}

/*
 * Go through a folder. A folder that cannot be opened now was dropped meanwhile, or is the mover's
 * to complain about: it reads everything here, and says what it cannot.
 */
typedef int each_fn(struct building *b, int dirfd, const char *at, const char *name,
		    struct error *err);

static int
for_each(struct building *b, int dirfd, const char *path, const char *at, each_fn *fn,
	 struct error *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int rc = OK;

	if (dir == NULL) {
		fd_close(&fd);
		return OK;
	}
	while (rc == OK && (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = fn(b, fd, at, e->d_name, err);
	(void)closedir(dir);
	return rc;
}

static int
each_relation(struct building *b, int dirfd, const char *at, const char *name, struct error *err)
{
	size_t digits = unlogged_digits(name);

	(void)dirfd;
	return digits > 0 ? leave_out_unlogged(b, at, name, digits, err) : OK;
}

static int
each_database(struct building *b, int dirfd, const char *at, const char *name, struct error *err)
{
	CLEAN(free_ptr) char *inner = NULL;

	if (name[strspn(name, "0123456789")] != 0)
		return OK;
	if (asprintf(&inner, "%s/%s", at, name) < 0)
		return error_no_memory(err);
	return for_each(b, dirfd, name, inner, each_relation, err);
}

/* Tablespaces. */

/* In a tablespace's folder: look into this version's part, leave out everyone else's. */
static int
each_in_tablespace(struct building *b, int dirfd, const char *at, const char *name,
		   struct error *err)
{
	CLEAN(free_ptr) char *inner = NULL;

	if (asprintf(&inner, "%s/%s", at, name) < 0)
		return error_no_memory(err);
	if (strcmp(name, b->version_dir) != 0)
		return add_exact(b, inner, "", err);
	return for_each(b, dirfd, name, inner, each_database, err);
}

/* In pg_tblspc: those that live right there (in-place tablespaces) need nothing but the search. */
static int
each_tablespace(struct building *b, int dirfd, const char *at, const char *name, struct error *err)
{
	CLEAN(free_ptr) char *inner = NULL;

	if (asprintf(&inner, "%s/%s", at, name) < 0)
		return error_no_memory(err);
	return for_each(b, dirfd, name, inner, each_in_tablespace, err);
}

static int
add_tablespaces(struct building *b, const char *top, struct error *err)
{
	size_t n = strlen(top);

	for (size_t i = 0; i < b->l->tablespaces->n; i++) {
		const struct spcmap_entry *e = &b->l->tablespaces->entries[i];
		char at[32];

		(void)snprintf(at, sizeof(at), "pg_tblspc/%s", e->oid);
		int rc = add_path(b, e->location, at, true, err);
		/* One inside of the data folder would come twice. */
		if (rc == OK && strncmp(e->location, top, n) == 0 && e->location[n] == '/')
			rc = add_exact(b, e->location + n + 1, "", err);
		if (rc < 0)
			return rc;
	}
	return OK;
}

/* Folders of the cluster that are symbolic links. */
static int
add_moved(struct building *b, int top_fd, const char *top, struct error *err)
{
	for (const char *const *name = reach_movable; *name != NULL; name++) {
		CLEAN(free_ptr) char *path = NULL;
		CLEAN(free_ptr) char *real = NULL;
		struct stat st;

		/* They are taken in, so that the restored cluster is whole and touches nobody
		 * else's files. */
		if (fstatat(top_fd, *name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode))
			continue;
		if (asprintf(&path, "%s/%s", top, *name) < 0)
			return error_no_memory(err);
		real = realpath(path, NULL);
		if (real == NULL)
			return error_sys(err, ERR_SOURCE, "follow the link '%s'", path);
		int rc = add_path(b, real, *name, false, err);
		if (rc < 0)
			return rc;
	}
	return OK;
}

/* In pg_wal: a log of any timeline that is older than the one recovery begins with. */
static int
each_log(struct building *b, int dirfd, const char *at, const char *name, struct error *err)
{
	CLEAN(free_ptr) char *path = NULL;

	(void)dirfd;
	/* The first 8 digits are the timeline. */
	if (strlen(name) != WALRANGE_NAME_LEN || strspn(name, "0123456789ABCDEF") < strlen(name) ||
	    strcmp(name + 8, b->l->image->redo_log + 8) >= 0 ||
	    json_array_size(b->exclude) >= UNLOGGED_PATTERNS_MAX)
		return OK;
	if (asprintf(&path, "%s/%s", at, name) < 0)
		return error_no_memory(err);
	return add_exact(b, path, "", err);
}

static int
leave_out_logs(struct building *b, int top_fd, struct error *err)
{
	if (b->l->image == NULL)
		return add_texts(b->exclude, exclude_logs, ARRAY_SIZE(exclude_logs), err);
	int rc = add_texts(b->exclude, exclude_beside_logs, ARRAY_SIZE(exclude_beside_logs), err);
	return rc == OK ? for_each(b, top_fd, "pg_wal", "pg_wal", each_log, err) : rc;
}

static json_t *
pages_of(const struct layout *l)
{
	json_t *match = json_array();

	if (add_texts(match, paged, ARRAY_SIZE(paged), NULL) < 0) {
		json_decref(match);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:b, s:I, s:I, s:o}", "format", "postgresql", "page_size",
			 (json_int_t)l->cluster->block_size, "checksums",
			 (int)l->cluster->checksums, "start_lsn",
			 (json_int_t)(l->image != NULL ? l->image->redo_lsn : l->start_lsn),
			 "segment_pages", (json_int_t)l->cluster->segment_pages, "match", match);
}

static int
fill(struct building *b, struct error *err)
{
	const char *dir = b->l->cluster->data_directory;
	CLEAN(free_ptr) char *top = realpath(dir, NULL);
	CLEAN(fd_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top == NULL || fd < 0)
		return error_sys(err, ERR_SOURCE, "open the data folder '%s'", dir);
	int rc = add_path(b, top, "", false, err);
	if (rc == OK)
		rc = add_moved(b, fd, top, err);
	if (rc == OK)
		rc = leave_out_logs(b, fd, err);
	if (rc == OK)
		rc = add_texts(b->exclude, exclude, ARRAY_SIZE(exclude), err);
	if (rc == OK)
		rc = add_tablespaces(b, top, err);
	if (rc == OK)
		rc = for_each(b, fd, "pg_tblspc", "pg_tblspc", each_tablespace, err);
	if (rc == OK)
		rc = for_each(b, fd, "base", "base", each_database, err);
	return rc;
}

int
layout_component(const struct layout *l, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *paths = json_array();
	CLEAN(json_done) json_t *excluded = json_array();
	CLEAN(json_done) json_t *latest = json_array();
	struct building b = {.l = l, .paths = paths, .exclude = excluded};

	(void)layout_version_dir(l->cluster->version_num, l->cluster->catalog_version,
				 b.version_dir);
	int rc = fill(&b, err);
	/* In an image nothing is newer than anything else. */
	if (rc == OK && l->image == NULL)
		rc = add_texts(latest, last, ARRAY_SIZE(last), err);
	if (rc < 0)
		return rc;
	*ret = json_pack("{s:s, s:O, s:O, s:O, s:o, s:b}", "name", "main", "paths", paths,
			 "exclude", excluded, "last", latest, "pages", pages_of(l), "atomic",
			 l->image != NULL);
	return *ret != NULL ? OK : (int)error_no_memory(err);
}
