/* SPDX-License-Identifier: Apache-2.0 */

/* Paths first; then the device, which the kernel still lists as somebody's if its file system is there. */
#include "guard/daemon/reach.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/fs.h"
#include "provider/mounts.h"

enum { NAME_SIZE = 280, FILESYSTEMS_MAX = 64 << 10 };

/* btrfs has a device number for each subvolume, and one freeze for all. */
uint64_t
reach_id(int fd)
{
	struct btrfs_ioctl_fs_info_args info = {0};
	struct stat st;
	uint64_t id = 0;

	if (fstat(fd, &st) < 0)
		return 0;
	if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0)
		return st.st_dev;
	memcpy(&id, info.fsid, sizeof(id));
	return id;
}

/* ---- the device ------------------------------------------------------------------------------ */

static bool
find_device(uint64_t id, char *ret, size_t size)
{
	char path[64], link[NAME_SIZE];
	struct stat st;

	/* A link to .../loop3; a '!' stands for what would be a '/'. */
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(id), minor(id));
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return false;
	link[n] = '\0';
	const char *name = strrchr(link, '/');
	(void)snprintf(ret, size, "/dev/%.200s", name != NULL ? name + 1 : link);
	for (char *p = strchr(ret, '!'); p != NULL; p = strchr(p, '!'))
		*p = '/';
	return stat(ret, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == id;
}

void
reach_device(uint64_t id, char *ret, size_t size)
{
	if (!find_device(id, ret, size))
		(void)snprintf(ret, size, "/dev/block/%u:%u", major(id), minor(id));
}

/* ---- by path --------------------------------------------------------------------------------- */

static int
open_it(int dir, const char *path, uint64_t id)
{
	CLEAN(fd_close) int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && reach_id(fd) == id ? STEAL_FD(fd) : -1;
}

static int
reach_mounted(uint64_t id)
{
	struct mounts m = {0};
	struct error err = ERROR_INIT;
	int fd = -1;

	if (mounts_read(&m, &err) < 0)
		return -1;
	for (size_t i = 0; i < m.n && fd < 0; i++) {
		/* Only what it can be is opened: another might hang. (btrfs is never frozen.) */
		if (m.list[i].device == id)
			fd = open_it(AT_FDCWD, m.list[i].point, id);
	}
	mounts_done(&m);
	return fd;
}

/* ---- by device ------------------------------------------------------------------------------- */

/* A mount that has no place: it ends with its last descriptor. */
static int
mount_as(const char *type, const char *device, bool read_only, uint64_t id)
{
	CLEAN(fd_close) int fs = fsopen(type, FSOPEN_CLOEXEC);
	CLEAN(fd_close) int mount = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
	    (read_only && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return mount >= 0 ? open_it(mount, ".", id) : -1;
}

/* The type is not known. Of a device that is in use only the right one can be mounted. */
static int
mount_somehow(const char *device, uint64_t id)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(FILESYSTEMS_MAX);
	struct error err = ERROR_INIT;
	char *rest = NULL;
	int fd = -1;

	if (fs_read_file(AT_FDCWD, "/proc/filesystems", &text, &err) < 0 ||
	    buf_append(&text, "", 1, &err) < 0)
		return -1;
	for (char *line = strtok_r((char *)text.p, "\n", &rest); line != NULL && fd < 0;
	     line = strtok_r(NULL, "\n", &rest)) {
		/* "nodev" stands before the tab of those that need no device. */
		if (line[0] != '\t')
			continue;
		fd = mount_as(line + 1, device, false, id);
		if (fd < 0)
			fd = mount_as(line + 1, device, true, id);
	}
	return fd;
}

int
reach_again(uint64_t id)
{
	char device[NAME_SIZE];
	int fd = reach_mounted(id);

	if (fd >= 0)
		return fd;
	if (!find_device(id, device, sizeof(device))) {
		errno = ENODEV;
		return -1;
	}
	/* What nobody has to himself has no file system on it. And it must not be mounted here: a mount
	 * would begin with repairs, of what is none of our business. */
	fd = open(device, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 || errno != EBUSY) {
		int sys = fd >= 0 || errno == ENXIO ? ENODEV : errno;

		fd_close(&fd);
		errno = sys;
		return -1;
	}
	fd = mount_somehow(device, id);
	if (fd < 0)
		errno = EBUSY;
	return fd;
}
