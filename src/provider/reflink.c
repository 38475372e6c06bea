/* SPDX-License-Identifier: Apache-2.0 */

/* Places and marks as below.h keeps them; the cloning is clone.c's. */
#include "provider/reflink.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "provider/below.h"
#include "provider/clone.h"
#include "provider/ownfolder.h"

static const char *
why_not(const struct volume *v)
{
	if (!v->reflink)
		return "files of this file system cannot share their blocks";
	if (!v->privileged)
		return "cloning files with their owners takes root's rights";
	if (v->read_only || v->subvolume_read_only)
		return "the file system is mounted read-only";
	if (!v->directory)
		return "only folders are cloned";
	return NULL;
}

static enum consistency
reflink_promise(const struct volume *volume, const struct provider_settings *settings, bool hot,
		const char **ret_why)
{
	const char *reason = why_not(volume);

	(void)settings;
	if (reason != NULL) {
		*ret_why = reason;
		return PROVIDER_CANNOT;
	}
	*ret_why = hot ? "its files are cloned while its writer holds still"
		       : "files are cloned one after the other, while they may change";
	return hot ? CONSISTENCY_APPLICATION : CONSISTENCY_NONE;
}

static const char *
reflink_source(const struct volume *volume, const char *path)
{
	(void)path;
	return volume->real;
}

/* The folder that .holdfast is in: the subvolume's top, the mount point. By the place once that is
 * decided: the tree may be gone since. */
static int
find_top(const struct snapshot *s, char top[SNAPSHOT_PATH_MAX], struct error *err)
{
	CLEAN(volume_done) struct volume v = {0};
	const char *at = strstr(s->place, "/" OWNFOLDER_NAME "/"), *next;

	while (at != NULL && (next = strstr(at + 1, "/" OWNFOLDER_NAME "/")) != NULL)
		at = next;
	if (at != NULL) {
		(void)text_printf(top, SNAPSHOT_PATH_MAX, "%.*s", (int)(at - s->place), s->place);
		if (at == s->place)
			(void)text_printf(top, SNAPSHOT_PATH_MAX, "/");
		return OK;
	}
	if (volume_of(s->source, &v, err) < 0)
		return err->code;
	if (!text_printf(top, SNAPSHOT_PATH_MAX, "%s",
			 v.subvolume != NULL ? v.subvolume : v.mount_point))
		return error_set(err, ERR_LIMIT, "the path of '%s' is too long", s->source);
	return OK;
}

static int
open_top(const struct snapshot *s, char top[SNAPSHOT_PATH_MAX], int *ret_fd, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct statfs fs;

	if (find_top(s, top, err) < 0)
		return err->code;
	fd = open(top, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return error_sys(err, ERR_SOURCE, "open '%s'", top);
	if ((unsigned long)fs.f_type != BTRFS_SUPER_MAGIC &&
	    (unsigned long)fs.f_type != XFS_SUPER_MAGIC)
		return error_set(err, ERR_SOURCE, "'%s' is neither XFS nor btrfs now", top);
	*ret_fd = STEAL_FD(fd);
	return OK;
}

static int
reflink_prepare(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	CLEAN(volume_done) struct volume v = {0};
	CLEAN(fd_close) int fd = -1;
	char top[SNAPSHOT_PATH_MAX];

	if (volume_of(s->source, &v, err) < 0)
		return err->code;
	if (why_not(&v) != NULL)
		return error_set(err, ERR_SOURCE, "'%s': %s", s->source, why_not(&v));
	s->place[0] = '\0';
	if (open_top(s, top, &fd, err) < 0 || below_prepare(fd, top, s, settings, err) < 0)
		return err->code;
	/* What is written now is not written while databases wait. */
	if (syncfs(fd) < 0) {
		error_sys(err, ERR_IO, "write out '%s'", top);
		(void)!below_forget(fd, s, NULL);
		return err->code;
	}
	return OK;
}

static int
reflink_create(struct snapshot *s, const struct provider_settings *settings, uint64_t deadline_ns,
	       struct error *err)
{
	CLEAN(fd_close) int top_fd = -1, folder = -1, from = -1, to = -1;
	char top[SNAPSHOT_PATH_MAX], name[SNAPSHOT_NAME_MAX];

	(void)settings;
	if (clock_boot_ns() >= deadline_ns)
		return error_set(err, ERR_TIMEOUT, "clone '%s': too late to begin", s->source);
	if (open_top(s, top, &top_fd, err) < 0 || below_open(top_fd, s, &folder, err) < 0)
		return err->code;
	from = open(s->source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return error_sys(err, ERR_SOURCE, "open '%s'", s->source);
	if (mkdirat(folder, snapshot_name(s, name), 0700) < 0)
		return error_sys(err, ERR_IO, "create '%s'", s->place);
	to = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return error_sys(err, ERR_IO, "open '%s'", s->place);
	if (clone_tree(from, to, deadline_ns, err) < 0)
		return error_prefix(err, "clone '%s'", s->source);
	return OK;
}

static int
reflink_expose(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	struct stat st;

	(void)settings;
	if (lstat(s->place, &st) < 0)
		return error_sys(err, ERR_IO, "open the clone '%s'", s->place);
	memcpy(s->exposed, s->place, sizeof(s->exposed));
	return OK;
}

static int
reflink_remove(const struct snapshot *s, const struct provider_settings *settings,
	       struct error *err)
{
	CLEAN(fd_close) int top_fd = -1, folder = -1;
	char top[SNAPSHOT_PATH_MAX], name[SNAPSHOT_NAME_MAX];
	int r;

	(void)settings;
	if (open_top(s, top, &top_fd, err) < 0)
		return err->code;
	r = below_find(top_fd, s, &folder, err);
	if (r <= 0)
		return r < 0 ? error_prefix(err, "'%s'", top) : OK;
	if (fs_remove_tree(folder, snapshot_name(s, name), err) < 0 ||
	    below_forget(top_fd, s, err) < 0)
		return error_prefix(err, "'%s'", top);
	return fs_sync_parent(top_fd, NULL, err);
}

static int
reflink_space(const struct snapshot *s, const struct provider_settings *settings,
	      uint64_t *ret_free, uint64_t *ret_total, struct error *err)
{
	(void)settings;
	return below_space(s->source, ret_free, ret_total, err);
}

static int
reflink_find(const struct provider_settings *settings, provider_each_fn *each, void *arg,
	     struct error *err)
{
	return below_each(reflink_ops.name, settings, each, arg, err);
}

const struct provider_ops reflink_ops = {
	.name = "reflink",
	.cost = "a moment for each file; then the space of what is changed while it is held",
	.promise = reflink_promise,
	.source = reflink_source,
	.prepare = reflink_prepare,
	.create = reflink_create,
	.expose = reflink_expose,
	.remove = reflink_remove,
	.space = reflink_space,
	.find = reflink_find,
};
