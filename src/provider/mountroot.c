/* SPDX-License-Identifier: Apache-2.0 */

/* Marks and mount points in settings' mount_root. */
#include "provider/mountroot.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/text.h"
#include "provider/below.h"
#include "provider/ownmark.h"

/* 1; 0 there is none. */
static int
open_root(const struct provider_settings *settings, int *ret_fd, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct stat st;

	if (settings->mount_root[0] != '/')
		return error_set(err, ERR_CONFIG, "there is no folder for mounts");
	fd = open(settings->mount_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, ERR_IO, "open '%s'", settings->mount_root);
	if (st.st_uid != geteuid() || (st.st_mode & 0077) != 0) {
		error_set(err, ERR_PERMISSION, "'%s' is open to others", settings->mount_root);
		return error_hint(err, "It has to belong to root, with mode 0700.");
	}
	*ret_fd = STEAL_FD(fd);
	return 1;
}

int
mountroot_point(const struct snapshot *s, const struct provider_settings *settings,
		char ret[SNAPSHOT_PATH_MAX], struct error *err)
{
	char name[SNAPSHOT_NAME_MAX];

	if (settings->mount_root[0] != '/' ||
	    !text_printf(ret, SNAPSHOT_PATH_MAX, "%s/%s", settings->mount_root,
			 snapshot_name(s, name)))
		return error_set(err, ERR_CONFIG, "there is no fitting folder for mounts");
	return OK;
}

int
mountroot_prepare(const struct snapshot *s, const struct provider_settings *settings,
		  struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	char name[SNAPSHOT_NAME_MAX];
	struct stat st;
	int r = open_root(settings, &fd, err);

	if (r == 0 && fs_mkdirs(AT_FDCWD, settings->mount_root, 0700, err) == OK)
		r = open_root(settings, &fd, err);
	if (r <= 0)
		return r < 0 ? r : (int)error_prefix(err, "make the folder for mounts");
	if (fstatat(fd, snapshot_name(s, name), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERR_EXISTS, "'%s/%s' is there already", settings->mount_root,
				 name);
	return ownmark_make(fd, s, settings, err);
}

int
mountroot_find(const struct snapshot *s, const struct provider_settings *settings,
	       struct snapshot *ret, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	char name[SNAPSHOT_NAME_MAX];
	struct stat st;
	int r = open_root(settings, &fd, err);

	if (r <= 0)
		return r;
	r = ownmark_read(fd, s, ret, err);
	if (r != 0)
		return r;
	if (fstatat(fd, snapshot_name(s, name), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERR_PERMISSION, "'%s/%s' carries no mark of ours",
				 settings->mount_root, name);
	return ownmark_remove(fd, s, err); /* the beginnings of one */
}

int
mountroot_make_point(const char *point, struct error *err)
{
	if (mkdir(point, 0700) < 0 && errno != EEXIST)
		return error_sys(err, ERR_IO, "create '%s'", point);
	return OK;
}

bool
mountroot_is_mounted(const char *point, bool *ret_read_only)
{
	struct statx st;
	struct statvfs v;

	*ret_read_only = false;
	if (statx(AT_FDCWD, point, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_INO, &st) < 0 ||
	    (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
		return false;
	*ret_read_only = statvfs(point, &v) == 0 && (v.f_flag & ST_RDONLY) != 0;
	return true;
}

int
mountroot_unmount(const char *point, struct error *err)
{
	struct below_patience patience = BELOW_PATIENCE_INIT;

	for (;;) {
		/* EINVAL: it is no mount point. */
		if (umount2(point, UMOUNT_NOFOLLOW) < 0 && errno != EBUSY) {
			if (errno == EINVAL || errno == ENOENT)
				return OK;
			return error_sys(err, ERR_IO, "unmount '%s'", point);
		}
		if (errno == EBUSY && !below_wait(&patience))
			return error_sys(err, ERR_BUSY, "unmount '%s'", point);
	}
}

int
mountroot_forget(const struct snapshot *s, const struct provider_settings *settings,
		 struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	char name[SNAPSHOT_NAME_MAX];
	int r = open_root(settings, &fd, err);

	if (r <= 0)
		return r;
	if (unlinkat(fd, snapshot_name(s, name), AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_sys(err, errno == EBUSY ? ERR_BUSY : ERR_IO, "remove '%s/%s'",
				 settings->mount_root, name);
	if (ownmark_remove(fd, s, err) < 0)
		return err->code;
	return fs_sync_parent(fd, NULL, err);
}

int
mountroot_each(const struct provider_settings *settings, const char *provider,
	       provider_each_fn *each, void *arg, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	int r;

	if (settings->mount_root[0] == '\0')
		return OK;
	r = open_root(settings, &fd, err);
	return r <= 0 ? r : ownmark_each(fd, provider, settings, each, arg, err);
}
