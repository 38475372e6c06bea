/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Before: everything is refused that would end in two servers on one set of files. After:
 * everything a server needs to start is there, or the restore did not succeed.
 *
 * What lies in the target was restored, but by whom and what meanwhile changed there is not known:
 * every path is opened relative to the target without following links.
 */
#include "writer/postgresql/pgrestore.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "writer/component.h"
#include "writer/postgresql/control.h"
#include "writer/postgresql/dialect.h"
#include "writer/postgresql/layout.h"
#include "writer/postgresql/osuser.h"
#include "writer/postgresql/spcmap.h"
#include "writer/postgresql/walrange.h"

enum { SMALL_FILE_MAX = 1 << 20, LINK_MAX_LEN = 4096, TIMELINES_MAX = 1000 };

/* The metadata, read and checked. */
struct plan {
	int version_num;
	uint64_t catalog_version;
	const char *system_identifier;
	unsigned dir_mode;
	uint64_t wal_segment_bytes;
	json_t *tablespaces; /* [{"oid", "location"}], borrowed */
	bool image; /* made without backup mode */
	json_t *wal; /* names, borrowed; NULL in an image */
	const struct dialect *dialect;
};

static int
read_plan(const json_t *m, struct plan *p, struct error *err)
{
	const char *writer, *mode;
	uint64_t format, version;

	if (json_get_str(m, "writer", &writer, err) < 0 ||
	    json_get_u64(m, "format", &format, err) < 0)
		return error_prefix(err, "metadata");
	if (strcmp(writer, "postgresql") != 0)
		return error_set(err, ERR_WRITER_FAILED, "this is a backup of '%s'", writer);
	p->image = format == PGRESTORE_FORMAT_IMAGE;
	if (format > PGRESTORE_FORMAT_IMAGE) {
		(void)error_set(err, ERR_WRITER_FAILED, "made by a newer version of this writer");
		return error_hint(err, "upgrade Holdfast on this machine");
	}
	if (json_get_u64(m, "version_num", &version, err) < 0 ||
	    json_get_u64(m, "catalog_version", &p->catalog_version, err) < 0 ||
	    json_get_str(m, "system_identifier", &p->system_identifier, err) < 0 ||
	    json_get_str(m, "data_directory_mode", &mode, err) < 0 ||
	    json_get_u64(m, "wal_segment_size", &p->wal_segment_bytes, err) < 0 ||
	    json_get_arr(m, "tablespaces", &p->tablespaces, err) < 0 ||
	    (!p->image && json_get_arr(m, "wal", &p->wal, err) < 0))
		return error_prefix(err, "metadata");
	p->version_num = (int)(version % 1000000);
	p->dir_mode = strcmp(mode, "0750") == 0 ? 0750 : 0700;
	return dialect_find(p->version_num, &p->dialect, err);
}

/* A path of any bytes, ended by a zero, in b. */
static int
path_of(const json_t *j, struct buf *b, const char **ret, struct error *err)
{
	buf_reset(b);
	int rc = json_bytes_get(j, b, err);
	if (rc == OK)
		rc = buf_u8(b, 0, err);
	if (rc == OK)
		*ret = (const char *)b->p;
	return rc;
}

/* Before. */

/* The process that postmaster.pid of this folder names, if it runs; else 0. */
static pid_t
running_in(const char *dir)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(SMALL_FILE_MAX);
	CLEAN(free_ptr) char *path = NULL;

	if (asprintf(&path, "%s/postmaster.pid", dir) < 0)
		return 0;
	if (fs_read_file(AT_FDCWD, path, &text, NULL) < 0 || buf_u8(&text, 0, NULL) < 0)
		return 0;
	long pid = strtol((const char *)text.p, NULL, 10);
	if (pid <= 1 || pid > INT32_MAX)
		return 0;
	return kill((pid_t)pid, 0) == 0 || errno == EPERM ? (pid_t)pid : 0;
}

static int
check_target(const struct pgrestore *r, struct error *err)
{
	if (r->target[0] != '/')
		return error_set(err, ERR_TARGET, "'%s' is not an absolute path", r->target);
	pid_t pid = running_in(r->target);
	if (pid == 0)
		return OK;
	(void)error_set(err, ERR_TARGET, "a server (process %d) runs in '%s'", (int)pid, r->target);
	return error_hint(err, "stop it first (pg_ctl stop), or restore into another folder");
}

static bool
has_location(const struct plan *p, const char *location)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(SPCMAP_LOCATION_MAX);
	const char *known;

	for (size_t i = 0; i < json_array_size(p->tablespaces); i++) {
		const json_t *t = json_array_get(p->tablespaces, i);

		if (path_of(json_object_get(t, "location"), &b, &known, NULL) == OK &&
		    strcmp(known, location) == 0)
			return true;
	}
	return false;
}

/* Every OLD is a tablespace of this backup, every NEW an absolute path. */
static int
check_map(const struct pgrestore *r, const struct plan *p, struct error *err)
{
	const char *old;
	json_t *value;

	json_object_foreach(r->map, old, value)
	{
		const char *new = json_string_value(value);

		if (!has_location(p, old)) {
			(void)error_set(err, ERR_TARGET,
					"this backup has no tablespace at '%s' to be moved", old);
			return error_hint(err, "see the metadata of the restore point for its "
					       "tablespaces");
		}
		if (new == NULL || new[0] != '/')
			return error_set(err, ERR_TARGET,
					 "tablespace '%s': '%s' is not an absolute path", old,
					 new != NULL ? new : "");
	}
	return OK;
}

/* A tablespace that is not moved goes back to where it came from, which must not be in use by the
 * original. */
static int
check_not_in_use(const struct pgrestore *r, const struct plan *p, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(SPCMAP_LOCATION_MAX);
	CLEAN(buf_done) struct buf dir = BUF_INIT(SPCMAP_LOCATION_MAX);
	const json_t *origin = json_object_get(r->metadata, "data_directory");
	const char *location = NULL, *original = NULL;

	if (origin == NULL || path_of(origin, &dir, &original, err) < 0 ||
	    running_in(original) == 0)
		return OK;
	for (size_t i = 0; i < json_array_size(p->tablespaces); i++) {
		const json_t *t = json_array_get(p->tablespaces, i);

		int rc = path_of(json_object_get(t, "location"), &b, &location, err);
		if (rc < 0)
			return rc;
		if (json_object_get(r->map, location) != NULL)
			continue;
		(void)error_set(err, ERR_TARGET,
				"the tablespace '%s' is in use by the cluster in "
				"'%s', which runs",
				location, original);
		return error_hint(err, "restore it elsewhere: --tablespace-map %s=NEW", location);
	}
	return OK;
}

int
pgrestore_check(const struct pgrestore *r, struct error *err)
{
	struct plan p;

	int rc = read_plan(r->metadata, &p, err);
	if (rc == OK)
		rc = check_target(r, err);
	if (rc == OK)
		rc = check_map(r, &p, err);
	if (rc == OK)
		rc = check_not_in_use(r, &p, err);
	return rc;
}

/* After. */

struct finishing {
	const struct pgrestore *r;
	struct plan p;
	int dir; /* the target */
	struct control control; /* what was restored; from check_identity on */
};

static int
open_beneath(int dir, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* The restore is not complete, or not what the restore point says it is. */
static enum err
incomplete(const struct finishing *f, const char *what, struct error *err)
{
	(void)error_set(err, ERR_CORRUPT, "the cluster restored to '%s' is not complete: %s",
			f->r->target, what);
	return error_hint(err, "restore it again, whole; if that does not help use another restore "
			       "point");
}

static int
read_small(const struct finishing *f, const char *path, struct buf *b, struct error *err)
{
	CLEAN(fd_close) int fd = open_beneath(f->dir, path, O_RDONLY);
	size_t n;

	if (fd < 0 && errno == ENOENT)
		return incomplete(f, path, err);
	if (fd < 0)
		return error_sys(err, ERR_TARGET, "open '%s/%s'", f->r->target, path);
	buf_reset(b);
	buf_reset(b);
	int rc = buf_reserve(b, SMALL_FILE_MAX, err);
	if (rc == OK)
		rc = fs_pread(fd, b->p, SMALL_FILE_MAX, 0, &n, err);
	if (rc < 0)
		return error_prefix(err, "'%s/%s'", f->r->target, path);
	b->n = n;
	return OK;
}

/* In backup mode, without the label the server would take the copy for a crashed cluster, and ruin it.
 * An image is one: with a label, left here by somebody else, it would begin elsewhere. */
static int
check_label(const struct finishing *f, struct error *err)
{
	static const char *const others[] = {"backup_label", "tablespace_map", "recovery.signal",
					     "standby.signal"};
	CLEAN(buf_done) struct buf b = BUF_INIT(SMALL_FILE_MAX + 1);
	struct stat st;

	if (!f->p.image) {
		int rc = read_small(f, "backup_label", &b, err);
		if (rc < 0)
			return rc;
		return b.n > 0 ? OK : (int)incomplete(f, "backup_label is empty", err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (fstatat(f->dir, others[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		(void)error_set(err, ERR_TARGET, "'%s/%s' is not part of this restore point",
				f->r->target, others[i]);
		return error_hint(err, "remove it, or restore to an empty folder");
	}
	return OK;
}

/* PG_VERSION, pg_control and the label are there and belong to this backup. */
static int
check_identity(struct finishing *f, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(SMALL_FILE_MAX + 1);
	char want[24];

	int rc = read_small(f, "PG_VERSION", &b, err);
	if (rc < 0)
		return rc;
	int n = snprintf(want, sizeof(want), "%d\n", f->p.version_num / 10000);
	if (b.n != (size_t)n || memcmp(b.p, want, b.n) != 0)
		return incomplete(f, "PG_VERSION is that of another version", err);
	rc = read_small(f, "global/pg_control", &b, err);
	if (rc < 0)
		return rc;
	if (control_parse(buf_slice(&b), &f->control, err) < 0)
		return incomplete(f, "global/pg_control is not one", err);
	(void)snprintf(want, sizeof(want), "%" PRIu64, f->control.system_identifier);
	if (strcmp(want, f->p.system_identifier) != 0)
		return incomplete(f, "global/pg_control is that of another cluster", err);
	return check_label(f, err);
}

static int
make_dirs(const struct finishing *f, struct error *err)
{
	struct stat st;

	for (const char *const *dir = layout_needed_dirs; *dir != NULL; dir++) {
		if (mkdirat(f->dir, *dir, (mode_t)f->p.dir_mode) == 0)
			continue;
		if (errno != EEXIST)
			return error_sys(err, ERR_TARGET, "create '%s/%s'", f->r->target, *dir);
		if (fstatat(f->dir, *dir, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			return error_set(err, ERR_TARGET, "'%s/%s' is not a folder", f->r->target,
					 *dir);
	}
	return OK;
}

/* The log that a name of the metadata means is here, whole, and counts as archived. */
static int
check_log(const struct finishing *f, int wal, const char *name, struct error *err)
{
	bool is_segment = strchr(name, '.') == NULL;
	char done[64];
	struct stat st;

	if (strchr(name, '/') != NULL || strlen(name) > 40 || name[0] == '.')
		return error_set(err, ERR_PROTOCOL, "metadata: '%s' is not the name of a log",
				 name);
	if (fstatat(wal, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return incomplete(f, name, err);
	if (is_segment && (uint64_t)st.st_size != f->p.wal_segment_bytes)
		return incomplete(f, "a log of the wrong size", err);
	(void)snprintf(done, sizeof(done), "archive_status/%s.done", name);
	CLEAN(fd_close) int fd = open_beneath(wal, done, O_WRONLY);
	if (fd >= 0)
		return OK;
	fd = openat(wal, done, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_sys(err, ERR_TARGET, "create '%s/pg_wal/%s'", f->r->target, done);
	return OK;
}

/* Whatever is here counts as archived: the original has its own. */
static int
mark_all(const struct finishing *f, int wal, struct error *err)
{
	int fd = fcntl(wal, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int rc = OK;

	if (dir == NULL) {
		(void)error_sys(err, ERR_TARGET, "open '%s/pg_wal'", f->r->target);
		fd_close(&fd);
		return err->code;
	}
	rewinddir(dir);
	while (rc == OK && (e = readdir(dir)) != NULL)
		if (strspn(e->d_name, "0123456789ABCDEF") >= 8 &&
		    strlen(e->d_name) <= WALRANGE_NAME_LEN)
			rc = check_log(f, wal, e->d_name, err);
	(void)closedir(dir);
	return rc < 0 ? rc : fs_sync_parent(wal, "archive_status/x", err);
}

/*
 * The log from where recovery begins to where it has to go at least is here: of a primary that is the
 * log it begins with, of a standby every one up to its minimum. (How far it goes beyond, only the
 * log itself knows; all of pg_wal is of one instant.) Logs before a change of the timeline may
 * belong to an earlier one.
 */
static int
check_image_logs(const struct finishing *f, int wal, struct error *err)
{
	const struct control *c = &f->control;
	bool standby = c->min_recovery_lsn > c->redo_lsn && c->min_recovery_timeline > 0;
	uint64_t stop = standby ? c->min_recovery_lsn : c->redo_lsn + 1;
	uint32_t last_timeline = standby ? MAX(c->min_recovery_timeline, c->timeline) : c->timeline;
	struct walrange range;

	if (!walrange_make(c->timeline, c->redo_lsn, stop, f->p.wal_segment_bytes, &range) ||
	    last_timeline - c->timeline > TIMELINES_MAX)
		return incomplete(f, "global/pg_control names no log", err);
	for (uint64_t i = range.first; i <= range.last; i++) {
		char name[WALRANGE_NAME_LEN + 1];
		struct stat st;
		bool found = false;

		for (range.timeline = last_timeline; !found && range.timeline >= c->timeline;
		     range.timeline--)
			found = fstatat(wal, walrange_name(&range, i, name), &st,
					AT_SYMLINK_NOFOLLOW) == 0;
		if (!found)
			return incomplete(f, name, err);
	}
	return mark_all(f, wal, err);
}

static int
check_logs(const struct finishing *f, struct error *err)
{
	CLEAN(fd_close) int wal = open_beneath(f->dir, "pg_wal", O_RDONLY | O_DIRECTORY);

	if (wal < 0)
		return error_sys(err, ERR_TARGET, "open '%s/pg_wal'", f->r->target);
	if (f->p.image)
		return check_image_logs(f, wal, err);
	if (json_array_size(f->p.wal) == 0)
		return error_set(err, ERR_PROTOCOL, "metadata: no logs");
	for (size_t i = 0; i < json_array_size(f->p.wal); i++) {
		const char *name = json_string_value(json_array_get(f->p.wal, i));

		if (name == NULL)
			return error_set(err, ERR_PROTOCOL, "metadata: a log without a name");
		int rc = check_log(f, wal, name, err);
		if (rc < 0)
			return rc;
	}
	return fs_sync_parent(wal, "archive_status/x", err);
}

/* Where the tablespace is now: what the link says, which the mover made, or we make it. */
static int
place_link(const struct finishing *f, struct spcmap_entry *e, struct error *err)
{
	const char *moved = json_string_value(json_object_get(f->r->map, e->location));
	const char *want = moved != NULL ? moved : e->location;
	char at[32], text[LINK_MAX_LEN];

	(void)snprintf(at, sizeof(at), "pg_tblspc/%s", e->oid);
	ssize_t n = readlinkat(f->dir, at, text, sizeof(text) - 1);
	if (n >= 0) {
		text[n] = 0;
		return spcmap_move(e, text, err);
	}
	if (errno != ENOENT)
		return error_sys(err, ERR_TARGET, "read the link '%s/%s'", f->r->target, at);
	if (symlinkat(want, f->dir, at) < 0)
		return error_sys(err, ERR_TARGET, "create the link '%s/%s'", f->r->target, at);
	return spcmap_move(e, want, err);
}

/* The tablespace is there, with the part that belongs to this version, and closed to others. */
static int
check_tablespace(const struct finishing *f, const char *location, struct error *err)
{
	CLEAN(fd_close) int dir = open(location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char version_dir[40];
	struct stat st;

	if (dir < 0)
		return error_sys(err, ERR_TARGET, "open the tablespace '%s'", location);
	(void)layout_version_dir(f->p.version_num, f->p.catalog_version, version_dir);
	if (fstatat(dir, version_dir, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, ERR_CORRUPT, "the tablespace '%s' has no folder '%s'",
				 location, version_dir);
	if (fchmod(dir, (mode_t)f->p.dir_mode) < 0)
		return error_sys(err, ERR_TARGET, "set the mode of '%s'", location);
	return OK;
}

/* One that was restored as a folder, right there: the map must not name it, or the server would
 * remove the folder to make a link. */
static bool
is_in_place(const struct finishing *f, const struct spcmap_entry *e)
{
	char at[32];
	struct stat st;

	(void)snprintf(at, sizeof(at), "pg_tblspc/%s", e->oid);
	return fstatat(f->dir, at, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int
relocate(const struct finishing *f, struct spcmap *map, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->n; i++) {
		struct spcmap_entry *e = &map->entries[i];

		if (is_in_place(f, e)) {
			free(STEAL_PTR(e->location));
			continue;
		}
		int rc = place_link(f, e, err);
		if (rc == OK)
			rc = check_tablespace(f, e->location, err);
		if (rc < 0)
			return rc;
		struct spcmap_entry keep = *e;
		e->location = NULL;
		map->entries[kept++] = keep;
	}
	map->n = kept;
	return OK;
}

/* The tablespaces as the metadata has them. */
static int
read_tablespaces(const struct finishing *f, struct spcmap *ret, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(SPCMAP_LOCATION_MAX);
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;
	size_t n = json_array_size(f->p.tablespaces);
	const char *location = NULL, *oid = NULL;

	map.entries = calloc(n + 1, sizeof(*map.entries));
	if (map.entries == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		const json_t *t = json_array_get(f->p.tablespaces, i);
		struct spcmap_entry *e = &map.entries[i];

		if (json_get_str(t, "oid", &oid, err) < 0 ||
		    path_of(json_object_get(t, "location"), &b, &location, err) < 0)
			return error_prefix(err, "metadata");
		size_t digits = strspn(oid, "0123456789");
		if (digits == 0 || oid[digits] != 0 || digits >= sizeof(e->oid) ||
		    location[0] != '/')
			return error_set(err, ERR_PROTOCOL,
					 "metadata: '%s' is not the number of a tablespace", oid);
		memcpy(e->oid, oid, digits + 1);
		map.n++;
		int rc = spcmap_move(e, location, err);
		if (rc < 0)
			return rc;
	}
	*ret = map;
	map = SPCMAP_INIT;
	return OK;
}

/* An image has no map: the server goes by the links alone. */
static int
place_tablespaces(const struct finishing *f, struct error *err)
{
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;

	int rc = read_tablespaces(f, &map, err);
	return rc == OK ? relocate(f, &map, err) : rc;
}

static int
rewrite_map(const struct finishing *f, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(SMALL_FILE_MAX + 1);
	CLEAN(buf_done) struct buf out = BUF_INIT(SMALL_FILE_MAX);
	CLEAN(spcmap_done) struct spcmap map = SPCMAP_INIT;

	if (json_array_size(f->p.tablespaces) == 0)
		return OK;
	int rc = read_small(f, "tablespace_map", &text, err);
	if (rc == OK)
		rc = spcmap_parse(buf_slice(&text), f->p.dialect->map_escapes_backslash, &map, err);
	if (rc == OK)
		rc = relocate(f, &map, err);
	if (rc == OK)
		rc = spcmap_write(&map, f->p.dialect->map_escapes_backslash, &out, err);
	if (rc < 0)
		return rc;
	rc = fs_write_file(f->dir, "tablespace_map", buf_slice(&out), (mode_t)f->p.dir_mode & 0640,
			   err);
	return rc < 0 ? (int)error_prefix(err, "'%s/tablespace_map'", f->r->target) : OK;
}

static int
become_owner(const struct finishing *f, struct error *err)
{
	struct stat st;

	if (fstat(f->dir, &st) < 0)
		return error_sys(err, ERR_TARGET, "look at '%s'", f->r->target);
	return osuser_for_files(st.st_uid, st.st_gid, f->r->parent, err);
}

int
pgrestore_finish(const struct pgrestore *r, struct error *err)
{
	struct finishing f = {.r = r, .dir = -1};

	int rc = read_plan(r->metadata, &f.p, err);
	if (rc < 0)
		return rc;
	CLEAN(fd_close) int dir = open(r->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_sys(err, ERR_TARGET, "open '%s'", r->target);
	f.dir = dir;
	rc = become_owner(&f, err);
	if (rc == OK && fchmod(dir, (mode_t)f.p.dir_mode) < 0)
		rc = error_sys(err, ERR_TARGET, "set the mode of '%s'", r->target);
	if (rc == OK)
		rc = check_identity(&f, err);
	if (rc == OK)
		rc = make_dirs(&f, err);
	if (rc == OK)
		rc = check_logs(&f, err);
	if (rc == OK)
		rc = f.p.image ? place_tablespaces(&f, err) : rewrite_map(&f, err);
	return rc == OK ? fs_sync_parent(dir, NULL, err) : rc;
}
