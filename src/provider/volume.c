/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kernel says which mount a path belongs to (statx's mount id), and mountinfo what that mount is.
 * Comparing path prefixes would be wrong wherever mounts cover each other.
 */
#include "provider/volume.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/text.h"
#include "provider/subvolume.h"

/* xfs_fs.h is in a package of its own; this much of it never changes. */
struct xfs_geometry {
	uint32_t block_size, rt_extent_size, ag_blocks, ag_count, log_blocks, sector_size,
		inode_size, max_percent;
	uint64_t data_blocks, rt_blocks, rt_extents, log_start;
	uint8_t uuid[16];
	uint32_t stripe_unit, stripe_width;
	int32_t version;
	uint32_t flags;
	uint32_t log_sector_size, rt_sector_size, dir_block_size;
};
#define XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry) /* the oldest of its kind: 112 bytes */
#define XFS_GEOMETRY_REFLINK (1U << 20)

void
volume_done(struct volume *v)
{
	free(v->real);
	free(v->mount_point);
	free(v->source);
	free(v->top);
	free(v->inner);
	free(v->subvolume);
	*v = (struct volume){0};
}

static bool
is_privileged(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	return geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 &&
	       (data[0].effective & 1U << CAP_SYS_ADMIN) != 0;
}

/* The path itself may be a link: what is backed up is the link. */
static int
find_real(const char *path, bool link, char **ret, struct error *err)
{
	CLEAN(free_ptr) char *copy = NULL, *folder = NULL;
	char *slash, *real = NULL;

	if (!link) {
		*ret = realpath(path, NULL);
		return *ret != NULL ? OK : (int)error_sys(err, ERR_SOURCE, "open '%s'", path);
	}
	copy = strdup(path);
	if (copy == NULL)
		return error_no_memory(err);
	slash = strrchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	folder = realpath(slash == NULL ? "." : slash == copy ? "/" : copy, NULL);
	if (folder == NULL)
		return error_sys(err, ERR_SOURCE, "open '%s'", path);
	if (asprintf(&real, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
		     slash == NULL ? path : slash + 1) < 0)
		return error_no_memory(err);
	*ret = real;
	return OK;
}

static bool
has_reflink(const struct volume *v)
{
	CLEAN(fd_close) int fd = -1;
	struct xfs_geometry g = {0};

	if (strcmp(v->type, "btrfs") == 0)
		return true;
	if (strcmp(v->type, "xfs") != 0)
		return false;
	fd = open(v->mount_point, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 && ioctl(fd, XFS_GEOMETRY, &g) == 0 && (g.flags & XFS_GEOMETRY_REFLINK) != 0;
}

static bool
is_lvm(uint64_t device)
{
	CLEAN(fd_close) int fd = -1;
	char path[64], uuid[4];

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/uuid", major(device),
		       minor(device));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, uuid, sizeof(uuid)) == (ssize_t)sizeof(uuid) &&
	       memcmp(uuid, "LVM-", sizeof(uuid)) == 0;
}

static int
take_mount(const struct mount *m, struct volume *v, struct error *err)
{
	struct stat st;

	(void)text_printf(v->type, sizeof(v->type), "%s", m != NULL ? m->type : "unknown");
	v->mount_point = strdup(m != NULL ? m->point : "");
	v->source = strdup(m != NULL ? m->source : "");
	if (v->mount_point == NULL || v->source == NULL)
		return error_no_memory(err);
	if (m == NULL)
		return OK;
	v->mount_id = m->id;
	v->read_only = m->read_only;
	/* btrfs counts its own devices: the one named by the mount has to do. */
	if (major(m->device) != 0)
		v->block_device = m->device;
	else if (m->source[0] == '/' && stat(m->source, &st) == 0 && S_ISBLK(st.st_mode))
		v->block_device = st.st_rdev;
	v->reflink = has_reflink(v);
	v->lvm = v->block_device != 0 && is_lvm(v->block_device);
	return OK;
}

/* The whole of the file system may be mounted elsewhere, where this mount shows a folder of it. */
static int
find_top(const struct mounts *mounts, const struct mount *m, struct volume *v, struct error *err)
{
	size_t n = strcmp(m->point, "/") == 0 ? 0 : strlen(m->point);
	const struct mount *whole = strcmp(m->root, "/") == 0 ? m : NULL;
	struct stat st;

	for (size_t i = 0; i < mounts->n && whole == NULL; i++) {
		const struct mount *other = &mounts->list[i];

		if (other->device == m->device && strcmp(other->root, "/") == 0 &&
		    stat(other->point, &st) == 0 && st.st_dev == m->device)
			whole = other;
	}
	if (whole == NULL || strncmp(v->real, m->point, n) != 0)
		return OK;
	v->top = strdup(whole->point);
	if (v->top == NULL || asprintf(&v->inner, "%s%s", strcmp(m->root, "/") == 0 ? "" : m->root,
				       strcmp(v->real, "/") == 0 ? "" : v->real + n) < 0)
		return error_no_memory(err);
	return OK;
}

int
volume_among(const struct mounts *mounts, const char *path, struct volume *ret, struct error *err)
{
	CLEAN(volume_done) struct volume v = {0};
	const struct mount *m = NULL;
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
		return error_sys(err, ERR_SOURCE, "open '%s'", path);
	if ((st.stx_mask & STATX_MNT_ID) != 0)
		m = mounts_find(mounts, st.stx_mnt_id);
	v.device = makedev(st.stx_dev_major, st.stx_dev_minor);
	v.directory = S_ISDIR(st.stx_mode);
	v.privileged = is_privileged();
	if (find_real(path, S_ISLNK(st.stx_mode), &v.real, err) < 0 || take_mount(m, &v, err) < 0)
		return err->code;
	if (m != NULL && find_top(mounts, m, &v, err) < 0)
		return err->code;
	if (strcmp(v.type, "btrfs") == 0 &&
	    subvolume_top(v.real, &v.subvolume, &v.subvolume_read_only, err) < 0)
		return err->code;
	*ret = v;
	v = (struct volume){0};
	return OK;
}

int
volume_of(const char *path, struct volume *ret, struct error *err)
{
	CLEAN(mounts_done) struct mounts mounts = {0};

	if (mounts_read(&mounts, err) < 0)
		return err->code;
	return volume_among(&mounts, path, ret, err);
}
