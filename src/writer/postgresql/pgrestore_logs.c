/* SPDX-License-Identifier: Apache-2.0 */

/* pg_wal after a restore. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "postgresql/walrange.h"
#include "writer/postgresql/pgrestore_internal.h"

enum { TIMELINES_MAX = 1000 };

/* The log that a name of the metadata means is here, whole, and counts as archived. */
static int
check_log(const struct pgrestore_finishing *f, int wal, const char *name, struct error *err)
{
	bool is_segment = strchr(name, '.') == NULL;
	char done[64];
	struct stat st;

	if (strchr(name, '/') != NULL || strlen(name) > 40 || name[0] == '.')
		return error_set(err, ERR_PROTOCOL, "metadata: '%s' is not the name of a log",
				 name);
	if (fstatat(wal, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return pgrestore_incomplete(f, name, err);
	if (is_segment && (uint64_t)st.st_size != f->p.wal_segment_bytes)
		return pgrestore_incomplete(f, "a log of the wrong size", err);
	(void)snprintf(done, sizeof(done), "archive_status/%s.done", name);
	CLEAN(fd_close) int fd = pgrestore_open(wal, done, O_WRONLY);
	if (fd >= 0)
		return OK;
	fd = openat(wal, done, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_sys(err, ERR_TARGET, "create '%s/pg_wal/%s'", f->r->target, done);
	return OK;
}

/* Whatever is here counts as archived: the original has its own. */
static int
mark_all(const struct pgrestore_finishing *f, int wal, struct error *err)
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
check_image_logs(const struct pgrestore_finishing *f, int wal, struct error *err)
{
	const struct control *c = &f->control;
	bool standby = c->min_recovery_lsn > c->redo_lsn && c->min_recovery_timeline > 0;
	uint64_t stop = standby ? c->min_recovery_lsn : c->redo_lsn + 1;
	uint32_t last_timeline = standby ? MAX(c->min_recovery_timeline, c->timeline) : c->timeline;
	struct walrange range;

	if (!walrange_make(c->timeline, c->redo_lsn, stop, f->p.wal_segment_bytes, &range) ||
	    last_timeline - c->timeline > TIMELINES_MAX)
		return pgrestore_incomplete(f, "global/pg_control names no log", err);
	for (uint64_t i = range.first; i <= range.last; i++) {
		char name[WALRANGE_NAME_LEN + 1];
		struct stat st;
		bool found = false;

		for (range.timeline = last_timeline; !found && range.timeline >= c->timeline;
		     range.timeline--)
			found = fstatat(wal, walrange_name(&range, i, name), &st,
					AT_SYMLINK_NOFOLLOW) == 0;
		if (!found)
			return pgrestore_incomplete(f, name, err);
	}
	return mark_all(f, wal, err);
}

int
pgrestore_logs(const struct pgrestore_finishing *f, struct error *err)
{
	CLEAN(fd_close) int wal = pgrestore_open(f->dir, "pg_wal", O_RDONLY | O_DIRECTORY);

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
