/* SPDX-License-Identifier: Apache-2.0 */

/*
 * By ioctl, not by the btrfs program: it makes a snapshot in one call, with no child process while
 * databases wait. Everything is done by descriptors of folders that were checked, so that no link put
 * in their place can lead elsewhere. create() uses no heap.
 */
#include "provider/btrfs.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/text.h"
#include "provider/below.h"
#include "provider/ownfolder.h"
#include "provider/ownmark.h"
#include "provider/subvolume.h"

static enum consistency
btrfs_promise(const struct volume *volume, const struct provider_settings *settings, bool hot,
	      const char **ret_why)
{
	(void)settings;
	if (strcmp(volume->type, "btrfs") != 0)
		*ret_why = "this is not btrfs";
	else if (!volume->privileged)
		*ret_why = "a btrfs snapshot takes root's rights";
	else if (volume->subvolume == NULL)
		*ret_why = "only a part of its btrfs subvolume is mounted here";
	else if (volume->read_only || volume->subvolume_read_only)
		*ret_why = "the subvolume is read-only, so nothing can be put into it";
	else
		*ret_why = "a read-only snapshot of its subvolume is one instant";
	if (strcmp(volume->type, "btrfs") != 0 || !volume->privileged ||
	    volume->subvolume == NULL || volume->read_only || volume->subvolume_read_only)
		return PROVIDER_CANNOT;
	return hot ? CONSISTENCY_APPLICATION : CONSISTENCY_CRASH;
}

static const char *
btrfs_source(const struct volume *volume, const char *path)
{
	(void)path;
	return volume->subvolume != NULL ? volume->subvolume : volume->real;
}

static int
open_source(const struct snapshot *s, int *ret_fd, struct error *err)
{
	CLEAN(fd_close) int fd = -1;

	fd = open(s->source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, ERR_SOURCE, "open '%s'", s->source);
	if (!subvolume_is_top(fd))
		return error_set(err, ERR_SOURCE, "'%s' is not the top of a btrfs subvolume",
				 s->source);
	*ret_fd = STEAL_FD(fd);
	return OK;
}

static int
btrfs_prepare(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	CLEAN(fd_close) int fd = -1;

	if (open_source(s, &fd, err) < 0 || below_prepare(fd, s->source, s, settings, err) < 0)
		return err->code;
	/* What is written now is not written while databases wait. */
	if (syncfs(fd) < 0) {
		error_sys(err, ERR_IO, "write out '%s'", s->source);
		(void)!below_forget(fd, s, NULL);
		return err->code;
	}
	return OK;
}

static int
btrfs_create(struct snapshot *s, const struct provider_settings *settings, uint64_t deadline_ns,
	     struct error *err)
{
	CLEAN(fd_close) int source = -1, folder = -1;
	struct btrfs_ioctl_vol_args_v2 args = {.flags = BTRFS_SUBVOL_RDONLY};
	char name[SNAPSHOT_NAME_MAX];

	(void)settings;
	if (open_source(s, &source, err) < 0 || below_open(source, s, &folder, err) < 0)
		return err->code;
	if (clock_boot_ns() >= deadline_ns)
		return error_set(err, ERR_TIMEOUT, "snapshot '%s': too late to begin", s->source);
	args.fd = source;
	(void)text_printf(args.name, sizeof(args.name), "%s", snapshot_name(s, name));
	if (ioctl(folder, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0)
		return error_sys(err, ERR_IO, "snapshot '%s'", s->source);
	/* It holds a moment, but perhaps not one at which everybody was still waiting. */
	if (clock_boot_ns() >= deadline_ns)
		return error_set(err, ERR_TIMEOUT, "snapshot '%s': it took too long", s->source);
	return OK;
}

static int
btrfs_expose(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	CLEAN(fd_close) int fd = -1;

	(void)settings;
	fd = open(s->place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, ERR_IO, "open the snapshot '%s'", s->place);
	if (!subvolume_is_top(fd) || !subvolume_is_read_only(fd))
		return error_set(err, ERR_PERMISSION, "'%s' is not a read-only snapshot", s->place);
	memcpy(s->exposed, s->place, sizeof(s->exposed));
	return OK;
}

/* Whatever was removed stays so after a power cut: the caller is about to forget it. */
static int
commit(int fd, struct error *err)
{
	uint64_t transaction = 0;

	if (ioctl(fd, BTRFS_IOC_START_SYNC, &transaction) < 0 ||
	    ioctl(fd, BTRFS_IOC_WAIT_SYNC, &transaction) < 0)
		return error_sys(err, ERR_IO, "commit");
	return OK;
}

static int
destroy(int folder, const struct snapshot *s, struct error *err)
{
	struct btrfs_ioctl_vol_args args = {0};
	struct below_patience patience = BELOW_PATIENCE_INIT;
	char name[SNAPSHOT_NAME_MAX];

	(void)text_printf(args.name, sizeof(args.name), "%s", snapshot_name(s, name));
	while (ioctl(folder, BTRFS_IOC_SNAP_DESTROY, &args) < 0) {
		if (errno == ENOENT)
			return OK;
		if (errno != EBUSY || !below_wait(&patience))
			return error_sys(err, errno == EBUSY ? ERR_BUSY : ERR_IO,
					 "remove the snapshot '%s'", name);
	}
	return OK;
}

static int
btrfs_remove(const struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	CLEAN(fd_close) int source = -1, folder = -1;
	int r;

	(void)settings;
	if (open_source(s, &source, err) < 0)
		return err->code;
	r = below_find(source, s, &folder, err);
	if (r <= 0)
		return r < 0 ? error_prefix(err, "'%s'", s->source) : OK;
	if (destroy(folder, s, err) < 0 || below_forget(source, s, err) < 0)
		return error_prefix(err, "'%s'", s->source);
	return commit(source, err);
}

static int
btrfs_space(const struct snapshot *s, const struct provider_settings *settings, uint64_t *ret_free,
	    uint64_t *ret_total, struct error *err)
{
	(void)settings;
	/* statfs of btrfs says 0 as soon as metadata runs out, whatever room there is for data. */
	return below_space(s->source, ret_free, ret_total, err);
}

static int
btrfs_find(const struct provider_settings *settings, provider_each_fn *each, void *arg,
	   struct error *err)
{
	return below_each(btrfs_ops.name, settings, each, arg, err);
}

const struct provider_ops btrfs_ops = {
	.name = "btrfs",
	.cost = "milliseconds to take; then the space of what is changed while it is held",
	.atomic = true,
	.promise = btrfs_promise,
	.source = btrfs_source,
	.prepare = btrfs_prepare,
	.create = btrfs_create,
	.expose = btrfs_expose,
	.remove = btrfs_remove,
	.space = btrfs_space,
	.find = btrfs_find,
};
