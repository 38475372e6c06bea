/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Before: everything is refused that would end in two servers on one set of files. After:
 * everything a server needs to start is there, or the restore did not succeed.
 *
 * What lies in the target was restored, but by whom and what meanwhile changed there is not known:
 * every path is opened relative to the target without following links.
 */
#include "writer/postgresql/pgrestore.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "writer/postgresql/layout.h"
#include "writer/postgresql/osuser.h"
#include "writer/postgresql/pgrestore_internal.h"
#include "writer/postgresql/spcmap.h"

/* Before. */

/* The process that postmaster.pid of this folder names, if it runs; else 0. */
static pid_t
running_in(const char *dir)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(PGRESTORE_FILE_MAX);
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
has_location(const struct pgrestore_plan *p, const char *location)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(SPCMAP_LOCATION_MAX);
	const char *known;

	for (size_t i = 0; i < json_array_size(p->tablespaces); i++) {
		const json_t *t = json_array_get(p->tablespaces, i);

		if (pgrestore_path_of(json_object_get(t, "location"), &b, &known, NULL) == OK &&
		    strcmp(known, location) == 0)
			return true;
	}
	return false;
}

/* Every OLD is a tablespace of this backup, every NEW an absolute path. */
static int
check_map(const struct pgrestore *r, const struct pgrestore_plan *p, struct error *err)
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
check_not_in_use(const struct pgrestore *r, const struct pgrestore_plan *p, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(SPCMAP_LOCATION_MAX);
	CLEAN(buf_done) struct buf dir = BUF_INIT(SPCMAP_LOCATION_MAX);
	const json_t *origin = json_object_get(r->metadata, "data_directory");
	const char *location = NULL, *original = NULL;

	if (origin == NULL || pgrestore_path_of(origin, &dir, &original, err) < 0 ||
	    running_in(original) == 0)
		return OK;
	for (size_t i = 0; i < json_array_size(p->tablespaces); i++) {
		const json_t *t = json_array_get(p->tablespaces, i);

		int rc = pgrestore_path_of(json_object_get(t, "location"), &b, &location, err);
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
	struct pgrestore_plan p;

	int rc = pgrestore_plan_read(r->metadata, &p, err);
	if (rc == OK)
		rc = check_target(r, err);
	if (rc == OK)
		rc = check_map(r, &p, err);
	if (rc == OK)
		rc = check_not_in_use(r, &p, err);
	if (rc == OK && r->recovery != NULL)
		rc = pgrestore_recovery_check(r->recovery, &p, err);
	return rc;
}

/* After. */

/* In backup mode, without the label the server would take the copy for a crashed cluster, and ruin it.
 * An image is one: with a label, left here by somebody else, it would begin elsewhere. */
static int
check_label(const struct pgrestore_finishing *f, struct error *err)
{
	static const char *const others[] = {"backup_label", "tablespace_map", "recovery.signal",
					     "standby.signal"};
	CLEAN(buf_done) struct buf b = BUF_INIT(PGRESTORE_FILE_MAX + 1);
	struct stat st;

	if (!f->p.image) {
		int rc = pgrestore_read(f, "backup_label", &b, err);
		if (rc < 0)
			return rc;
		return b.n > 0 ? OK : (int)pgrestore_incomplete(f, "backup_label is empty", err);
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
check_identity(struct pgrestore_finishing *f, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(PGRESTORE_FILE_MAX + 1);
	char want[24];

	int rc = pgrestore_read(f, "PG_VERSION", &b, err);
	if (rc < 0)
		return rc;
	int n = snprintf(want, sizeof(want), "%d\n", f->p.version_num / 10000);
	if (b.n != (size_t)n || memcmp(b.p, want, b.n) != 0)
		return pgrestore_incomplete(f, "PG_VERSION is that of another version", err);
	rc = pgrestore_read(f, "global/pg_control", &b, err);
	if (rc < 0)
		return rc;
	if (control_parse(buf_slice(&b), &f->control, err) < 0)
		return pgrestore_incomplete(f, "global/pg_control is not one", err);
	(void)snprintf(want, sizeof(want), "%" PRIu64, f->control.system_identifier);
	if (strcmp(want, f->p.system_identifier) != 0)
		return pgrestore_incomplete(f, "global/pg_control is that of another cluster", err);
	return check_label(f, err);
}

static int
make_dirs(const struct pgrestore_finishing *f, struct error *err)
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

static int
become_owner(const struct pgrestore_finishing *f, struct error *err)
{
	struct stat st;

	if (fstat(f->dir, &st) < 0)
		return error_sys(err, ERR_TARGET, "look at '%s'", f->r->target);
	return osuser_for_files(st.st_uid, st.st_gid, f->r->parent, err);
}

int
pgrestore_finish(const struct pgrestore *r, struct error *err)
{
	struct pgrestore_finishing f = {.r = r, .dir = -1};

	int rc = pgrestore_plan_read(r->metadata, &f.p, err);
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
		rc = pgrestore_logs(&f, err);
	if (rc == OK)
		rc = pgrestore_spaces(&f, err);
	if (rc == OK && r->recovery != NULL)
		rc = pgrestore_recovery(&f, err);
	return rc == OK ? fs_sync_parent(dir, NULL, err) : rc;
}
